// One action on many runs, through a real client: each run once, whatever becomes of the others, and nothing twice when the
// bulk is repeated.

import { expect, test } from "vitest";
import { Bulk } from "../../sdk/client/bulk.ts";
import type { BulkResult } from "../../sdk/client/bulk-report.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineSignal, sleep, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { ManualClock } from "../support/manual-clock.ts";

const go = defineSignal<string>("go");
const waiting = workflow("waiting", () => go.receive());
const other = workflow("other", () => go.receive());

async function startMany(house: House, count: number): Promise<RunHandle<string>[]> {
  return house.client.startMany(
    waiting,
    Array.from({ length: count }, (_, index) => ({ id: `w${index}` })),
  );
}

const where = { workflow: waiting.name };
const statuses = async (house: House) => {
  const groups = await house.client.countBy("status", { where });
  return Object.fromEntries(groups.map(({ value, count }) => [value, count]));
};

test("all runs of a filter are dealt with, over many pages, and no others", async () => {
  const house = openHouse();
  await startMany(house, 250);
  const untouched = await house.client.start(other);
  const progress: number[] = [];
  const told: BulkResult[] = [];
  const bulk = house.client.bulk({
    where,
    onProgress: ({ matched }) => progress.push(matched),
    onRun: (result) => told.push(result),
  });
  const report = await bulk.pause("maintenance");
  expect(report).toEqual({
    bulkId: bulk.bulkId,
    isDryRun: false,
    isAborted: false,
    matched: 250,
    done: 250,
    skipped: 0,
    failed: 0,
    notDone: [],
  });
  expect(progress).toEqual([100, 200, 250]);
  expect(new Set(told.map(({ run }) => run.workflowId)).size).toBe(250);
  expect(await house.client.count({ where: { isPaused: true } })).toBe(250);
  expect((await untouched.describe()).paused).toBeNull();
  // What there is nothing to do for is not found: it is paused already.
  expect(await house.client.bulk({ where }).pause()).toMatchObject({ matched: 0 });
  expect(await house.client.bulk({ where }).resume()).toMatchObject({ matched: 250, done: 250 });
  expect(await house.client.bulk({ where }).resume()).toMatchObject({ matched: 0 });
});

test("a dry run finds them and does nothing", async () => {
  const house = openHouse();
  const runs = await startMany(house, 3);
  await runs[0]?.terminate();
  const told: BulkResult[] = [];
  const bulk = house.client.bulk({ where, isDryRun: true, onRun: (result) => told.push(result) });
  expect(await bulk.terminate()).toMatchObject({ isDryRun: true, matched: 2, done: 0, skipped: 0, failed: 0 });
  expect(told.map(({ outcome, run }) => [outcome, run.workflowId])).toEqual([
    ["matched", "w2"],
    ["matched", "w1"],
  ]);
  expect(await statuses(house)).toEqual({ running: 2, terminated: 1 });
});

test("what is started while the bulk goes on is not met", async () => {
  const house = openHouse();
  await startMany(house, 150);
  const starting: Promise<unknown>[] = [];
  const bulk = house.client.bulk({ where, onRun: () => starting.push(house.client.start(waiting)) });
  expect(await bulk.terminate()).toMatchObject({ matched: 150, done: 150 });
  await Promise.all(starting);
  expect(await statuses(house)).toEqual({ running: 150, terminated: 150 });
});

test("forks are made once: neither their sources nor they themselves are forked when the bulk is repeated", async () => {
  const house = openHouse();
  await startMany(house, 2);
  const filter = { where: { ...where, status: ["running", "terminated"] } } as const;
  const { bulkId } = await house.client.bulk(filter).reset({ at: 1 });
  expect(await statuses(house)).toEqual({ running: 2, terminated: 2 });
  expect(await house.client.bulk({ ...filter, bulkId }).reset({ at: 1 })).toMatchObject({ matched: 4, done: 4 });
  expect(await statuses(house)).toEqual({ running: 2, terminated: 2 });
  await house.client.bulk({ where: { ...where, status: "running" } }).reset({ at: 1 });
  expect(await statuses(house)).toEqual({ running: 2, terminated: 4 });
});

test("a repeated bulk begins where it did when it was first made", async () => {
  const clock = new ManualClock();
  const house = openHouse({ clock });
  await startMany(house, 3);
  const { bulkId } = await house.client.bulk({ where, isDryRun: true }).terminate();
  await clock.advance(2_000);
  await house.client.start(waiting, { id: "late" });
  expect(await house.client.bulk({ where, bulkId }).terminate()).toMatchObject({ bulkId, matched: 3, done: 3 });
  expect(await statuses(house)).toEqual({ running: 1, terminated: 3 });
});

