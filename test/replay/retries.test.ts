// How a step is tried again: every failed attempt is a fact with its error, and the pauses are what the policy says.

import { expect, test } from "vitest";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  PermanentError,
  RetryableError,
  type RetryOptions,
  StepFailure,
  type StepOptions,
  step,
  TimeoutFailure,
  workflow,
} from "../../sdk/index.ts";
import type { HistoryEvent, StepAttemptFailed } from "../../sdk/protocol/event.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse } from "../support/local-worker.ts";

const QUICK: RetryOptions = { initialInterval: 1, maxInterval: 2 };

/** A run of one step, to its end. */
async function runStep<T>(body: Parameters<typeof step<T>>[1], options: StepOptions = {}) {
  const one = workflow("one", async () => {
    try {
      return { value: await step("work", body, options) };
    } catch (error) {
      const { message, cause } = error as StepFailure;
      const attempts = error instanceof StepFailure ? error.attempts : undefined;
      return { failed: message, attempts, cause: cause instanceof Error ? cause.name : undefined };
    }
  });
  const house = openHouse();
  await house.startWorker([one]);
  const run = await house.client.start(one);
  const result = await run.result();
  return { result, run, house, attempts: await failedAttempts(run) };
}

async function failedAttempts(run: RunHandle): Promise<(StepAttemptFailed & HistoryEvent)[]> {
  return (await historyOf(run)).filter((event) => event.type === "StepAttemptFailed");
}

test("every failed attempt is in the history with its error, and the code sees only the end", async () => {
  const { result, run, attempts } = await runStep(
    ({ attempt }) => {
      if (attempt < 4) throw new RangeError(`no ${attempt}`);
      return attempt;
    },
    { retry: QUICK },
  );
  expect(result).toEqual({ value: 4 });
  expect(attempts.map(({ attempt, failure }) => `${attempt} ${failure.type}: ${failure.message}`)).toEqual([
    "1 RangeError: no 1",
    "2 RangeError: no 2",
    "3 RangeError: no 3",
  ]);
  expect(await historyOf(run)).toMatchObject({ 4: { type: "StepCompleted", attempt: 4 } });
  expect(new Set(attempts.map(({ firstAttemptAt }) => firstAttemptAt)).size).toBe(1);
});

test("a step that succeeds first time costs one event", async () => {
  const { run } = await runStep(() => 1);
  expect((await historyOf(run)).map(({ type }) => type)).toEqual(["RunStarted", "StepCompleted", "RunCompleted"]);
});

test("when attempts are used up, the last failure is the step's", async () => {
  const { result, attempts } = await runStep(({ attempt }) => Promise.reject(new TypeError(`no ${attempt}`)), {
    retry: { ...QUICK, maxAttempts: 3 },
  });
  expect(result).toEqual({
    failed: 'step "work" failed after 3 attempts: TypeError: no 3',
    attempts: 3,
    cause: "TypeError",
  });
  expect(attempts).toHaveLength(2);
});

const shapes: Record<string, { readonly retry: RetryOptions; readonly delays: readonly number[] }> = {
  exponential: { retry: { initialInterval: 2, jitter: 0 }, delays: [2, 4, 8, 16] },
  "exponential with another base": { retry: { initialInterval: 1, coefficient: 3, jitter: 0 }, delays: [1, 3, 9, 27] },
  "exponential up to its longest": { retry: { initialInterval: 2, maxInterval: 5, jitter: 0 }, delays: [2, 4, 5, 5] },
  linear: { retry: { backoff: "linear", initialInterval: 3, jitter: 0 }, delays: [3, 6, 9, 12] },
  fixed: { retry: { backoff: "fixed", initialInterval: 3, jitter: 0 }, delays: [3, 3, 3, 3] },
  "of the author's own": { retry: { backoff: (attempt) => attempt * attempt }, delays: [1, 4, 9, 16] },
};

test.each(Object.keys(shapes))("the pause is %s", async (name) => {
  const { retry, delays } = shapes[name] ?? { retry: {}, delays: [] };
  const { attempts } = await runStep(() => Promise.reject(new Error("no")), { retry: { ...retry, maxAttempts: 5 } });
  expect(attempts.map(({ delayMs }) => delayMs)).toEqual(delays);
});

