// Too many items of a batch failed: one error that carries them all.

import { ApplicationFailure, lineOf } from "../protocol/failures.ts";

export interface FailedItem {
  /** The item's place, from 0. */
  readonly index: number;
  readonly error: unknown;
}

const MOST_LISTED = 20;

/**
 * What `map` and `parallel` reject with when more items failed than they bear. `failures` has each with its index, in the
 * order of failing; `cause` is the first. Uncaught, it fails the run under the name "BatchFailure", with the numbers and
 * the first 20 as `details`.
 */
export class BatchFailure extends ApplicationFailure {
  readonly failures: readonly FailedItem[];

  constructor(message: string, failures: readonly FailedItem[], count: number) {
    const first = failures.slice(0, MOST_LISTED).map(({ index, error }) => ({ index, error: lineOf(error) }));
    super(message, {
      type: "BatchFailure",
      retryable: false,
      cause: failures[0]?.error,
      details: { items: count, failed: failures.length, first },
    });
    this.failures = failures;
  }
}