test("an error of one run keeps none of the others back, and is told with its code", async () => {
  const house = openHouse();
  const runs = await startMany(house, 6);
  await runs[1]?.terminate();
  await runs[2]?.cancel();
  const told: BulkResult[] = [];
  const bulk = house.client.bulk({
    where: { ...where, status: ["running", "terminated"] },
    concurrency: 1,
    onRun: (result) => told.push(result),
  });
  const inTheWay = await house.client.start(other, { id: "w3-again" });
  const report = await bulk.fork(({ workflowId }) => {
    if (workflowId === "w2") throw new TypeError("no id for this one");
    return { id: workflowId === "w3" ? "w3-again" : `${workflowId}-again`, at: 1 };
  });
  expect(report).toMatchObject({ matched: 6, done: 4, skipped: 0, failed: 2 });
  expect(report.notDone.map(({ run, code, message }) => [run.workflowId, code, message])).toEqual([
    ["w3", "RUN_ALREADY_STARTED", expect.stringContaining(inTheWay.runId ?? "")],
    ["w2", null, "no id for this one"],
  ]);
  expect(told.map(({ outcome }) => outcome)).toEqual(["done", "done", "failed", "failed", "done", "done"]);
});

test("a run that has closed since it was found is skipped", async () => {
  const house = openHouse();
  const runs = await startMany(house, 3);
  let ending: Promise<void> | undefined;
  const bulk = house.client.bulk({
    where,
    concurrency: 1,
    onRun: () => {
      ending ??= runs[0]?.terminate();
    },
  });
  const { done, skipped, failed, notDone } = await bulk.cancel();
  await ending;
  expect({ total: done + skipped, failed }).toEqual({ total: 3, failed: 0 });
  for (const each of notDone) expect(each).toMatchObject({ outcome: "skipped", code: "RUN_CLOSED" });
  const closed = house.client.bulk({ where: { ...where, status: "terminated" } });
  expect(await closed.cancel()).toMatchObject({ matched: 1, skipped: 1, notDone: [{ code: "RUN_CLOSED" }] });
});

test("signals, cancels, completions and failures arrive once, however often the bulk is repeated", async () => {
  const house = openHouse();
  const counting = workflow("counting", async () => {
    const got: string[] = [];
    const signed = await step<string>("sign", ({ completeLater }) => completeLater());
    const refused = await step<string>("refuse", ({ completeLater }) => completeLater(), {
      retry: { maxAttempts: 1 },
    }).catch(() => "refused");
    while (!got.includes("last")) got.push(await go.receive());
    return [signed, refused, ...got];
  });
  await house.startWorker([counting]);
  const runs = await house.client.startMany(counting, [{}, {}, {}]);
  const reached = (type: string, times: number) =>
    eventually(`${times} ${type} in each`, async () => {
      const types = await Promise.all(runs.map(typesOf));
      return types.every((each) => each.filter((one) => one === type).length === times);
    });
  const filter = { where: { workflow: counting.name } };
  const twice = async (action: (bulk: ReturnType<House["client"]["bulk"]>) => Promise<unknown>) => {
    const bulk = house.client.bulk(filter);
    await action(bulk);
    await action(house.client.bulk({ ...filter, bulkId: bulk.bulkId }));
  };
  await reached("StepDeferred", 1);
  await twice((bulk) => bulk.completeStep("sign", "Ann"));
  await reached("StepDeferred", 2);
  await twice((bulk) => bulk.failStep("refuse", new Error("no")));
  await reached("StepFailed", 1);
  await twice((bulk) => bulk.signal(go, "first"));
  await twice((bulk) => bulk.signal(go, "last"));
  for (const run of runs) expect(await run.result()).toEqual(["Ann", "refused", "first", "last"]);
});

test("waits are cut short in all runs that have any, once per bulk", async () => {
  const house = openHouse();
  const state = { isUp: false, attempts: 0 };
  const flaky = workflow("flaky", async () => {
    await step(
      "charge",
      () => {
        state.attempts++;
        if (!state.isUp) throw new Error("down");
      },
      { retry: { initialInterval: "1h", jitter: 0 } },
    );
    await sleep("1 day");
    return "done";
  });
  await house.startWorker([flaky]);
  const runs = await house.client.startMany(flaky, [{}, {}]);
  const filter = { where: { workflow: flaky.name } };
  await eventually("both wait", async () =>
    (await Promise.all(runs.map(typesOf))).every((types) => types.length === 2),
  );
  expect(await house.client.bulk(filter).skipSleep()).toMatchObject({ done: 0, skipped: 2, failed: 0 });
  const bulk = house.client.bulk(filter);
  expect(await bulk.retryNow("charge")).toMatchObject({ done: 2 });
  await eventually("both were tried", async () => state.attempts === 4);
  await eventually("both wait again", async () => {
    return (await Promise.all(runs.map(typesOf))).every((types) => types.at(-1) === "StepAttemptFailed");
  });
  expect(await house.client.bulk({ ...filter, bulkId: bulk.bulkId }).retryNow("charge")).toMatchObject({ done: 2 });
  state.isUp = true;
  expect(state.attempts).toBe(4);
  expect(await house.client.bulk(filter).retryNow()).toMatchObject({ done: 2 });
  await eventually("both sleep", async () =>
    (await Promise.all(runs.map(typesOf))).every((t) => t.includes("TimerStarted")),
  );
  expect(await house.client.bulk(filter).skipSleep()).toMatchObject({ done: 2 });
  for (const run of runs) expect(await run.result()).toBe("done");
});

