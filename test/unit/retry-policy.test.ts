import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Failure } from "../../sdk/protocol/failure.ts";
import {
  CanceledFailure,
  PermanentError,
  RetryableError,
  TimeoutFailure,
  toFailure,
} from "../../sdk/protocol/failures.ts";
import { type FailedAttempt, nextRetry, normalizeRetry, type RetryOptions } from "../../sdk/protocol/retry-policy.ts";

const policyOf = (options: RetryOptions) => normalizeRetry(options, 'step "charge"');

function verdictAfter(attempt: number, options: RetryOptions, more: Partial<FailedAttempt> = {}) {
  const failure = toFailure(new Error("boom"));
  const base = { policy: policyOf(options), attempt, failure, random: () => 0.5, elapsedMs: 0, totalTimeoutMs: null };
  return nextRetry({ ...base, ...more });
}

const delays = (count: number, options: RetryOptions) =>
  Array.from({ length: count }, (_, i) => {
    const verdict = verdictAfter(i + 1, options);
    return "delayMs" in verdict ? verdict.delayMs : verdict.stop;
  });

test("the default policy retries for ever: 1 s doubled up to 100 s, a fifth of it left to chance", () => {
  expect(policyOf({})).toEqual({
    maxAttempts: Number.POSITIVE_INFINITY,
    initialIntervalMs: 1_000,
    maxIntervalMs: 100_000,
    backoff: "exponential",
    coefficient: 2,
    jitter: 0.2,
    nonRetryable: [],
  });
  expect(delays(9, { jitter: 0 })).toEqual([1e3, 2e3, 4e3, 8e3, 16e3, 32e3, 64e3, 100e3, 100e3]);
  expect(verdictAfter(100_000, {}, { random: () => 0 })).toEqual({ delayMs: 100_000 });
});

test("backoff is exponential, linear, fixed or a function's answer", () => {
  expect(delays(4, { jitter: 0, initialInterval: 100, coefficient: 3 })).toEqual([100, 300, 900, 2_700]);
  expect(delays(4, { jitter: 0, initialInterval: 100, backoff: "linear", maxInterval: 250 })).toEqual([
    100, 200, 250, 250,
  ]);
  expect(delays(3, { jitter: 0, initialInterval: 100, backoff: "fixed" })).toEqual([100, 100, 100]);
  expect(delays(3, { backoff: (attempt) => `${attempt}m` })).toEqual([60_000, 120_000, 180_000]);
});

test("a backoff function sees the error: the thrown one, or the one its failure stands for", () => {
  const seen: unknown[] = [];
  const backoff = (_: number, error: unknown) => {
    seen.push(error);
    return 5;
  };
  const error = new Error("the one");
  verdictAfter(1, { backoff }, { error });
  verdictAfter(1, { backoff });
  expect(seen[0]).toBe(error);
  expect(seen[1]).toMatchObject({ name: "Error", message: "boom" });
});

test("jitter draws once, from the pause downwards by its share", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
      (attempt, jitter, drawn) => {
        let draws = 0;
        const random = () => {
          draws++;
          return drawn;
        };
        const pause = Math.min(100_000, 1_000 * 2 ** (attempt - 1));
        const verdict = verdictAfter(attempt, { jitter }, { random });
        expect(draws).toBe(jitter === 0 ? 0 : 1);
        expect(verdict).toEqual({ delayMs: Math.round(pause * (1 - jitter * drawn)) });
      },
    ),
  );
});

