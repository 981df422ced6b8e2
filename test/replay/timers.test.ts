// Timers as facts: started, fired, taken back.

import { expect, test } from "vitest";
import { condition, defineSignal, sleep, sleepUntil, step, workflow } from "../../sdk/index.ts";
import { requireRun } from "../../sdk/workflow/ambient.ts";
import { replay, runWorkflow, STARTED_AT } from "../support/replaying.ts";

const noop = () => {};

function dues(run: Awaited<ReturnType<typeof runWorkflow>>) {
  return [...run.engine.pendingCommands()].map((pending) => (pending.kind === "StartTimer" ? pending.due : null));
}

test("sleep is a timer of at least 1 ms, sleepUntil one with an absolute time", async () => {
  const main = workflow("main", async () => {
    await Promise.all([sleep("2 days"), sleep(0), sleep(1.5), sleepUntil(1_234.5), sleepUntil(new Date(99))]);
  });
  const run = await runWorkflow(main);
  expect(dues(run)).toEqual([{ afterMs: 172_800_000 }, { afterMs: 1 }, { afterMs: 2 }, { atMs: 1_235 }, { atMs: 99 }]);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, new Date(Number.NaN), 8.64e15 + 1, undefined, null, "2030-01-01"])(
  "sleepUntil(%s) is refused as an argument",
  async (time) => {
    const main = workflow("main", async () => sleepUntil(time as Date));
    expect((await runWorkflow(main)).failure).toMatch(/^failed: EverstepError: sleepUntil\(\) takes a valid Date/);
  },
);

test("a timer that lost its race and fires late changes nothing", async () => {
  const go = defineSignal("go");
  const main = workflow("main", async () => {
    const got = await go.receive({ timeout: "1m" });
    await step("after", noop);
    return got === undefined ? "nothing" : "signal";
  });
  const run = await runWorkflow(main);
  const late = run.fired("receive go");
  await run.tell(run.signalEvent("go", 1), late);
  expect(run.changes()).toEqual(["asked 1 timer receive go", "withdrawn 1 timer receive go", "asked 2 step after"]);
  expect(run.engine.broken).toBeUndefined();
  await run.completes("after");
  expect((await replay(main, run.history)).result).toBe("signal");
});

test("a late TimerFired is still compared with what was asked for", async () => {
  const main = workflow("main", async () => {
    await condition(() => true, { timeout: "1m" });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.tell({ type: "TimerFired", command: 1, name: "sleep" });
  expect(run.engine.broken).toMatchObject({ code: "DIVERGENCE" });
});

test("time moves with the events that the code sees, and never back", async () => {
  const times: number[] = [];
  const main = workflow("main", async () => {
    const { run } = requireRun("test");
    times.push(run.now() - STARTED_AT);
    await sleep("1h");
    times.push(run.now() - STARTED_AT);
    await step("a", noop);
    times.push(run.now() - STARTED_AT);
  });
  const run = await runWorkflow(main);
  await run.redeliver([{ seq: 3, at: STARTED_AT + 3_600_000, type: "TimerFired", command: 1, name: "sleep" }]);
  // The database's clock was set back between the two.
  await run.redeliver([
    {
      seq: 4,
      at: STARTED_AT + 5,
      type: "StepCompleted",
      command: 2,
      name: "a",
      result: null,
      attempt: 1,
      inputHash: null,
    },
  ]);
  expect(times).toEqual([0, 3_600_000, 3_600_000]);
  expect(run.outcome?.type).toBe("completed");
});

test("a timer that is asked for and taken back in one turn was never there", async () => {
  const main = workflow("main", async () => {
    let isReady = false;
    const waiting = condition(() => isReady, { timeout: "1m" });
    isReady = true;
    return waiting;
  });
  const run = await runWorkflow(main);
  expect(run.result).toBe(true);
  expect(run.changes()).toEqual(["asked 1 timer condition", "withdrawn 1 timer condition"]);
});