test("blocked runs are released; failed ones are tried again in their place, once per bulk", async () => {
  const house = openHouse();
  let isMended = false;
  const broken = workflow("broken", () =>
    step("mend", () => (isMended ? "mended" : Promise.reject(new Error("broken"))), { retry: { maxAttempts: 1 } }),
  );
  const worker = await house.startWorker([waiting], { unblockEveryMs: 60_000 });
  const runs = await house.client.startMany(broken, [{ id: "b1" }, { id: "b2" }]);
  await eventually("both are blocked", async () => (await house.client.count({ where: { status: "blocked" } })) === 2);
  await worker.stop();
  expect(await house.client.bulk({ where: {} }).unblock()).toMatchObject({ matched: 2, done: 2 });
  await house.startWorker([broken]);
  for (const run of runs) await run.result().catch(() => {});
  isMended = true;
  const failed = { where: { workflow: "broken", status: "failed" } } as const;
  const bulk = house.client.bulk(failed);
  expect(await bulk.retryFrom("mend")).toMatchObject({ matched: 2, done: 2 });
  expect(await house.client.bulk({ ...failed, bulkId: bulk.bulkId }).retryFrom("mend")).toMatchObject({ done: 2 });
  for (const id of ["b1", "b2"]) expect(await house.client.get(broken, id).result()).toBe("mended");
  expect(await house.client.count({ where: { workflow: "broken" } })).toBe(4);
});

test("an open run is meant with what it continues as before its turn comes, a closed one by itself", async () => {
  const runs = [
    { runId: "2", status: "running" },
    { runId: "1", status: "continuedAsNew" },
  ];
  const meant: unknown[] = [];
  const door = {
    openBulk: () => ({ bulkId: "bulk", after: "3" }),
    list: async () => ({ runs, next: null }),
    cancel: async (to: unknown) => meant.push(to),
  };
  await new Bulk(door as never, { where: {} }).cancel();
  expect(meant).toEqual([{ chainOf: "2" }, { runId: "1" }]);
});

test("an aborted bulk begins with no other run, and says so; what it had begun is done", async () => {
  const house = openHouse();
  await startMany(house, 20);
  const controller = new AbortController();
  let count = 0;
  const bulk = house.client.bulk({
    where,
    concurrency: 2,
    signal: controller.signal,
    onRun: () => {
      if (++count === 5) controller.abort();
    },
  });
  const report = await bulk.terminate();
  expect(report.isAborted).toBe(true);
  expect(report.done).toBeGreaterThanOrEqual(5);
  expect(report.done).toBeLessThanOrEqual(6);
  expect((await statuses(house)).terminated).toBe(report.done);
  const rest = await house.client.bulk({ where, bulkId: bulk.bulkId }).terminate();
  expect(report.done + rest.done).toBe(20);
  const none = await house.client.bulk({ where: {}, signal: AbortSignal.abort() }).terminate();
  expect(none).toMatchObject({ isAborted: true, matched: 0 });
});

test("what a callback throws ends the bulk once all that was begun is done", async () => {
  const house = openHouse();
  await startMany(house, 20);
  const bulk = house.client.bulk({
    where,
    concurrency: 2,
    onRun: () => {
      throw new RangeError("enough");
    },
  });
  await expect(bulk.terminate()).rejects.toThrow("enough");
  expect((await statuses(house)).terminated).toBe(2);
});

test("bad options are refused, and a bulk is for one action", async () => {
  const house = openHouse();
  for (const bad of [
    { where: undefined as never },
    { where: { colour: "red" } as never },
    { where: {}, concurrency: 0 },
    { where: {}, concurrency: 101 },
    { where: {}, bulkId: "deploy-42" },
  ]) {
    expect(() => house.client.bulk(bad)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  }
  const bulk = house.client.bulk({ where: {} });
  await bulk.pause();
  await expect(bulk.resume()).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(house.client.bulk({ where: {} }).retryFrom()).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(house.client.bulk({ where: {} }).signal(go, (() => {}) as never)).rejects.toMatchObject({
    code: "PAYLOAD_UNSERIALIZABLE",
  });
});

test("a paused run that somebody resumed is not paused again when the bulk is repeated", async () => {
  const house = openHouse();
  const [run] = await startMany(house, 1);
  const bulk = house.client.bulk({ where });
  await bulk.pause("once");
  await run?.resume();
  expect(await house.client.bulk({ where, bulkId: bulk.bulkId }).pause("once")).toMatchObject({ done: 1 });
  expect((await run?.describe())?.paused).toBeNull();
  if (run !== undefined) expect((await historyOf(run)).length).toBe(1);
});
