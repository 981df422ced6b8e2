// What users can let go wrong: the run ends as if nothing had, the same seed does the same again, and each kind of fault
// does strike.

import { condition, defineSignal, sleep, step, transaction, workflow } from "everstep";
import { collectHistory, type Faults, testEnvironment, underFaults } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { shapeOf } from "../../runtime/testing/run-shape.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const go = defineSignal<number>("go");

const busy = workflow("busy", async () => {
  let sum = 0;
  let signals = 0;
  go.handle((by) => {
    signals += 1;
    sum += by;
  });
  const parts = await Promise.all([1, 2, 3].map((number) => step(`part ${number}`, () => number)));
  await sleep("1 day");
  const flaky = await step("flaky", ({ attempt }) => {
    if (attempt < 3) throw new Error("not yet");
    return attempt;
  });
  await condition(() => signals === 2, { timeout: "30 days" });
  return { parts, flaky, sum };
});

const script = async (run: { signal: (signal: typeof go, by: number) => Promise<void> }) => {
  await run.signal(go, 10);
  await run.signal(go, 20);
};

test("a run ends the same under faults of every kind", async () => {
  const { histories } = await underFaults(busy, { seeds: 40, script });
  expect(histories).toBeGreaterThan(1);
});

const NONE = { lostRequests: 0, lostReplies: 0, lostWakeups: 0, lostRuns: 0, crashes: 0 };

test.each<[keyof typeof NONE, number]>([
  ["lostRequests", 0.4],
  ["lostReplies", 0.4],
  ["lostWakeups", 1],
  ["lostRuns", 0.1],
  ["crashes", 0.1],
])("a run ends the same under %s alone", async (kind, rate) => {
  await underFaults(busy, {
    seeds: 15,
    faults: { ...NONE, [kind]: rate },
    script,
    check: ({ events }) => {
      const last = events.at(-1);
      expect(last).toMatchObject({ type: "RunCompleted", result: '{"parts":[1,2,3],"flaky":3,"sum":30}' });
    },
  });
});

test("a transaction commits once, whatever is lost", async () => {
  let committed = 0;
  const moving = workflow("moving", async () => {
    for (let move = 0; move < 5; move++) await transaction("move", async (tx) => (await tx.query("move")).rowCount);
  });
  await underFaults(moving, {
    seeds: 20,
    prepare: () => {
      committed = 0;
    },
    transaction: () => ({
      query: async () => ({ rows: [], rowCount: 1 }),
      commit: () => void committed++,
      rollback: () => {},
    }),
    check: () => expect(committed).toBe(5),
  });
});

test("faults strike: without them a body is executed once, with them some are executed again", async () => {
  const executionsUnder = async (faults: Faults | undefined) => {
    let executions = 0;
    const counting = workflow("counting", async () => {
      for (let index = 0; index < 20; index++) await step("count", () => void executions++);
    });
    const env = await testEnvironment({ workflows: [counting], ...(faults === undefined ? {} : { faults }) });
    onTestFinished(() => env.stop());
    await (await env.client.start(counting)).result();
    return executions;
  };
  expect(await executionsUnder(undefined)).toBe(20);
  expect(await executionsUnder({ seed: 1, ...NONE, crashes: 0.2 })).toBeGreaterThan(20);
  expect(await executionsUnder({ seed: 1, ...NONE, lostRuns: 0.3 })).toBeGreaterThan(20);
});

test("an environment under faults logs what its worker made of them", async () => {
  const log = new RecordedLog();
  const env = await testEnvironment({ workflows: [busy], log, faults: { ...NONE, seed: 3, lostRequests: 0.5 } });
  onTestFinished(() => env.stop());
  const run = await env.client.start(busy);
  await script(run);
  expect(await run.result()).toMatchObject({ sum: 30 });
  expect(JSON.stringify(log.lines)).toContain("A fault of the test environment");
});

test("the same seed brings about the same history", async () => {
  const historyUnder = async (seed: number) => {
    const shapes: unknown[] = [];
    await underFaults(busy, { seeds: [seed], script, check: ({ events }) => void shapes.push(...events.map(shapeOf)) });
    return shapes;
  };
  for (const seed of [3, 4, 5]) expect(await historyUnder(seed)).toEqual(await historyUnder(seed));
});

test("an environment under heavy faults stops with runs that are open, and kills nobody afterwards", async () => {
  const endless = workflow("endless", async (isBusy: boolean) => {
    if (isBusy) await step("hang", () => new Promise(() => {}));
    await condition(() => false);
  });
  for (let seed = 1; seed <= 20; seed++) {
    const faults = { seed, lostRequests: 0.3, lostReplies: 0.3, lostRuns: 0.2, crashes: 0.5 };
    const env = await testEnvironment({ workflows: [endless], faults });
    await env.client.startMany(endless, [{ input: true }, { input: false }]);
    await env.advance("10s", { pastSteps: true });
    await env.stop();
    await expect(env.killWorker()).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
});

test("a rate that is none is refused", async () => {
  const opening = testEnvironment({ workflows: [busy], faults: { seed: 1, crashes: 2 } });
  await expect(opening).rejects.toMatchObject({ code: "ARGUMENT_INVALID", details: { argument: "crashes" } });
});

test("a history of a run under faults is one like any other", async () => {
  const env = await testEnvironment({ workflows: [busy], faults: { seed: 8 } });
  onTestFinished(() => env.stop());
  const run = await env.client.start(busy);
  await script(run);
  await run.result();
  const { events } = await collectHistory(run);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
});