describe("no further attempt follows", () => {
  test("when the attempts are used up", () => {
    expect(delays(4, { jitter: 0, maxAttempts: 3 })).toEqual([
      1_000,
      2_000,
      "all 3 attempts are used up",
      "all 3 attempts are used up",
    ]);
    expect(verdictAfter(1, { maxAttempts: 1 })).toEqual({ stop: "all 1 attempts are used up" });
  });

  test("when the thrower or the kind of failure says so", () => {
    expect(verdictAfter(1, {}, { failure: toFailure(new PermanentError("no")) })).toEqual({
      stop: "the failure is not retryable",
    });
    expect(verdictAfter(1, {}, { failure: toFailure(new CanceledFailure("no")) })).toEqual({ stop: "it was canceled" });
    expect(verdictAfter(1, {}, { failure: toFailure(new TimeoutFailure("total", "late")) })).toEqual({
      stop: "the failure is not retryable",
    });
    expect(verdictAfter(1, {}, { failure: toFailure(new TimeoutFailure("attempt", "late")) })).toHaveProperty(
      "delayMs",
    );
  });

  test("when the error is listed, by exact name or by a predicate", () => {
    const declined: Failure = { ...toFailure(new Error("no funds")), type: "CardDeclined" };
    const failure = declined;
    expect(verdictAfter(1, { nonRetryable: ["CardDeclined"] }, { failure })).toEqual({
      stop: "CardDeclined is listed as not retryable",
    });
    expect(verdictAfter(1, { nonRetryable: ["cardDeclined", "Card"] }, { failure })).toHaveProperty("delayMs");
    const isFunds = (error: unknown) => error instanceof Error && error.message.includes("funds");
    expect(verdictAfter(1, { nonRetryable: [isFunds] }, { failure })).toHaveProperty("stop");
    expect(verdictAfter(1, { nonRetryable: [isFunds] })).toHaveProperty("delayMs");
  });

  test("when the pause would pass the total limit", () => {
    const options = { jitter: 0 };
    expect(verdictAfter(1, options, { elapsedMs: 9_000, totalTimeoutMs: 10_000 })).toEqual({ delayMs: 1_000 });
    expect(verdictAfter(1, options, { elapsedMs: 9_001, totalTimeoutMs: 10_000 })).toEqual({
      stop: "a pause of 1000 ms would pass the total limit of 10000 ms",
    });
  });

  test("when the policy's own function throws or gives no duration", () => {
    const broken = () => {
      throw new Error("oops");
    };
    expect(verdictAfter(1, { nonRetryable: [broken] })).toEqual({ stop: "the retry policy itself threw oops" });
    expect(verdictAfter(1, { backoff: () => -5 })).toMatchObject({
      stop: expect.stringContaining("the backoff function's answer: -5"),
    });
  });
});

test("the thrower's retryAfter stands for the pause, past its cap, without jitter, within the total limit", () => {
  const failure = toFailure(new RetryableError("busy", { retryAfter: "10m" }));
  const random = () => {
    throw new Error("nothing is to be drawn");
  };
  expect(verdictAfter(1, {}, { failure, random })).toEqual({ delayMs: 600_000 });
  expect(verdictAfter(2, { maxAttempts: 2 }, { failure })).toEqual({ stop: "all 2 attempts are used up" });
  expect(verdictAfter(1, {}, { failure, totalTimeoutMs: 599_999 })).toHaveProperty("stop");
  expect(verdictAfter(1, {}, { failure: toFailure(new RetryableError("now", { retryAfter: 0 })) })).toEqual({
    delayMs: 0,
  });
});

describe("options that make no sense are refused by field", () => {
  test.each<[object, string]>([
    [{ maxAttempts: 0 }, "retry.maxAttempts must be a whole number from 1 up, or Infinity; got 0."],
    [{ maxAttempts: 1.5 }, "retry.maxAttempts must be"],
    [{ maxAttempts: "3" }, "retry.maxAttempts must be"],
    [{ initialInterval: 0 }, "retry.initialInterval must be longer than 0; got 0."],
    [{ initialInterval: "1 year" }, 'retry.initialInterval: "1 year" has the unknown unit'],
    [
      { initialInterval: "2s", maxInterval: "1s" },
      "retry.maxInterval must not be shorter than initialInterval; got 1s.",
    ],
    [{ backoff: "quadratic" }, "retry.backoff must be"],
    [{ coefficient: 0.5 }, "retry.coefficient must be a number from 1 up; got 0.5."],
    [{ coefficient: Number.NaN }, "retry.coefficient must be"],
    [{ jitter: 1.1 }, "retry.jitter must be a number from 0 to 1; got 1.1."],
    [{ nonRetryable: "CardDeclined" }, "retry.nonRetryable must be an array"],
    [{ nonRetryable: [/x/] }, "retry.nonRetryable must be an array"],
    [{ maxAttemps: 3 }, "retry.maxAttemps is not a retry option"],
  ])("%j", (options, message) => {
    expect(() => policyOf(options as RetryOptions)).toThrow(`step "charge": ${message}`);
  });
});
