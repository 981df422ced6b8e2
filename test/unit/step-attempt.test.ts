import { expect, test } from "vitest";
import { PendingStep } from "../../runtime/replay/pending.ts";
import { type AttemptEnd, StepAttempt } from "../../runtime/worker/step-attempt.ts";
import { normalizeRetry } from "../../sdk/protocol/retry-policy.ts";
import { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { StepContext } from "../../sdk/workflow/step.ts";
import { ManualClock } from "../support/manual-clock.ts";

const noop = () => {};
const log = { debug: noop, info: noop, warn: noop, error: noop };

interface Limits {
  readonly timeoutMs?: number;
  readonly heartbeatTimeoutMs?: number;
  readonly totalLeftMs?: number;
}

function startAttempt(run: (context: StepContext) => unknown, limits: Limits = {}) {
  const clock = new ManualClock();
  const beats: unknown[] = [];
  const { timeoutMs = null, heartbeatTimeoutMs = null, totalLeftMs = null } = limits;
  const ask = {
    name: "work",
    body: { kind: "step", run },
    inputHash: null,
    retry: normalizeRetry({}, "test"),
    timeoutMs,
    totalTimeoutMs: totalLeftMs,
    heartbeatTimeoutMs,
    onCancel: "wait",
  } as const;
  const pending = new PendingStep(3, ask, new CancelScope(null), noop);
  const attempt = new StepAttempt({
    pending,
    body: ask.body,
    run: { runId: "run-1", workflowId: "order-42" },
    headers: {},
    clock,
    log,
    totalLeftMs,
    newSecret: () => "secret",
    onHeartbeat: (details) => beats.push(details),
  });
  const ended: { end?: AttemptEnd } = {};
  const done = attempt.run().then((end) => {
    ended.end = end;
    return end;
  });
  return { attempt, clock, beats, ended, done };
}

test("heartbeats keep an attempt alive, each for the whole timeout; silence ends it", async () => {
  let beat = noop;
  const { clock, ended } = startAttempt(
    ({ heartbeat }) => {
      beat = heartbeat;
      return new Promise(noop);
    },
    { heartbeatTimeoutMs: 100 },
  );
  for (let round = 0; round < 10; round++) {
    await clock.advance(99);
    beat();
  }
  await clock.advance(99);
  expect(ended.end).toBeUndefined();
  await clock.advance(1);
  await clock.advance(0);
  expect(ended.end).toMatchObject({ ok: false, error: { kind: "timeout", timeout: "heartbeat" } });
});

test("the first heartbeat is awaited from the start", async () => {
  const { clock, ended } = startAttempt(() => new Promise(noop), { heartbeatTimeoutMs: 100 });
  await clock.advance(100);
  await clock.advance(0);
  expect(ended.end).toMatchObject({ ok: false, error: { timeout: "heartbeat" } });
});

test("whichever limit comes first ends the attempt, once", async () => {
  const { clock, done } = startAttempt(() => new Promise(noop), {
    timeoutMs: 50,
    totalLeftMs: 40,
    heartbeatTimeoutMs: 60,
  });
  await clock.advance(1_000);
  expect(await done).toMatchObject({ ok: false, error: { timeout: "total" } });
});

test("an attempt that ended in time is left alone by its limits", async () => {
  let signal: AbortSignal | undefined;
  const { clock, done } = startAttempt(
    (context) => {
      signal = context.signal;
      return "done";
    },
    { timeoutMs: 50, totalLeftMs: 50, heartbeatTimeoutMs: 50 },
  );
  expect(await done).toEqual({ ok: true, value: "done" });
  await clock.advance(1_000);
  expect(signal?.aborted).toBe(false);
});

test("an abort is told to the function and waited for; giving up is not", async () => {
  const reason = new Error("canceled");
  const waited = startAttempt(
    ({ signal }) => new Promise((resolve) => signal.addEventListener("abort", () => resolve(signal.reason))),
  );
  waited.attempt.abort(reason);
  expect(await waited.done).toEqual({ ok: true, value: reason });
  const deaf = startAttempt(() => new Promise(noop));
  deaf.attempt.abort(reason);
  await deaf.clock.advance(0);
  expect(deaf.ended.end).toBeUndefined();
  deaf.attempt.giveUp(reason);
  expect(await deaf.done).toMatchObject({ ok: false, error: reason });
});

test("a signal that is first looked at after the abort is aborted already", async () => {
  let look = (): AbortSignal | undefined => undefined;
  const { attempt } = startAttempt((context) => {
    look = () => context.signal;
    return new Promise(noop);
  });
  attempt.abort(new Error("canceled"));
  expect(look()).toMatchObject({ aborted: true, reason: { message: "canceled" } });
});

test("what a function throws at once is a failed attempt like any other", async () => {
  const { done } = startAttempt(() => {
    throw new RangeError("no");
  });
  expect(await done).toMatchObject({ ok: false, error: new RangeError("no"), wasAborted: false });
});

test("a heartbeat after the end is not heard", async () => {
  let beat: StepContext["heartbeat"] = noop;
  const { done, beats, attempt } = startAttempt(({ heartbeat }) => {
    beat = heartbeat;
    heartbeat({ page: 1 });
  });
  await done;
  beat({ page: 2 });
  expect(beats).toEqual(['{"page":1}']);
  expect(attempt.heartbeat).toBe('{"page":1}');
});

test("any thenable is waited for", async () => {
  // biome-ignore lint/suspicious/noThenProperty: query builders and ORMs return such
  const { done } = startAttempt(() => ({ then: (resolve: (value: unknown) => void) => resolve("late") }));
  expect(await done).toEqual({ ok: true, value: "late" });
});
