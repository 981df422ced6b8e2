// Forks of runs behind codecs: what is shared is the fork's own, whatever becomes of its source and of the old keys; a signal
// that comes meanwhile is the fork's or stays with the source; and who cannot read a run leaves it as it is.

import { randomBytes } from "node:crypto";
import { encryption, type PayloadCodec } from "everstep/codecs";
import { crashEverywhere } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import { Service } from "../../runtime/service/service.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { WorkflowClient } from "../../sdk/client/client.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineSignal, defineUpdate, executeChild, PermanentError, step, workflow } from "../../sdk/index.ts";
import { allCodecs, Fickle, KEYS, MemoryBlobs } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";
import { withCalls } from "../support/store-calls.ts";

const SECRET = "4111-1111-1111-1111";
/** Does not get small enough to stay in the history. */
const LARGE = randomBytes(600).toString("hex");
const go = defineSignal<string>("go");
const touch = defineUpdate<string, string>("touch");
const keyed = (keys: Record<string, Uint8Array>, currentKeyId: string) => [encryption({ keys, currentKeyId })];

/** Every kind of payload that a history can share, large enough to be put away, before a step that fails until it is mended. */
function breakable() {
  const state = { isMended: false, made: [] as string[] };
  const main = workflow("order", async (card: string) => {
    touch.handle((text) => `${text} ${card}`, {
      validate: (text) => {
        if (text.startsWith("no")) throw new RangeError(`${text} is refused`);
      },
    });
    const charged = await step(
      "charge",
      ({ attempt, heartbeat, lastHeartbeat }) => {
        state.made.push("charge");
        if (attempt > 1) return lastHeartbeat;
        heartbeat(card + LARGE);
        throw new Error(`slow ${card}`);
      },
      { retry: { initialInterval: 1 } },
    );
    const word = await go.receive();
    await step("label", () => {
      state.made.push("label");
      if (!state.isMended) throw new PermanentError(`no paper for ${card}`);
    });
    return { charged, word, next: await go.receive() };
  });
  return { state, main };
}

async function failed(codecs: readonly PayloadCodec[], house: House = openHouse({ codecs })) {
  const { state, main } = breakable();
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main, { id: "order-42", input: SECRET });
  expect(await run.update(touch, "said", { updateId: "said" })).toBe(`said ${SECRET}`);
  const refused = { code: "UPDATE_REJECTED", cause: { message: `no ${SECRET} is refused` } };
  await expect(run.update(touch, `no ${SECRET}`, { updateId: "no" })).rejects.toMatchObject(refused);
  await run.signal(go, `first ${SECRET}`);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  state.isMended = true;
  return { house, state, main, run, worker, refused };
}

const charged = SECRET + LARGE;

/** As the store tells of it: nobody is asked what it waits for. */
const found = ({ store }: House, workflowId: string) => store.findRun({ workflowId });

/** All that is kept of a run. */
async function keptOf({ store }: House, runId: string): Promise<string> {
  const mail = await store.readMail([{ runId, after: 0 }], 100);
  const looks = mail.map(({ mailId }) => ({ runId, mailId, after: 0 }));
  return JSON.stringify([await store.readHistory(runId, 0, 1_000), mail, await store.readUpdates(looks)]);
}

test("a failed run behind all codecs is tried again from its step, and the fork needs nothing of its source", async () => {
  const blobs = new MemoryBlobs();
  const { house, state, main, run, refused } = await failed(allCodecs(blobs));
  const retried = await run.retryFrom();
  await retried.signal(go, `second ${SECRET}`);
  expect(blobs.of(run.runId ?? "")).not.toEqual([]);
  expect(blobs.of(retried.runId ?? "")).not.toEqual([]);
  await eventually("the fork has ended", async () => (await retried.describe()).closedAt);
  await house.store.deleteRuns([run.runId ?? ""]);
  await blobs.delete(run.runId ?? "");
  expect(await retried.result()).toEqual({ charged, word: `first ${SECRET}`, next: `second ${SECRET}` });
  expect(state.made).toEqual(["charge", "charge", "label", "label"]);
  expect(await retried.getUpdate(touch, "said").result()).toBe(`said ${SECRET}`);
  await expect(retried.getUpdate(touch, "no").result()).rejects.toMatchObject(refused);
  expect(await keptOf(house, retried.runId ?? "")).not.toContain(SECRET);
  expect((await replay(main, await historyOf(retried))).engine.broken).toBeUndefined();
});

