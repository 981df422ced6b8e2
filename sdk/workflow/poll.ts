// Asking the world again and again, until it has an answer.

import { type Duration, MAX_DURATION_MS, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { TimeoutFailure } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { SHORTEST_MS } from "./sleep.ts";
import { type StepContext, type StepOptions, step } from "./step.ts";
import { withTimeout } from "./with-timeout.ts";

export interface PollOptions {
  /** The pause after the first check that had no answer. */
  readonly every: Duration;
  /** What each pause is multiplied by to give the next, at least 1. Default 1: always the same. */
  readonly backoff?: number;
  /** Longest pause that `backoff` grows to. Default 100 × `every`. */
  readonly maxInterval?: Duration;
  /** How long to go on at the most. Default for ever. */
  readonly timeout?: Duration;
  /** How many checks at the most. Default Infinity. */
  readonly maxAttempts?: number;
  /** Options of the step that checks: how its errors are tried again, its time limits. Default those of `step`. */
  readonly step?: StepOptions;
}

/** What a check answers when it has an answer: anything but `undefined`, `null` and `false`. */
export type Answer<Result> = Exclude<Result, undefined | null | false>;

/**
 * Runs `check` as a step called `name`, at once and then after each pause, until it answers something: `undefined`, `null`
 * and `false` mean not yet. A check that throws is tried again as any step, which is no new check. The pauses are timers:
 * the run is parked meanwhile. A check that had no answer costs three events, the last one.
 *
 * With a `timeout` or `maxAttempts`, resolves to undefined when there was no answer by then. When time runs out during a
 * check, the check is told to stop, and its answer counts if it gives one all the same.
 *
 * Rejects with `StepFailure` when a check fails for good, and with `CanceledFailure` when the run or its scope is canceled.
 * Throws ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export function poll<Result>(
  name: string,
  check: (context: StepContext) => Result | Promise<Result>,
  options: PollOptions & ({ readonly timeout: Duration } | { readonly maxAttempts: number }),
): Promise<Answer<Result> | undefined>;
export function poll<Result>(
  name: string,
  check: (context: StepContext) => Result | Promise<Result>,
  options: PollOptions,
): Promise<Answer<Result>>;
export async function poll(
  name: string,
  check: (context: StepContext) => unknown,
  options: PollOptions,
): Promise<unknown> {
  const place = `poll "${name}"`;
  requireRun(place);
  const { everyMs, backoff, maxMs, maxAttempts } = checked(options, place);

  const ask = async () => {
    let pauseMs = everyMs;
    for (let attempt = 1; ; attempt++) {
      const answer = await step(name, check, options.step);
      if (answer !== undefined && answer !== null && answer !== false) return answer;
      if (attempt >= maxAttempts) return undefined;
      const { run, scope } = requireRun(place);
      await run.askTimer({ name: `poll ${name}`, due: { afterMs: pauseMs } }, scope).fired;
      pauseMs = Math.min(maxMs, Math.ceil(pauseMs * backoff));
    }
  };
  if (options.timeout === undefined) return ask();
  try {
    return await withTimeout(options.timeout, ask);
  } catch (error) {
    // What a check throws arrives as a StepFailure: this one can only be our own limit.
    if (error instanceof TimeoutFailure) return undefined;
    throw error;
  }
}

function checked(options: PollOptions, place: string) {
  const { every, backoff = 1, maxInterval, maxAttempts = Number.POSITIVE_INFINITY } = options;
  const check = (holds: boolean, argument: string, rule: string, value: unknown) => {
    if (holds) return;
    const message = `${place}: ${argument} must be ${rule}; got ${String(value).slice(0, 100)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
  };
  const everyMs = Math.max(SHORTEST_MS, toMs(every, `${place}: every`));
  const longest = Math.min(MAX_DURATION_MS, 100 * everyMs);
  const maxMs = maxInterval === undefined ? longest : toMs(maxInterval, `${place}: maxInterval`);
  const isCount = maxAttempts === Number.POSITIVE_INFINITY || (Number.isSafeInteger(maxAttempts) && maxAttempts >= 1);
  check(Number.isFinite(backoff) && backoff >= 1, "backoff", "a number from 1 up", backoff);
  check(maxMs >= everyMs, "maxInterval", "no shorter than every", maxInterval);
  check(isCount, "maxAttempts", "a whole number from 1 up, or Infinity", maxAttempts);
  return { everyMs, backoff, maxMs, maxAttempts };
}
