// When a failed attempt is followed by another, and after how long. Pure: chance and the time spent come as arguments,
// and the delay that is drawn goes into the history.

import { type Duration, MAX_DURATION_MS, toMs } from "./duration.ts";
import { EverstepError } from "./errors.ts";
import type { Failure } from "./failure.ts";
import { fromFailure } from "./failures.ts";

/** The pause after failed attempt `attempt` (from 1), as it should be: neither capped nor jittered. */
export type BackoffFunction = (attempt: number, error: unknown) => Duration;

export type NonRetryable = string | ((error: unknown) => boolean);

/** How a step is tried again. Every field is optional; `{}` is the default policy. */
export interface RetryOptions {
  /** Attempts in all, the first included. Default Infinity. */
  readonly maxAttempts?: number;
  /** Pause after the first failed attempt. More than 0. Default 1 s. */
  readonly initialInterval?: Duration;
  /** Longest pause that `backoff` grows to. Default 100 × `initialInterval`. */
  readonly maxInterval?: Duration;
  /**
   * How the pause grows, before jitter: "exponential" `min(maxInterval, initialInterval × coefficient^(attempt−1))`,
   * which is Temporal's formula; "linear" `min(maxInterval, initialInterval × attempt)`; "fixed" `initialInterval`; or a
   * function of the attempt that failed and its error, taken as it answers. Default "exponential".
   */
  readonly backoff?: "exponential" | "linear" | "fixed" | BackoffFunction;
  /** Base of the exponential backoff, at least 1. Default 2. */
  readonly coefficient?: number;
  /**
   * Share of the pause left to chance, from 0 to 1: the pause is drawn evenly from `[(1 − jitter) × pause, pause]`, once
   * per retry. 1 is the "full jitter" of Marc Brooker, "Exponential Backoff And Jitter" (AWS, 2015). Default 0.2.
   */
  readonly jitter?: number;
  /** Names of errors, matched exactly, and predicates on them: such an error ends the step at once. Default none. */
  readonly nonRetryable?: readonly NonRetryable[];
}

/** `RetryOptions` with every default filled in and every duration in milliseconds. */
export interface RetryPolicy {
  readonly maxAttempts: number;
  readonly initialIntervalMs: number;
  readonly maxIntervalMs: number;
  readonly backoff: "exponential" | "linear" | "fixed" | BackoffFunction;
  readonly coefficient: number;
  readonly jitter: number;
  readonly nonRetryable: readonly NonRetryable[];
}

const BACKOFFS = ["exponential", "linear", "fixed"];
const OPTIONS: ReadonlySet<string> = new Set<keyof RetryOptions>([
  "maxAttempts",
  "initialInterval",
  "maxInterval",
  "backoff",
  "coefficient",
  "jitter",
  "nonRetryable",
]);

/**
 * The policy that options stand for. `where` names their place. One that `isStored` is data only. Throws ARGUMENT_INVALID
 * naming the field.
 */
