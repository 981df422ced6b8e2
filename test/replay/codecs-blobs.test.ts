// What is put away elsewhere for runs, when they are deleted: it goes after the rows, and not as long as anybody may need it.

import { type BlobStore, offload } from "everstep/codecs";
import { expect, test } from "vitest";
import type { Store } from "../../runtime/store/store.ts";
import { defineSignal, executeChild, step, workflow } from "../../sdk/index.ts";
import { MemoryBlobs } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";
import { withCalls } from "../support/store-calls.ts";

const LARGE = "x".repeat(500);
const go = defineSignal<string>("go");
const grow = workflow("grow", async (text: string) => step("grow", () => `${text}${text}`));
const parent = workflow("parent", async () => {
  const grown = await executeChild(grow, { id: "child", input: LARGE });
  return `${grown.length} ${await go.receive()}`;
});

// The input, and the result, which its step and the run have in one blob.
const away = (store: BlobStore) => [offload({ store, aboveBytes: 100 })];
const old = { closedFor: "1ms" } as const;

test("blobs of a deleted run are removed when its rows are gone, and nobody else's", async () => {
  const blobs = new MemoryBlobs();
  const before: number[] = [];
  const house = openHouse({
    codecs: away(blobs),
    wrapStore: (store) =>
      withCalls(store, {
        deleteRuns: async (runIds) => {
          before.push(blobs.of(runIds[0] ?? "").length);
          return store.deleteRuns(runIds);
        },
      }) as Store,
  });
  const brief = workflow("brief", async (text: string) => step("grow", () => `${text}${text}`), { retention: "1ms" });
  await house.startWorker([brief, grow], { pruneEveryMs: 20 });
  const kept = await house.client.start(grow, { input: LARGE });
  const run = await house.client.start(brief, { input: LARGE });
  await eventually("the run is gone", async () => (await house.store.findRun({ runId: run.runId ?? "" })) === null);
  await eventually("so is what was put away", () => blobs.of(run.runId ?? "").length === 0);
  expect(before).toEqual([2]);
  expect(await kept.result()).toBe(LARGE + LARGE);
});

test("a client that prunes removes blobs, too; a dry run and a client without the codecs remove none", async () => {
  const blobs = new MemoryBlobs();
  const house = openHouse({ codecs: away(blobs) });
  await house.startWorker([grow]);
  const runs = [await house.client.start(grow, { input: LARGE }), await house.client.start(grow, { input: LARGE })];
  for (const run of runs) await run.result();
  await eventually("both can go", async () => (await house.client.prune({ ...old, isDryRun: true })).runs === 2);
  expect(runs.map((run) => blobs.of(run.runId ?? "").length)).toEqual([2, 2]);
  await house.client.prune(old);
  expect([...blobs.blobs.keys()]).toEqual([]);
  const left = await house.client.start(grow, { input: LARGE });
  await left.result();
  await eventually("it can go", async () => (await house.openClient([]).prune(old)).runs === 1);
  expect(blobs.of(left.runId ?? "")).toHaveLength(2);
});

test("the result of a child stays until its parent has it, also when the child is deleted before", async () => {
  const blobs = new MemoryBlobs();
  const house = openHouse({ codecs: away(blobs) });
  const worker = await house.startWorker([parent]);
  const run = await house.client.start(parent, { id: "parent" });
  await eventually("the child is started", async () => (await house.store.findRun({ workflowId: "child" })) !== null);
  await run.pause("until the child is gone");
  await worker.stop();
  const childOnly = await house.startWorker([grow]);
  const child = await house.store.findRun({ workflowId: "child" });
  await eventually("it has ended", async () => (await house.store.findRun({ workflowId: "child" }))?.closedAt);
  await childOnly.stop();
  await eventually("it can go", async () => (await house.client.prune(old)).runs === 1);
  expect(blobs.of(child?.runId ?? "")).not.toEqual([]);
  await run.resume();
  await house.startWorker([parent]);
  await run.signal(go, "on");
  expect(await run.result()).toBe(`${2 * LARGE.length} on`);
});

test("a blob store that fails leaves blobs behind, and says so; the runs are gone all the same", async () => {
  const blobs = new MemoryBlobs();
  blobs.delete = () => Promise.reject(new Error("the bucket is away"));
  const house = openHouse({ codecs: away(blobs) });
  await house.startWorker([grow]);
  const run = await house.client.start(grow, { input: LARGE });
  await run.result();
  await eventually("it is gone", async () => (await house.client.prune(old)).runs === 1);
  expect(blobs.of(run.runId ?? "")).toHaveLength(2);
  expect(house.log.lines.filter(({ level }) => level === "warn")).toMatchObject([
    { fields: { runs: 1, reason: "Error: the bucket is away" } },
  ]);
});
