// How a whole run is tried again. What a workflow is defined with is code, as the policy of a step is. What one run is
// started with is kept in its history, so it is data only.

import { normalizeRetry, type RetryOptions, type RetryPolicy } from "./retry-policy.ts";

type NamedBackoff = Exclude<RetryPolicy["backoff"], (...given: never[]) => unknown>;

/** `RetryOptions` that can be stored: without functions. `{}` is the default policy; `{ maxAttempts: 1 }` tries nothing again. */
export interface RunRetryOptions extends Omit<RetryOptions, "backoff" | "nonRetryable"> {
  /** How the pause grows, before jitter: see `RetryOptions`. Default "exponential". */
  readonly backoff?: NamedBackoff;
  /** Names of errors, matched exactly: a run that fails with one is not tried again. Default none. */
  readonly nonRetryable?: readonly string[];
}

/** A policy as a history keeps it, with the defaults of the day it was given. */
export interface StoredRetry extends Omit<RetryPolicy, "maxAttempts" | "backoff" | "nonRetryable"> {
  /** Absent: as many as it takes. */
  readonly maxAttempts?: number;
  readonly backoff: NamedBackoff;
  readonly nonRetryable: readonly string[];
}

/** Throws ARGUMENT_INVALID naming the field, also for a function: `where` names the place. */
export function storedRetry(options: RunRetryOptions, where: string): StoredRetry {
  const { maxAttempts, backoff, nonRetryable, ...policy } = normalizeRetry(options, where, { isStored: true });
  return {
    ...(maxAttempts === Number.POSITIVE_INFINITY ? {} : { maxAttempts }),
    ...policy,
    backoff: backoff as NamedBackoff,
    nonRetryable: nonRetryable as readonly string[],
  };
}

export function policyOf({ maxAttempts = Number.POSITIVE_INFINITY, ...policy }: StoredRetry): RetryPolicy {
  return { maxAttempts, ...policy };
}
