// Waiting for time: a timer in the history, so that it survives every process.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { cutSummary } from "../protocol/notes.ts";
import { requireRun } from "./ambient.ts";
import type { Summarized } from "./run-context.ts";

// A timer of nothing is still a timer: code that sleeps in a loop gives way each time round.
export const SHORTEST_MS = 1;

export interface SleepOptions {
  /**
   * For people: what is waited for, such as "until the trial ends", shown by `describe` and in the history. Kept in clear, not
   * compared at replay, and cut at 400 bytes. An empty one is none. Default: none.
   */
  readonly summary?: string | undefined;
}

/**
 * Waits at least `duration` ("30s", "2 days", or ms), for months if need be: the run is parked meanwhile and costs no
 * memory. Counted by the database's clock from the commit of the timer's start; never fires early. Zero waits 1 ms.
 *
 * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export function sleep(duration: Duration, options?: SleepOptions): Promise<void> {
  const { run, scope } = requireRun("sleep()");
  const afterMs = Math.max(SHORTEST_MS, toMs(duration, "sleep(duration)"));
  return run.askTimer({ name: "sleep", due: { afterMs }, ...said(options, "sleep") }, scope).fired;
}

/**
 * Waits until a point in time (a `Date` or ms since the epoch), by the database's clock. A time in the past waits 1 ms.
 *
 * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export function sleepUntil(time: Date | number, options?: SleepOptions): Promise<void> {
  const { run, scope } = requireRun("sleepUntil()");
  const atMs = time instanceof Date ? time.getTime() : time;
  if (!Number.isFinite(atMs) || Math.abs(atMs) > MAX_TIME_MS) {
    const message = `sleepUntil() takes a valid Date or milliseconds since the epoch; got ${String(time)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "time" } });
  }
  return run.askTimer({ name: "sleep", due: { atMs: Math.ceil(atMs) }, ...said(options, "sleepUntil") }, scope).fired;
}

function said(options: SleepOptions | undefined, caller: string): Summarized {
  const summary = cutSummary(options?.summary, `${caller}({ summary })`);
  return summary === undefined ? {} : { summary };
}

// The range of Date, ECMA-262 section 21.4.1.1.
const MAX_TIME_MS = 8.64e15;
