// Continuing as new: the run that ends hands over to the next, and nothing that was sent gets lost between them.

import { expect, test } from "vitest";
import {
  CONTINUE_SUGGESTED_BYTES,
  CONTINUE_SUGGESTED_EVENTS,
  continueAsNew,
  defineQuery,
  defineSignal,
  nonCancellable,
  sleep,
  step,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const note = defineSignal<number>("note");
const go = defineSignal("go");

const countdown = workflow("countdown", async (left: number): Promise<string> => {
  const { firstRunId, continuedFromRunId, runId } = workflowInfo();
  await step("tick", () => left);
  if (left > 0) countdown.continueAsNew(left - 1);
  return [firstRunId === runId, continuedFromRunId !== undefined].join();
});

test("a result is that of the last run of the chain", async () => {
  const house = openHouse();
  await house.startWorker([countdown]);
  const run = await house.client.start(countdown, { input: 3, id: "countdown" });
  expect(await run.result()).toBe("false,true");
  expect(await house.client.get(countdown, "countdown").result()).toBe("false,true");
  const { runs } = await house.client.list({ workflowId: "countdown" });
  expect(runs.map(({ status }) => status)).toEqual(["completed", ...Array(3).fill("continuedAsNew")]);
  const first = house.client.get(countdown, "countdown", run.runId);
  expect(await typesOf(first)).toEqual(["RunStarted", "StepCompleted", "RunContinued"]);
  expect(await first.result()).toBe("false,true");
  await expect(first.result({ followRuns: false })).rejects.toMatchObject({ code: "RUN_CONTINUED" });
  expect((await first.describe()).summary).toContain("went on as a new run");
});

test("the next run may be of another workflow, in another queue, with a timeout of its own", async () => {
  const house = openHouse();
  const after = workflow("after", async (input: { word: string }) => {
    const { queue, deadlineAt, startedAt } = workflowInfo();
    return [input.word, queue, deadlineAt === undefined ? null : deadlineAt.getTime() - startedAt.getTime()];
  });
  const before = workflow("before", async () => continueAsNew(after, { word: "on" }, { queue: "side", timeout: "1h" }));
  await house.startWorker([before, after], { queues: ["default", "side"] });
  expect(await (await house.client.start(before)).result()).toEqual(["on", "side", 3_600_000]);
});

test("queue and timeout are carried over", async () => {
  const house = openHouse();
  const twice = workflow("twice", async (isSecond?: boolean) => {
    if (isSecond !== true) continueAsNew(true);
    const { queue, deadlineAt, startedAt } = workflowInfo();
    return [queue, (deadlineAt?.getTime() ?? 0) - startedAt.getTime()];
  });
  await house.startWorker([twice], { queues: ["side"] });
  const run = await house.client.start(twice, { queue: "side", timeout: "10m" });
  expect(await run.result()).toEqual(["side", 600_000]);
});

/** Takes one note per run, and counts what it got. */
const oneEach = workflow("oneEach", async (got: number[]): Promise<number[]> => {
  got.push(await note.receive());
  if (got.length < 50) oneEach.continueAsNew(got);
  return got;
});

test("signals that a run has not received are the next one's, in order, none twice", async () => {
  const house = openHouse();
  await house.startWorker([oneEach]);
  const run = await house.client.start(oneEach, { input: [] });
  const numbers = [...Array(50).keys()];
  for (const n of numbers) {
    const signalId = `note-${n}`;
    await run.signal(note, n, { signalId });
    // What a sender does whose answer was lost; the run that took it first may be long closed.
    await run.signal(note, n, { signalId });
  }
  expect(await run.result()).toEqual(numbers);
});

test("signals sent while runs hand over, from many sides, all arrive once", async () => {
  const house = openHouse();
  await house.startWorker([oneEach]);
  await house.startWorker([oneEach]);
  await house.client.start(oneEach, { input: [], id: "busy" });
  const numbers = [...Array(50).keys()];
  const run = house.client.get(oneEach, "busy");
  await Promise.all(numbers.map((n) => run.signal(note, n)));
  expect([...(await run.result())].sort((a, b) => a - b)).toEqual(numbers);
});

test("a handler may continue the run; what comes after it is for the next one", async () => {
  const house = openHouse();
  const handled = workflow("handled", async (got: number[]): Promise<number[]> => {
    note.handle((n) => {
      if (got.length < 10) handled.continueAsNew([...got, n]);
    });
    await go.receive();
    return got;
  });
  await house.startWorker([handled]);
  const run = await house.client.start(handled, { input: [] });
  const numbers = [...Array(10).keys()];
  for (const n of numbers) await run.signal(note, n);
  await run.signal(go);
  expect(await run.result()).toEqual(numbers);
});

test("a handle from a start acts on its chain and on no other start", async () => {
  const house = openHouse();
  const which = defineQuery<string>("which");
  const waits = workflow("waits", async (name: string): Promise<string> => {
    which.handle(() => name);
    await go.receive();
    return name.endsWith("!") ? name : waits.continueAsNew(`${name}!`);
  });
  await house.startWorker([waits]);
  const old = await house.client.start(waits, { input: "old", id: "one" });
  await old.signal(go);
  await eventually("the next run waits", async () => (await old.query(which)) === "old!");
  await old.signal(go);
  expect(await old.result()).toBe("old!");
  const young = await house.client.start(waits, { input: "young", id: "one" });
  await expect(old.signal(go)).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await expect(old.terminate()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  expect(await old.result()).toBe("old!");
  await young.terminate();
});

test("a cancel request reaches the run that is open when it comes", async () => {
  const house = openHouse();
  const stubborn = workflow("stubborn", async (round: number): Promise<never> => {
    try {
      await sleep("1h");
    } catch (error) {
      if (round > 0) throw error;
      await nonCancellable(() => step("tidy", () => {}));
    }
    return stubborn.continueAsNew(round + 1);
  });
  await house.startWorker([stubborn]);
  const run = await house.client.start(stubborn, { input: 0 });
  await run.cancel("first");
  await eventually("the second run sleeps", async () => {
    const { events, runId } = await run.describe();
    return runId !== run.runId && events === 2;
  });
  await run.cancel("second");
  await expect(run.result()).rejects.toMatchObject({ status: "canceled" });
});

test("every prefix of both histories leads to the same end", async () => {
  const house = openHouse();
  await house.startWorker([oneEach]);
  const run = await house.client.start(oneEach, { input: Array(48).fill(0), id: "prefixes" });
  for (const n of [1, 2]) await run.signal(note, n);
  await run.result();
  for (const { runId } of (await house.client.list({ workflowId: "prefixes" })).runs) {
    const events = await historyOf(house.client.get(oneEach, "prefixes", runId));
    for (let length = 1; length <= events.length; length++) {
      const again = await replay(oneEach, events.slice(0, length));
      await again.redeliver(events.slice(length));
      expect(again.engine.broken?.message).toBeUndefined();
    }
  }
});

test("code that continues otherwise than its history says does not fit it", async () => {
  const started = { type: "RunStarted", workflow: "w", input: null, seed: "s", seq: 1, at: 1 } as const;
  const ended = { type: "RunContinued", nextRunId: "r", workflow: "w", input: "1", seq: 2, at: 1 } as const;
  const ends = [
    [workflow("w", async () => continueAsNew(1)), undefined],
    [workflow("w", async () => continueAsNew(2)), "the code continued with another input"],
    [workflow("w", async () => continueAsNew(countdown, 1)), 'the code continued as workflow "countdown"'],
    [workflow("w", async () => 1), "the code ended as completed"],
  ] as const;
  for (const [code, reason] of ends) {
    const { engine } = await replay(code as never, [started, ended]);
    if (reason === undefined) expect(engine.broken).toBeUndefined();
    else expect(engine.broken?.message).toContain(reason);
  }
});

test("what is delivered after the decision is kept for the next run, whoever waits for it", async () => {
  const code = workflow("late", async () => {
    note.handle(() => {
      throw new Error("this run has handed over");
    });
    void go.receive();
    await step("decide", () => {});
    continueAsNew();
  });
  const run = await runWorkflow(code);
  await run.completes("decide");
  await run.signals("note", 1);
  await run.cancels();
  await run.signals("go");
  expect(run.outcome).toMatchObject({ type: "continued", next: { workflow: "late" } });
  expect(run.engine.mailToPassOn()).toEqual([1, 2, 3]);
});

test("a long history suggests to continue, by its events and by its bytes", async () => {
  const code = workflow("long", async () => {
    for (;;) await note.receive();
  });
  const run = await runWorkflow(code);
  const suggests = () => run.engine.info.continueAsNewSuggested;
  const signals = Array.from({ length: CONTINUE_SUGGESTED_EVENTS - 2 }, (_, n) => run.signalEvent("note", n));
  await run.tell(...signals);
  expect(suggests()).toBe(false);
  await run.signals("note", 1);
  expect(suggests()).toBe(true);

  const heavy = await runWorkflow(code);
  const quarter = "x".repeat(CONTINUE_SUGGESTED_BYTES / 4);
  for (let part = 0; part < 3; part++) await heavy.signals("note", quarter);
  expect(heavy.engine.info.continueAsNewSuggested).toBe(false);
  await heavy.signals("note", quarter);
  expect(heavy.engine.info.continueAsNewSuggested).toBe(true);
});

test("it is asked for inside a run, and an input that cannot be stored is refused there", async () => {
  expect(() => continueAsNew(1)).toThrowError(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
  const bad = await runWorkflow(workflow("bad", async () => continueAsNew(() => {})));
  expect(bad.failure).toContain("input of continueAsNew()");
});

test("all runs of a chain know when it began, and how much their own histories hold", async () => {
  const house = openHouse();
  const seen: { readonly began: number; readonly own: number; readonly bytes: readonly number[] }[] = [];
  const times = workflow("times", async (left: number): Promise<string> => {
    const before = workflowInfo().historyBytes;
    await step("say", () => "x".repeat(100));
    const { chainStartedAt, startedAt, historyBytes } = workflowInfo();
    const entry = { began: chainStartedAt.getTime(), own: startedAt.getTime(), bytes: [before, historyBytes] };
    await step("note", () => void seen.push(entry));
    return left === 0 ? "done" : continueAsNew(left - 1);
  });
  await house.startWorker([times]);
  await (await house.client.start(times, { input: 2 })).result();
  expect(seen.map(({ began }) => began)).toEqual(Array(3).fill(seen[0]?.own));
  expect(seen[2]?.own).toBeGreaterThanOrEqual(seen[1]?.own ?? 0);
  for (const { bytes } of seen) expect(bytes).toEqual([1, 103]);
});