test("what is shared is encrypted with the key of today, also where it was edited", async () => {
  const { house, main, run, worker } = await failed(keyed({ old: KEYS.old }, "old"));
  await worker.stop();
  const today = house.openClient(keyed(KEYS, "new")).get(main, "order-42");
  const end = (await historyOf(run)).findLast(({ type }) => type === "StepCompleted")?.seq ?? 0;
  const forks = [
    await today.fork({ id: "whole", at: end + 1 }),
    await today.fork({ id: "result", at: end, result: "by hand" }),
    await today.fork({ id: "input", at: 1, input: "other" }),
  ];
  const newest = keyed({ new: KEYS.new }, "new");
  await house.startWorker([main], {}, newest);
  const client = house.openClient(newest);
  const handles = forks.map(({ workflowId }) => client.get(main, workflowId));
  for (const fork of handles) await fork.signal(go, "next");
  expect(await Promise.all(handles.map((fork) => fork.result()))).toEqual([
    { charged, word: `first ${SECRET}`, next: "next" },
    { charged: "by hand", word: `first ${SECRET}`, next: "next" },
    { charged: `other${LARGE}`, word: `first ${SECRET}`, next: "next" },
  ]);
  for (const { runId } of forks) expect(await keptOf(house, runId ?? "")).not.toContain(SECRET);
});

test("an open run is reset with the signals that it had taken since, and forks of forks are as good as others", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const waiting = workflow("waiting", async (card: string) => {
    const words = [await go.receive()];
    await step("between", () => card);
    return [...words, await go.receive(), await go.receive()];
  });
  await house.startWorker([waiting]);
  const run = await house.client.start(waiting, { id: "w", input: SECRET });
  await run.signal(go, `a ${SECRET}`);
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await run.signal(go, `b ${SECRET}`);
  await eventually("both are taken", async () => (await historyOf(run)).length === 4);
  const reset = await run.reset({ at: 2 });
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: { kind: "terminated" } });
  const beside = await (await reset.fork({ id: "beside", at: 2 })).fork({ id: "again", at: 2 });
  for (const fork of [reset, beside]) {
    await fork.signal(go, "c");
    expect(await fork.result()).toEqual([`a ${SECRET}`, `b ${SECRET}`, "c"]);
  }
});

test("a fork that continues as new passes on a signal that its source had taken and not used", async () => {
  const house = openHouse({ codecs: allCodecs() });
  let isMended = false;
  const chain = workflow("chain", async (words: string[]): Promise<string[]> => {
    words.push(await go.receive());
    if (words.length === 2) return words;
    await step("work", () => {
      if (!isMended) throw new PermanentError("not yet");
    });
    return chain.continueAsNew(words);
  });
  const run = await house.client.start(chain, { id: "chain", input: [] });
  for (const word of [`a ${SECRET}`, `b ${SECRET}`]) await run.signal(go, word);
  await house.startWorker([chain]);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  expect((await typesOf(run)).filter((type) => type === "SignalReceived")).toHaveLength(2);
  isMended = true;
  const fork = await run.fork({ id: "elsewhere", at: 3 });
  expect(await fork.result()).toEqual([`a ${SECRET}`, `b ${SECRET}`]);
});

/** A client whose store lets something happen right before a fork is made of what it has read. */
function clientWith(house: House, beforeFork: () => Promise<void>): WorkflowClient {
  const { world } = house;
  const kept = withCalls(house.store, {
    forkRun: async (request) => {
      await beforeFork();
      return house.store.forkRun(request);
    },
  });
  const store = new CodecStore(kept, allCodecs(), world);
  const service = new Service({
    store,
    wakeups: new MemoryWakeBus().open(world),
    world,
    pollMs: 50,
    insistForMs: 15_000,
  });
  onTestFinished(() => service.close());
  return new WorkflowClient(service);
}

const pair = workflow("pair", async () => [await go.receive(), await go.receive()]);

test("a signal that comes between the reading and the fork is the fork's, where that is in the place of the run", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const run = await house.client.start(pair, { id: "p" });
  await run.signal(go, "seen");
  const late = ["late"];
  const client = clientWith(house, async () => {
    for (const word of late.splice(0)) await run.signal(go, word);
  });
  const reset = await client.getUntyped("p").reset({ at: 1 });
  expect(reset.runId).not.toBe(run.runId);
  await house.startWorker([pair]);
  expect(await house.client.get(pair, "p").result()).toEqual(["seen", "late"]);
});

