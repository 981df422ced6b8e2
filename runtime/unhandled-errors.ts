// An error that no code catches ends the run or the attempt it belongs to, not the process with all its other runs: a
// promise that nobody awaits, a callback that throws, an "error" event without a listener. Whose it is says the async
// context it comes in; what belongs to no run keeps Node's own behaviour.

import { currentAmbient } from "../sdk/workflow/ambient.ts";
import { RunEngine } from "./replay/engine.ts";

let listeners = 0;

/** Answers how to stop. Several workers of one process share one pair of listeners. */
export function catchUnhandledErrors(): () => void {
  if (listeners++ === 0) {
    process.on("unhandledRejection", onUnhandledRejection);
    process.on("uncaughtException", onUncaughtException);
  }
  return () => {
    if (--listeners > 0) return;
    process.off("unhandledRejection", onUnhandledRejection);
    process.off("uncaughtException", onUncaughtException);
  };
}

// Node calls these in the async context of the promise or callback; for a promise after all its reactions and before the
// next turn of the loop: so a run fails in the very turn in which the promise was rejected, live and at replay alike.
function onUnhandledRejection(reason: unknown): void {
  if (belongsToRun(reason) || process.listenerCount("unhandledRejection") > 1) return;
  // As if we were not here: an error nobody handles ends the process.
  process.off("unhandledRejection", onUnhandledRejection);
  throw reason;
}

function onUncaughtException(error: unknown): void {
  if (belongsToRun(error) || process.listenerCount("uncaughtException") > 1) return;
  process.off("uncaughtException", onUncaughtException);
  throw error;
}

/** False when it is nobody's here. */
function belongsToRun(error: unknown): boolean {
  const ambient = currentAmbient();
  if (ambient?.kind === "step") {
    ambient.step.log.error("an error in a step was caught by nobody: if the attempt is still under way, it fails", {
      error,
    });
    ambient.fail(error);
    return true;
  }
  if (ambient?.kind !== "workflow" || !(ambient.run instanceof RunEngine)) return false;
  ambient.run.rejectedUnhandled(error);
  return true;
}
