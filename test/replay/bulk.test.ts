// One action on many runs, through a real client: each run once, whatever becomes of the others, and nothing twice when the
// bulk is repeated.

import { expect, test } from "vitest";
import { Bulk } from "../../sdk/client/bulk.ts";
import type { BulkReport, BulkResult } from "../../sdk/client/bulk-report.ts";
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

test("open runs are moved to another version, and stay where somebody moved them back when the bulk is repeated", async () => {
  const house = openHouse();
  const version = (number: string) => workflow("versioned", () => go.receive(), { version: number });
  await house.startWorker([version("1.0.0"), version("2.0.0")], { queues: ["elsewhere"] });
  const [, second] = await house.client.startMany(version("1.0.0"), [{ id: "v1" }, { id: "v2" }]);
  const closed = await house.client.start(version("1.0.0"), { id: "v3" });
  await closed.terminate();
  const from = { where: { workflow: "versioned" } };
  const versions = async () => (await house.client.list(from)).runs.map((run) => run.version);
  expect(await house.client.bulk({ ...from, isDryRun: true }).moveTo("2.0.0")).toMatchObject({ matched: 2, failed: 0 });
  expect(await versions()).toEqual(["1.0.0", "1.0.0", "1.0.0"]);
  const bulk = house.client.bulk(from);
  expect(await bulk.moveTo("2.0.0")).toMatchObject({ matched: 2, done: 2 });
  await second?.moveTo("1.0.0");
  const again = house.client.bulk({ ...from, bulkId: bulk.bulkId });
  expect(await again.moveTo("2.0.0")).toMatchObject({ matched: 2, done: 2 });
  expect(await versions()).toEqual(["1.0.0", "1.0.0", "2.0.0"]);
  for (const isDryRun of [true, false]) {
    const nowhere = await house.client.bulk({ ...from, isDryRun }).moveTo("9.0.0");
    expect(nowhere).toMatchObject({ failed: 2, notDone: [{ code: "VERSION_UNKNOWN" }, { code: "VERSION_UNKNOWN" }] });
  }
  await expect(house.client.bulk(from).moveTo("latest")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("a dry run tells of each run what would come of it, as the bulk does then, and changes nothing", async () => {
  const house = openHouse();
  const each = workflow("each", async (what: string) => {
    if (what === "sleeps") await sleep("1 day");
    if (what === "fails") {
      await step("charge", () => Promise.reject(new Error("down")), { retry: { initialInterval: "1h", jitter: 0 } });
    }
    if (what === "hands off") await step<string>("sign", ({ completeLater }) => completeLater());
    if (what === "ends badly") await step("mend", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } });
    if (what === "throws") throw new Error("no step has failed");
  });
  await house.startWorker([each]);
  const kinds = ["sleeps", "fails", "hands off", "ends badly", "throws"];
  const runs = await house.client.startMany(
    each,
    kinds.map((input) => ({ id: input, input })),
  );
  await eventually("each is where it stays", async () => {
    const types = await Promise.all(runs.map(typesOf));
    return ["TimerStarted", "StepAttemptFailed", "StepDeferred", "RunFailed", "RunFailed"].every((type, nth) =>
      types[nth]?.includes(type),
    );
  });
  const open = { where: { workflow: "each" } };
  const failed = { where: { workflow: "each", status: "failed" } } as const;
  type Made = ReturnType<House["client"]["bulk"]>;
  const actions: readonly (readonly [object, (bulk: Made) => Promise<BulkReport>, readonly string[]])[] = [
    [open, (bulk) => bulk.retryNow(), ["fails"]],
    [open, (bulk) => bulk.skipSleep(), ["sleeps"]],
    [open, (bulk) => bulk.completeStep("sign", "Ann"), ["hands off"]],
    [open, (bulk) => bulk.failStep("other", new Error("no")), []],
    [failed, (bulk) => bulk.retryFrom(), ["ends badly"]],
    [failed, (bulk) => bulk.fork({ id: "sleeps", at: 1 }), []],
    [failed, (bulk) => bulk.reset({ at: 7 }), []],
  ];
  for (const [filter, act, able] of actions) {
    const before = await Promise.all(runs.map(typesOf));
    const matched: string[] = [];
    const onRun = ({ outcome, run }: BulkResult) => void (outcome === "matched" && matched.push(run.workflowId));
    const dry = await act(house.client.bulk({ ...(filter as typeof open), isDryRun: true, onRun }));
    expect(matched).toEqual(able);
    expect(await Promise.all(runs.map(typesOf))).toEqual(before);
    const real = await act(house.client.bulk(filter as typeof open));
    const why = ({ notDone }: BulkReport) => notDone.map(({ run, outcome, code }) => [run.workflowId, outcome, code]);
    expect(why(dry)).toEqual(why(real));
    expect(dry).toMatchObject({ done: 0, skipped: real.skipped, failed: real.failed, matched: real.matched });
    expect(real.done).toBe(able.length);
  }
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