test("such a signal stays with the run, where the fork is beside it", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const run = await house.client.start(pair, { id: "p" });
  await run.signal(go, "seen");
  const client = clientWith(house, () => run.signal(go, "late"));
  await client.getUntyped("p").fork({ id: "beside", at: 1 });
  await house.startWorker([pair]);
  expect(await run.result()).toEqual(["seen", "late"]);
  const beside = house.client.get(pair, "beside");
  await beside.signal(go, "its own");
  expect(await beside.result()).toEqual(["seen", "its own"]);
});

test("a fork reads the result of the child that it has from its source, a parent that of its child's fork", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const child = workflow("child", async (card: string) => `${await go.receive()} ${card}`);
  const parent = workflow("parent", async (card: string) => {
    const paid = await executeChild(child, { id: "child", input: card });
    return `${paid} ${await go.receive()}`;
  });
  await house.startWorker([child, parent]);
  const run = await house.client.start(parent, { id: "parent", input: charged });
  await eventually("the child is started", async () => (await typesOf(run)).includes("ChildStarted"));
  const fork = await run.reset();
  await house.client.getUntyped("child").reset({ at: 1 });
  await house.client.get(child, "child").signal(go, `paid ${SECRET}`);
  await fork.signal(go, "on");
  expect(await fork.result()).toBe(`paid ${SECRET} ${charged} on`);
  expect(await keptOf(house, fork.runId ?? "")).not.toContain(SECRET);
});

test("a run that is deleted between the reading and the fork is not forked", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const run = await house.client.start(pair, { id: "p" });
  await run.terminate();
  const client = clientWith(house, async () => {
    expect(await house.store.deleteRuns([run.runId ?? ""])).toHaveLength(1);
  });
  await expect(client.getUntyped("p").fork({ id: "copy" })).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
  expect((await house.client.list({})).runs).toEqual([]);
});

test("a run from before encryption is encrypted in its fork", async () => {
  const house = openHouse();
  const open = await house.client.start(pair, { id: "p" });
  await open.signal(go, SECRET);
  expect(await keptOf(house, open.runId ?? "")).toContain(SECRET);
  const fork = await house.openClient(keyed(KEYS, "new")).getUntyped("p").reset({ at: 1 });
  expect(await keptOf(house, fork.runId ?? "")).not.toContain(SECRET);
  await house.startWorker([pair], {}, keyed(KEYS, "new"));
  const client = house.openClient(keyed(KEYS, "new")).get(pair, "p");
  await client.signal(go, "on");
  expect(await client.result()).toEqual([SECRET, "on"]);
});

test("a codec that is down keeps a run from being forked, changes nothing, and what it has encoded is encoded once", async () => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: [fickle] });
  const run = await house.client.start(pair, { id: "p" });
  for (const word of ["a", "b"]) await run.signal(go, word);
  const impatient = house.openClient([fickle], 0).getUntyped("p");
  fickle.behavior = ({ verb, text }) => (verb === "encode" && text === '"b"' ? "throw" : undefined);
  await expect(impatient.reset({ at: 1 })).rejects.toMatchObject({
    code: "CODEC_FAILED",
    message: expect.stringMatching(/was not forked, and nothing has changed: Codec "fickle" could not encode signal/),
  });
  fickle.behavior = ({ verb }) => (verb === "decode" ? "throw" : undefined);
  await expect(impatient.reset({ at: 1 })).rejects.toMatchObject({ code: "CODEC_FAILED" });
  expect((await house.client.list({ workflowId: "p" })).runs).toMatchObject([{ runId: run.runId, status: "running" }]);
  const encoded: string[] = [];
  let failures = 2;
  fickle.behavior = ({ verb, text }) => {
    if (verb === "encode" && text === '"b"' && failures-- > 0) return "throw";
    if (verb === "encode") encoded.push(text);
    return undefined;
  };
  await run.reset({ at: 1 });
  expect(failures).toBe(-1);
  expect(encoded.filter((text) => text === '"b"')).toHaveLength(1);
  await house.startWorker([pair]);
  expect(await house.client.get(pair, "p").result()).toEqual(["a", "b"]);
});

