// What history says of an attempt that failed: that another follows, and when; or that the step did.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StepAttemptFailed, StepFailed } from "../../sdk/protocol/event.ts";
import { toFailure } from "../../sdk/protocol/failures.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { nextRetry } from "../../sdk/protocol/retry-policy.ts";
import { summaryOf } from "../../sdk/workflow/run-context.ts";
import type { PendingStep } from "../replay/pending.ts";
import type { Chance } from "../world/world.ts";

export interface AttemptFailure {
  readonly pending: PendingStep;
  readonly attempt: number;
  readonly error: unknown;
  /** No other attempt follows, whatever the policy says. */
  readonly isFinal: boolean;
  /** By the store's clock, like when attempt 1 began. */
  readonly now: number;
  readonly firstAttemptAt: number;
  readonly heartbeat: Payload;
  readonly chance: Chance;
}

export function attemptFailed(failed: AttemptFailure): StepFailed | StepAttemptFailed {
  const { pending, attempt, error, isFinal, now, firstAttemptAt, heartbeat, chance } = failed;
  const { command, ask } = pending;
  const failure = toFailure(error);
  const base = { command, name: ask.name, failure, attempt, ...summaryOf(ask) };
  const verdict =
    isFinal || (isEverstepError(error) && !error.retryable)
      ? { stop: "not retryable" }
      : nextRetry({
          policy: ask.retry,
          attempt,
          failure,
          error,
          random: () => chance.float(),
          elapsedMs: now - firstAttemptAt,
          totalTimeoutMs: ask.totalTimeoutMs,
        });
  if ("stop" in verdict) return { type: "StepFailed", ...base, inputHash: ask.inputHash };
  const { delayMs } = verdict;
  return { type: "StepAttemptFailed", ...base, delayMs, firstAttemptAt: Math.round(firstAttemptAt), heartbeat };
}
