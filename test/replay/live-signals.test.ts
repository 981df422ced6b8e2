// Signals through a real worker: none lost, none twice, the order kept, whatever comes together.

import { expect, test } from "vitest";
import { defineQuery, defineSignal, sleep, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";
import { withCalls } from "../support/store-calls.ts";

const note = defineSignal<number>("note");
const status = defineQuery<number[]>("status");

const collect = workflow("collect", async (expected: number) => {
  const got: number[] = [];
  status.handle(() => got);
  while (got.length < expected) got.push(await note.receive());
  return got;
});

test("signals sent together arrive once each, in order", async () => {
  const house = openHouse();
  await house.startWorker([collect]);
  const run = await house.client.start(collect, { input: 20 });
  const numbers = [...Array(20).keys()];
  await Promise.all(numbers.map((n) => run.signal(note, n)));
  expect(await run.result()).toEqual(numbers);
});

test("a signal that is sent again with its id counts once", async () => {
  const house = openHouse();
  await house.startWorker([collect]);
  const run = await house.client.start(collect, { input: 2 });
  for (const n of [1, 1, 1]) await run.signal(note, n, { signalId: "the one" });
  await run.signal(note, 2);
  expect(await run.result()).toEqual([1, 2]);
});

test("more early signals than one reading of the mail takes are all there before the first line", async () => {
  const count = 1_200;
  const house = openHouse({
    // The store is slow to give the later pages, as a busy one is: by then the first is committed.
    wrapStore: (store) =>
      withCalls(store, {
        async readMail(boxes, limit) {
          if (boxes.some(({ after }) => after > 0)) await new Promise((resolve) => setTimeout(resolve, 50));
          return store.readMail(boxes, limit);
        },
      }),
  });
  const early = workflow("early", async () => {
    let seen = 0;
    note.handle(() => {
      seen++;
    });
    const atFirst = seen;
    await step("look", () => {});
    return atFirst;
  });
  const run = await house.client.start(early);
  for (let n = 0; n < count; n++) await run.signal(note, n);
  await house.startWorker([early]);
  expect(await run.result()).toBe(count);
  const history = await historyOf(run);
  const again = await replay(early, history);
  expect(again.engine.broken).toBeUndefined();
  expect(again.result).toBe(count);
});

test("signals that come while the run is parked wake it", async () => {
  const house = openHouse();
  const worker = await house.startWorker([collect], { lingerMs: 1 });
  const run = await house.client.start(collect, { input: 2 });
  for (const n of [1, 2]) {
    await eventually("the run is parked", () => worker.stats.liveRuns === 0 && worker.stats.parked >= n);
    await run.signal(note, n);
  }
  expect(await run.result()).toEqual([1, 2]);
});

test("what nobody received is written into the closing event", async () => {
  const house = openHouse();
  await house.startWorker([workflow("deaf", async () => step("work", () => "done"))]);
  const deaf = workflow("deaf", async () => "");
  const run = await house.client.start(deaf, { delay: "1h" });
  await run.signal(note, 1, { signalId: "first" });
  expect(await run.result()).toBe("done");
  const last = (await historyOf(run)).at(-1);
  expect(last).toMatchObject({ type: "RunCompleted", unread: [{ name: "note", signalId: "signal:first" }] });
});

test("a signal that is stored before the close reaches its handler", async () => {
  const house = openHouse();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const heard: number[] = [];
  const ends = workflow("ends", async () => {
    note.handle((n) => {
      heard.push(n);
    });
    await step("last", () => held);
    return "done";
  });
  await house.startWorker([ends], { pollMs: 60_000 });
  const run = await house.client.start(ends);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  const sent = run.signal(note, 7);
  release();
  await sent;
  expect(await run.result()).toBe("done");
  expect(heard).toEqual([7]);
});

test("queries are answered live, parked and after the close", async () => {
  const house = openHouse();
  const worker = await house.startWorker([collect], { lingerMs: 1 });
  const run = await house.client.start(collect, { input: 2 });
  await run.signal(note, 1);
  await eventually("the signal is counted", async () => (await run.query(status)).length === 1);
  await eventually("the run is parked", () => worker.stats.liveRuns === 0 && worker.stats.parked > 0);
  expect(await run.query(status)).toEqual([1]);
  const before = await historyOf(run);
  await run.query(status);
  expect(await historyOf(run)).toEqual(before);
  await run.signal(note, 2);
  await run.result();
  expect(await run.query(status)).toEqual([1, 2]);
  await expect(run.query(defineQuery("other"))).rejects.toMatchObject({
    code: "QUERY_UNKNOWN",
    message: expect.stringContaining('"status"'),
  });
});

test("a query is for runs in one state where it says so, and asks nobody else", async () => {
  const house = openHouse();
  const worker = await house.startWorker([collect]);
  const open = await house.client.start(collect, { input: 1 });
  expect(await open.query(status, undefined, { onlyIf: "open" })).toEqual([]);
  await open.pause();
  expect(await open.query(status, undefined, { onlyIf: "open" })).toEqual([]);
  await open.resume();
  await open.signal(note, 7);
  await open.result();
  expect(await open.query(status, undefined, { onlyIf: "openOrCompleted" })).toEqual([7]);
  const ended = await house.client.start(collect, { input: 1 });
  await ended.terminate();
  expect(await ended.query(status)).toEqual([]);
  await worker.stop(0);
  await expect(open.query(status, undefined, { onlyIf: "open" })).rejects.toMatchObject({
    code: "QUERY_REJECTED",
    details: { runId: open.runId, query: "status", status: "completed" },
  });
  await expect(ended.query(status, undefined, { onlyIf: "openOrCompleted" })).rejects.toMatchObject({
    code: "QUERY_REJECTED",
    message: expect.stringContaining("is terminated"),
  });
  await expect(open.query(status, undefined, { onlyIf: "closed" as "open" })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
  });
});

test("a run past its timeout is closed, with no chance to react", async () => {
  const house = openHouse();
  let reacted = false;
  const slow = workflow(
    "slow",
    async () => {
      try {
        await sleep("1h");
      } finally {
        reacted = true;
      }
    },
    { timeout: 50 },
  );
  await house.startWorker([slow]);
  const run = await house.client.start(slow);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: { kind: "timeout", timeout: "run" } });
  expect((await historyOf(run)).at(-1)).toMatchObject({ type: "RunTimedOut", timeoutMs: 50 });
  expect(reacted).toBe(false);
});