test("no attempt begins before its pause is over, by the store's clock", async () => {
  const { run, attempts } = await runStep(() => Promise.reject(new Error("no")), {
    retry: { backoff: "fixed", initialInterval: 20, jitter: 0, maxAttempts: 3 },
  });
  const history = await historyOf(run);
  for (const { seq, at, delayMs } of attempts) {
    const next = history[seq] as HistoryEvent;
    expect(next.at - at).toBeGreaterThanOrEqual(delayMs);
  }
});

test("jitter shortens the pause by at most its share, and is recorded as it was drawn", async () => {
  const { attempts } = await runStep(() => Promise.reject(new Error("no")), {
    retry: { backoff: "fixed", initialInterval: 10, jitter: 0.5, maxAttempts: 9 },
  });
  for (const { delayMs } of attempts) {
    expect(delayMs).toBeGreaterThanOrEqual(5);
    expect(delayMs).toBeLessThanOrEqual(10);
  }
});

test("RetryableError says when, this once", async () => {
  const { attempts } = await runStep(
    ({ attempt }) => {
      throw attempt === 2 ? new RetryableError("busy", { retryAfter: 7 }) : new Error("no");
    },
    { retry: { initialInterval: 1, jitter: 0, maxAttempts: 4 } },
  );
  expect(attempts.map(({ delayMs }) => delayMs)).toEqual([1, 7, 4]);
});

const final: Record<string, { readonly error: () => unknown; readonly retry?: RetryOptions }> = {
  PermanentError: { error: () => new PermanentError("never") },
  "an error of a listed name": {
    error: () => Object.assign(new Error("never"), { name: "CardDeclined" }),
    retry: { nonRetryable: ["CardDeclined"] },
  },
  "an error that a predicate matches": {
    error: () => Object.assign(new Error("never"), { code: "E_CARD" }),
    retry: { nonRetryable: [(error) => (error as { code?: string }).code === "E_CARD"] },
  },
  "an error for which a predicate throws": {
    error: () => new Error("never"),
    retry: {
      nonRetryable: [
        () => {
          throw new Error("bad predicate");
        },
      ],
    },
  },
};

test.each(Object.keys(final))("%s ends the step at once", async (name) => {
  const { error, retry = {} } = final[name] ?? { error: () => undefined };
  const { result, attempts } = await runStep(() => Promise.reject(error()), { retry: { ...QUICK, ...retry } });
  expect(result).toMatchObject({ attempts: 1, failed: expect.stringContaining("never") });
  expect(attempts).toEqual([]);
});

test("names are matched exactly", async () => {
  const { attempts } = await runStep(() => Promise.reject(new RangeError("x")), {
    retry: { ...QUICK, maxAttempts: 2, nonRetryable: ["rangeerror", "Range", "Error"] },
  });
  expect(attempts).toHaveLength(1);
});

test("an attempt that runs longer than its timeout is aborted and tried again", async () => {
  const reasons: unknown[] = [];
  const { result, attempts } = await runStep(
    ({ attempt, signal }) =>
      attempt === 1
        ? new Promise<string>((_, reject) => {
            signal.addEventListener("abort", () => {
              reasons.push(signal.reason);
              reject(signal.reason);
            });
          })
        : "second time",
    { timeout: 20, retry: QUICK },
  );
  expect(result).toEqual({ value: "second time" });
  expect(attempts).toMatchObject([{ failure: { kind: "timeout", timeout: "attempt" } }]);
  expect(reasons).toMatchObject([new TimeoutFailure("attempt", 'step "work" ran longer than its timeout of 20 ms')]);
});

test("an attempt that ignores its timeout is given up all the same, and what it returns later is not heard", async () => {
  let late: (value: string) => void = () => {};
  const { result, run } = await runStep(
    ({ attempt }) => (attempt === 1 ? new Promise<string>((resolve) => (late = resolve)) : "second time"),
    { timeout: 20, retry: QUICK },
  );
  const before = await historyOf(run);
  late("late");
  await new Promise((resolve) => setImmediate(resolve));
  expect(result).toEqual({ value: "second time" });
  expect(await historyOf(run)).toEqual(before);
});

test("the limit over all attempts ends the step without another attempt", async () => {
  const { result } = await runStep(() => new Promise(() => {}), { totalTimeout: 30, retry: QUICK });
  expect(result).toMatchObject({ attempts: 1, cause: "TimeoutFailure" });
});

