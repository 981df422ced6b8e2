// A promise of workflow code that is rejected with nobody to handle it fails its run, not the process; one of step code
// is logged by Node as ever. Everything else keeps Node's own behaviour.

import { currentAmbient } from "../sdk/workflow/ambient.ts";
import { RunEngine } from "./replay/engine.ts";

let listeners = 0;

/** Answers how to stop. Several workers of one process share one listener. */
export function catchUnhandledRejections(): () => void {
  if (listeners++ === 0) process.on("unhandledRejection", onUnhandledRejection);
  return () => {
    if (--listeners === 0) process.off("unhandledRejection", onUnhandledRejection);
  };
}

// Node calls this in the async context of the promise, after all its reactions and before the next turn of the loop: so
// the run fails in the very turn in which the promise was rejected, live and at replay alike.
function onUnhandledRejection(reason: unknown, promise: Promise<unknown>): void {
  const ambient = currentAmbient();
  if (ambient?.kind === "workflow" && ambient.run instanceof RunEngine) return ambient.run.rejectedUnhandled(reason);
  if (process.listenerCount("unhandledRejection") > 1) return;
  // As if we were not here: an error nobody handles ends the process.
  process.off("unhandledRejection", onUnhandledRejection);
  void promise;
  throw reason;
}
