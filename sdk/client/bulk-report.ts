// What a bulk came to: each run's outcome, the counts, and what was not done.

import { type ErrorCode, isEverstepError } from "../protocol/errors.ts";
import type { RunSummary } from "../protocol/run.ts";

/**
 * `matched`: found by a dry run, with nothing in the way. `skipped`: there was nothing to do any more, as for a run that has
 * closed since it was found, or has no step that waits. `failed`: the call threw. In a dry run the last two tell what would
 * be.
 */
export type BulkOutcome = "matched" | "done" | "skipped" | "failed";

export interface BulkResult {
  /** As it was when it was found. */
  readonly run: RunSummary;
  readonly outcome: BulkOutcome;
  /** Why it was skipped or failed: the error's code; null where it is none of ours, and otherwise. */
  readonly code: ErrorCode | null;
  /** The error's message; null for "matched" and "done". */
  readonly message: string | null;
}

export interface BulkCounts {
  /** Runs that were found, whatever became of them. */
  readonly matched: number;
  readonly done: number;
  readonly skipped: number;
  readonly failed: number;
}

export interface BulkReport extends BulkCounts {
  /** Repeating the bulk with this id changes nothing a second time. */
  readonly bulkId: string;
  readonly isDryRun: boolean;
  /** The signal was aborted before all runs were gone through. */
  readonly isAborted: boolean;
  /** The first 100 that were skipped or failed. `onRun` is told of all. */
  readonly notDone: readonly BulkResult[];
}

const MOST_NOT_DONE = 100;
const NOTHING_TO_DO: readonly ErrorCode[] = ["RUN_CLOSED", "RUN_NOT_FOUND", "STEP_NOT_WAITING", "TIMER_NOT_WAITING"];

export class BulkTally {
  readonly notDone: BulkResult[] = [];
  readonly #counts = { matched: 0, done: 0, skipped: 0, failed: 0 };

  get counts(): BulkCounts {
    return { ...this.#counts };
  }

  add(result: BulkResult): void {
    const { outcome } = result;
    this.#counts.matched++;
    if (outcome !== "matched") this.#counts[outcome]++;
    const isDone = outcome === "matched" || outcome === "done";
    if (!isDone && this.notDone.length < MOST_NOT_DONE) this.notDone.push(result);
  }
}

/** What the error of one run's call says of it. */
export function notDone(run: RunSummary, error: unknown): BulkResult {
  const code = isEverstepError(error) ? error.code : null;
  const outcome = code !== null && NOTHING_TO_DO.includes(code) ? "skipped" : "failed";
  return { run, outcome, code, message: error instanceof Error ? error.message : String(error) };
}
