// Whether a run that failed is tried again, as far as its history and its code tell. What hangs on time and chance is drawn
// by whoever closes the run.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { RunStarted } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { nextRetry, type RetryPolicy, type RetryVerdict } from "../../sdk/protocol/retry-policy.ts";
import { policyOf } from "../../sdk/protocol/run-retry.ts";
import type { Outcome } from "./outcome.ts";

export interface FailedRun {
  readonly policy: RetryPolicy;
  /** The attempt that failed, from 1. */
  readonly attempt: number;
  readonly failure: Failure;
  /** What was thrown. */
  readonly error: unknown;
}

/**
 * How the run has failed, when its policy has nothing against another attempt, if there is time for it; else undefined. The
 * policy is the one that it was started with, or its workflow's.
 */
export function failedRun(
  { failure, error }: Outcome & { readonly type: "failed" },
  started: RunStarted | undefined,
  ofWorkflow: RetryPolicy | null,
): FailedRun | undefined {
  const policy = started?.retry === undefined ? ofWorkflow : policyOf(started.retry);
  if (policy === null) return undefined;
  const failed = { policy, attempt: started?.continues?.retry?.attempt ?? 1, failure, error };
  return "delayMs" in drawRetry(failed, { random: () => 0, leftMs: null }) ? failed : undefined;
}

/** `leftMs`: until the run's deadline; null when it has none. */
export function drawRetry(
  { policy, attempt, failure, error }: FailedRun,
  { random, leftMs }: { readonly random: () => number; readonly leftMs: number | null },
): RetryVerdict {
  if (isEverstepError(error) && !error.retryable) return { stop: "not retryable" };
  return nextRetry({
    policy,
    attempt,
    failure: judged(failure),
    error,
    random,
    elapsedMs: 0,
    totalTimeoutMs: leftMs,
  });
}

/**
 * What a step or a child failed of is judged as if the run's own code had thrown it. That they were canceled, ended, or out
 * of time says nothing against trying all of it again; only of the run itself a cancellation does.
 */
function judged(failure: Failure): Failure {
  let inner = failure;
  while ((inner.kind === "step" || inner.kind === "child") && inner.cause !== undefined) inner = inner.cause;
  const isOwn = inner.kind === "application" || (inner === failure && inner.kind === "canceled");
  return isOwn ? inner : { ...inner, kind: "application", retryable: true };
}