test("whoever cannot read a run's history or its mail does not fork it, and leaves it as it is", async () => {
  const { house, run, worker } = await failed(keyed({ new: KEYS.new }, "new"));
  await worker.stop();
  const unreadable = (message: string) => ({
    code: "PAYLOAD_UNREADABLE",
    message: expect.stringMatching(`^Run order-42 is not forked: its ${message}`),
  });
  for (const codecs of [[], keyed({ new: KEYS.old }, "new")]) {
    const blind = house.openClient(codecs).getUntyped("order-42");
    await expect(blind.retryFrom()).rejects.toMatchObject(unreadable("event 1 "));
    await expect(blind.fork({ id: "no", at: 1 })).rejects.toMatchObject(unreadable("event 1 "));
  }
  expect((await house.client.list({})).runs).toMatchObject([{ runId: run.runId, status: "failed" }]);
  const plain = await house.openClient([]).start(pair, { id: "plain" });
  await house.client.get(pair, "plain").signal(go, SECRET);
  const blind = house.openClient([]).getUntyped("plain");
  for (const forking of [blind.reset({ at: 1 }), blind.fork({ id: "no", at: 1 })]) {
    await expect(forking).rejects.toMatchObject({
      code: "PAYLOAD_UNREADABLE",
      message: expect.stringMatching(/^Run plain is not forked: its mail 1 \(signal\)/),
    });
  }
  const dry = house.openClient([]).bulk({ where: { workflowId: "plain", status: "running" }, isDryRun: true });
  expect(await dry.reset({ at: 1 })).toMatchObject({ failed: 1, notDone: [{ code: "PAYLOAD_UNREADABLE" }] });
  await blind.fork({ id: "bare", at: 1, signals: "drop" });
  expect(await found(house, "bare")).toMatchObject({ status: "running", unreadMail: 0 });
  expect(await found(house, "plain")).toMatchObject({ runId: plain.runId, status: "running", unreadMail: 1 });
});

test("a heartbeat that cannot be read keeps a run from being forked, though the failure beside it is plain", async () => {
  const sealed = encryption({ keys: KEYS, currentKeyId: "new" });
  const encode: PayloadCodec["encode"] = (bytes, place) =>
    place.what === "heartbeat" ? sealed.encode(bytes, place) : undefined;
  const { house, run, worker } = await failed([{ ...sealed, encode }]);
  await worker.stop();
  const end = (await typesOf(run)).indexOf("StepAttemptFailed") + 1;
  const blind = house.openClient([]).getUntyped("order-42");
  await expect(blind.fork({ id: "no", at: end })).rejects.toMatchObject({
    code: "PAYLOAD_UNREADABLE",
    message: expect.stringContaining(`its event ${end} cannot be read`),
  });
  await blind.fork({ id: "before", at: end - 1 });
});

test("runs of a filter are tried again in bulk behind codecs, each once, and a killed bulk is repeated", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const { state, main } = breakable();
  await house.startWorker([main]);
  const runs: RunHandle[] = [];
  for (const id of ["a", "b", "c"]) {
    const run = await house.client.start(main, { id, input: SECRET });
    await run.signal(go, "first");
    await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
    runs.push(run);
  }
  state.isMended = true;
  const where = { workflow: "order", status: "failed" } as const;
  const bulk = house.client.bulk({ where });
  expect(await bulk.retryFrom()).toMatchObject({ done: 3, failed: 0 });
  expect(await house.client.bulk({ where, bulkId: bulk.bulkId }).retryFrom()).toMatchObject({ failed: 0 });
  for (const { workflowId } of runs) {
    await house.client.get(main, workflowId).signal(go, "second");
    expect(await house.client.get(main, workflowId).result()).toMatchObject({ word: "first", next: "second" });
    expect((await house.client.list({ workflowId })).runs).toHaveLength(2);
  }
});

test("a run that is forked behind codecs ends the same, wherever its workers are killed", async () => {
  const long = workflow("long", async (text: string) => {
    const first = await step("first", () => `${text} once`);
    return `${await step("second", () => first.length)} ${await go.receive()} ${await go.receive()}`;
  });
  const report = await crashEverywhere(long, {
    input: LARGE,
    codecs: allCodecs(),
    script: async (run) => {
      await run.signal(go, "kept");
      const fork = await run.fork({ id: "beside", at: 1 });
      await fork.signal(go, "on");
      expect(await fork.result()).toBe(`${LARGE.length + 5} kept on`);
      await run.signal(go, "on");
    },
  });
  expect(report.crashes).toBe(report.places);
});
