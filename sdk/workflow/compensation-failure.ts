// Something could not be undone.

import { ApplicationFailure, lineOf } from "../protocol/failures.ts";

export interface FailedCompensation {
  readonly name: string;
  readonly error: unknown;
}

/**
 * Something could not be undone: somebody has to look. `failures` says what, in the order of failing, `skipped` what was
 * not tried because of it; `cause` is what made the undoing necessary. Uncaught, it fails the run under the name
 * "CompensationFailure".
 */
export class CompensationFailure extends ApplicationFailure {
  readonly failures: readonly FailedCompensation[];
  readonly skipped: readonly string[];

  constructor(failures: readonly FailedCompensation[], skipped: readonly string[], cause: unknown) {
    const failed = failures.map(({ name, error }) => ({ name, error: lineOf(error) }));
    const told = failed.map(({ name, error }) => `"${name}" (${error})`).join(", ");
    const left = skipped.length === 0 ? "" : `; not tried: ${skipped.map((name) => `"${name}"`).join(", ")}`;
    super(`compensation failed: ${told}${left}`, {
      type: "CompensationFailure",
      retryable: false,
      cause: cause ?? failures[0]?.error,
      details: { failed, skipped },
    });
    this.failures = failures;
    this.skipped = skipped;
  }
}