export function normalizeRetry(options: RetryOptions, where: string, { isStored = false } = {}): RetryPolicy {
  const check = (holds: boolean, field: string, rule: string, value: unknown) => {
    if (holds) return;
    const message = `${where}: retry.${field} ${rule}; got ${String(value).slice(0, 100)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: `retry.${field}`, where } });
  };
  for (const key of Object.keys(options)) check(OPTIONS.has(key), key, "is not a retry option", "it");

  const { maxAttempts = Number.POSITIVE_INFINITY, backoff = "exponential", coefficient = 2, jitter = 0.2 } = options;
  const { initialInterval = 1_000, nonRetryable = [] } = options;
  const initialIntervalMs = toMs(initialInterval, `${where}: retry.initialInterval`);
  const maxIntervalMs =
    options.maxInterval === undefined
      ? Math.min(100 * initialIntervalMs, MAX_DURATION_MS)
      : toMs(options.maxInterval, `${where}: retry.maxInterval`);

  const isCount = maxAttempts === Number.POSITIVE_INFINITY || (Number.isSafeInteger(maxAttempts) && maxAttempts >= 1);
  check(isCount, "maxAttempts", "must be a whole number from 1 up, or Infinity", maxAttempts);
  check(initialIntervalMs > 0, "initialInterval", "must be longer than 0", initialInterval);
  check(
    maxIntervalMs >= initialIntervalMs,
    "maxInterval",
    "must not be shorter than initialInterval",
    options.maxInterval,
  );
  const isBackoff = typeof backoff === "function" || BACKOFFS.includes(backoff);
  check(isBackoff, "backoff", 'must be "exponential", "linear", "fixed" or a function', backoff);
  check(Number.isFinite(coefficient) && coefficient >= 1, "coefficient", "must be a number from 1 up", coefficient);
  check(typeof jitter === "number" && jitter >= 0 && jitter <= 1, "jitter", "must be a number from 0 to 1", jitter);
  const isList =
    Array.isArray(nonRetryable) && nonRetryable.every((one) => ["string", "function"].includes(typeof one));
  check(isList, "nonRetryable", "must be an array of error names and predicates", nonRetryable);
  if (isStored) {
    const rule = "is stored with the run, so it cannot be a function; give the workflow itself such a policy";
    check(typeof backoff !== "function", "backoff", rule, "one");
    check(!nonRetryable.some((one) => typeof one === "function"), "nonRetryable", rule, "one");
  }

  return {
    maxAttempts,
    initialIntervalMs,
    maxIntervalMs,
    backoff,
    coefficient,
    jitter,
    nonRetryable: [...nonRetryable],
  };
}

export interface FailedAttempt {
  readonly policy: RetryPolicy;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly failure: Failure;
  /** What was thrown, for predicates and backoff functions. Default: the error that `failure` stands for. */
  readonly error?: unknown;
  /** From 0 up to, never 1. Drawn from at most once. */
  readonly random: () => number;
  /** Since the first attempt began. */
  readonly elapsedMs: number;
  /** Limit over all attempts and the pauses between them; null for none. */
  readonly totalTimeoutMs: number | null;
}

export type RetryVerdict = { readonly delayMs: number } | { readonly stop: string };

/**
 * Whether another attempt follows, and after what pause; else why not, in words. A pause that would end past the total
 * limit stops at once: sleeping towards a certain end helps nobody. What the thrower asked for (`retryAfterMs`) stands
 * for the computed pause this one time. A predicate or backoff function that throws stops the step.
 */
export function nextRetry(failed: FailedAttempt): RetryVerdict {
  const { policy, attempt, failure, elapsedMs, totalTimeoutMs } = failed;
  if (failure.kind === "canceled" || failure.kind === "terminated") return { stop: `it was ${failure.kind}` };
  if (!failure.retryable) return { stop: "the failure is not retryable" };
  if (attempt >= policy.maxAttempts) return { stop: `all ${policy.maxAttempts} attempts are used up` };
  let delayMs: number;
  try {
    if (isNonRetryable(failed)) return { stop: `${failure.type} is listed as not retryable` };
    delayMs = failure.retryAfterMs ?? computeDelay(failed);
  } catch (error) {
    return { stop: `the retry policy itself threw ${error instanceof Error ? error.message : "something"}` };
  }
  if (totalTimeoutMs !== null && elapsedMs + delayMs > totalTimeoutMs) {
    return { stop: `a pause of ${delayMs} ms would pass the total limit of ${totalTimeoutMs} ms` };
  }
  return { delayMs };
}

function isNonRetryable(failed: FailedAttempt): boolean {
  const { policy, failure } = failed;
  return policy.nonRetryable.some((one) => (typeof one === "string" ? one === failure.type : one(errorOf(failed))));
}

function computeDelay(failed: FailedAttempt): number {
  const { policy, attempt, random } = failed;
  if (typeof policy.backoff === "function")
    return toMs(policy.backoff(attempt, errorOf(failed)), "the backoff function's answer");
  const growth = { exponential: policy.coefficient ** (attempt - 1), linear: attempt, fixed: 1 }[policy.backoff];
  const interval = Math.min(policy.maxIntervalMs, policy.initialIntervalMs * growth);
  return Math.round(policy.jitter === 0 ? interval : interval * (1 - policy.jitter * random()));
}

function errorOf(failed: FailedAttempt): unknown {
  return "error" in failed ? failed.error : fromFailure(failed.failure);
}