test("a pause that would pass the limit over all attempts is not made", async () => {
  const { result, attempts } = await runStep(() => Promise.reject(new RangeError("the last one")), {
    totalTimeout: "1m",
    retry: { initialInterval: "2m" },
  });
  expect(result).toMatchObject({ attempts: 1, failed: expect.stringContaining("the last one") });
  expect(attempts).toEqual([]);
});

test("time that ran out over all attempts names what the attempt before it died of", async () => {
  const one = workflow("one", async () => {
    const failed: unknown = await step(
      "work",
      ({ attempt }) => (attempt === 1 ? Promise.reject(new RangeError("the real reason")) : new Promise(() => {})),
      { totalTimeout: 400, retry: QUICK },
    ).catch((error) => error);
    const { cause } = failed as StepFailure;
    return [(cause as Error).name, String((cause as Error).cause)];
  });
  const house = openHouse();
  await house.startWorker([one]);
  const run = await house.client.start(one);
  expect(await run.result()).toEqual(["TimeoutFailure", "RangeError: the real reason"]);
});

test("silence longer than the heartbeat timeout ends an attempt", async () => {
  const { result, attempts } = await runStep(
    ({ attempt }) => (attempt === 1 ? new Promise<string>(() => {}) : "second time"),
    { heartbeatTimeout: 50, retry: QUICK },
  );
  expect(result).toEqual({ value: "second time" });
  expect(attempts).toMatchObject([{ failure: { kind: "timeout", timeout: "heartbeat" } }]);
});

test("the last heartbeat's details reach the next attempt", async () => {
  const { result } = await runStep(
    ({ attempt, heartbeat, lastHeartbeat }) => {
      if (attempt === 3) return lastHeartbeat;
      heartbeat({ page: attempt * 10, before: lastHeartbeat });
      heartbeat({ page: attempt * 10 + 1, before: lastHeartbeat });
      throw new Error("no");
    },
    { retry: QUICK },
  );
  expect(result).toEqual({ value: { page: 21, before: { page: 11, before: undefined } } });
});

test("details that cannot be stored fail the attempt, naming the path", async () => {
  const { result } = await runStep(({ heartbeat }) => heartbeat({ page: () => 1 }));
  expect(result).toMatchObject({ failed: expect.stringContaining('heartbeat of step "work".page') });
});

test("the idempotency key is the same on every attempt, and differs between steps and runs", async () => {
  const keys: string[] = [];
  const two = workflow("two", async () => {
    const body = ({ idempotencyKey, attempt }: { idempotencyKey: string; attempt: number }) => {
      keys.push(idempotencyKey);
      if (attempt < 3) throw new Error("no");
    };
    await step("same", body, { retry: QUICK });
    await step("same", body, { retry: QUICK });
  });
  const house = openHouse();
  await house.startWorker([two]);
  for (const run of [await house.client.start(two), await house.client.start(two)]) await run.result();
  expect(keys).toHaveLength(12);
  expect(new Set(keys).size).toBe(4);
});

test("while a step waits for its next attempt, the run says so", async () => {
  const one = workflow("one", async () =>
    step("work", () => Promise.reject(new Error("no luck")), { retry: { initialInterval: "1h" } }),
  );
  const house = openHouse();
  await house.startWorker([one]);
  const run = await house.client.start(one);
  const { pending } = await eventually("the retry is pending", async () => {
    const described = await run.describe();
    return described.pending?.steps[0]?.attempt === 2 ? described : Promise.reject(new Error("not yet"));
  });
  expect(pending?.steps).toMatchObject([{ name: "work", attempt: 2, lastError: "no luck", isCancelRequested: false }]);
});

test("a retry that is due far away lets the run be parked, and wakes it", async () => {
  const one = workflow("one", async () =>
    step("work", ({ attempt }) => (attempt === 1 ? Promise.reject(new Error("no")) : attempt), {
      retry: { initialInterval: 300, jitter: 0 },
    }),
  );
  const house = openHouse();
  const worker = await house.startWorker([one], { lingerMs: 1, keepIfDueWithinMs: 10 });
  const run = await house.client.start(one);
  await eventually("the run is parked", () => worker.stats.parked === 1);
  expect(await run.result()).toBe(2);
});
