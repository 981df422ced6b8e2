// Where a worker can die: right after each commit of an event, before it hears of it, and after each step body, before
// what it came to is committed.

import type { ShownEvent } from "../../sdk/client/front-door.ts";
import type { BodyCall, Conditions } from "./laboratory.ts";
import { wordsOf } from "./run-shape.ts";

export type CrashPoint =
  | { readonly after: "event"; readonly seq: number; readonly words: string }
  | { readonly after: "body"; readonly command: number; readonly attempt: number; readonly words: string };

/** Written from outside: no worker commits them, so none can die of it. */
const FROM_OUTSIDE = new Set<string>(["RunTerminated", "RunTimedOut"]);

export function crashPointsOf(events: readonly ShownEvent[], bodies: readonly BodyCall[]): CrashPoint[] {
  const afterEvents = events
    .filter(({ type }) => !FROM_OUTSIDE.has(type))
    .map((event): CrashPoint => {
      const { type, name } = event as { type: string; name?: string };
      return { after: "event", seq: event.seq, words: `event ${event.seq}, ${wordsOf({ type, name })}` };
    });
  const afterBodies = bodies.map(({ command, attempt, name }): CrashPoint => {
    const words = `the body of step "${name}", command ${command}, attempt ${attempt}, before its commit`;
    return { after: "body", command, attempt, words };
  });
  return [...afterEvents, ...afterBodies];
}

/** Notes which bodies of the run are executed to their end. */
export function notingBodies(bodies: BodyCall[]): Conditions {
  return {
    aroundBody: async (_laboratory, call, execute) => {
      try {
        return await execute();
      } finally {
        bodies.push(call);
      }
    },
  };
}

/** Kills the first worker that gets there, once. */
export function crashingAt(point: CrashPoint, runId: string, onCrash: () => void): Conditions {
  let isDone = false;
  const crash = (kill: () => void) => {
    if (isDone) return;
    isDone = true;
    onCrash();
    kill();
  };
  if (point.after === "body") {
    return {
      aroundBody: async (_laboratory, call, execute) => {
        try {
          return await execute();
        } finally {
          if (call.runId === runId && call.command === point.command && call.attempt === point.attempt)
            crash(() => call.kill());
        }
      },
    };
  }
  return {
    traffic: ({ store }) => {
      return async (call, execute) => {
        const answer = await execute();
        if (isDone || !WRITING.has(call.name)) return answer;
        const run = await store.findRun({ runId });
        if (run !== null && run.events >= point.seq) crash(() => call.kill());
        return answer;
      };
    },
  };
}

/** Kills the worker after every commit of events. */
export function crashingAlways(onCrash: () => void): Conditions {
  return {
    traffic: () => async (call, execute) => {
      const answer = await execute();
      if (!COMMITTING.has(call.name)) return answer;
      onCrash();
      call.kill();
      return answer;
    },
  };
}

const COMMITTING = new Set<string>(["appendTurns", "appendWithEffects", "appendInTransaction"]);
/** A claim tells of what clients have written. */
const WRITING = new Set<string>([...COMMITTING, "claimRuns", "claimBlocked"]);
