// Histories that are stored encoded, taken elsewhere: as files, as what new code is checked against, and in lists.

import { encryption } from "everstep/codecs";
import {
  type CheckedHistory,
  checkRuns,
  collectHistory,
  crashEverywhere,
  replayHistory,
  testEnvironment,
} from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import {
  defineAttributes,
  defineSignal,
  defineUpdate,
  PermanentError,
  sleep,
  step,
  upsertAttributes,
  upsertMemo,
  workflow,
} from "../../sdk/index.ts";
import { isEncoded } from "../../sdk/protocol/payload-encoded.ts";
import { allCodecs, Fickle, KEYS } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse, typesOf } from "../support/local-worker.ts";

const SECRET = "4111-1111-1111-1111";
const go = defineSignal<string>("go");
const touch = defineUpdate<string, string>("touch");
const shown = defineAttributes({ customer: "keyword", amount: "int" });
const strangers = [encryption({ keys: { old: KEYS.old }, currentKeyId: "old" })];
const unreadable = { code: "PAYLOAD_UNREADABLE" };

/** Goes another way over the failure of its step: replayed with anything else in its place it would not fit. */
const careful = workflow("careful", async (card: string) => {
  touch.handle((text) => `${text} ${card}`);
  upsertAttributes(shown({ amount: 12 }));
  upsertMemo({ note: "in sight" });
  const word = await step(
    "charge",
    ({ heartbeat, attempt }) => {
      if (attempt > 1) throw new PermanentError(`declined ${card}`);
      heartbeat({ card });
      throw new Error(`slow ${card}`);
    },
    { retry: { initialInterval: 1 } },
  ).catch((error: Error) => (error.cause as Error).message);
  if (word.startsWith("declined")) await step("apologize", () => card);
  return `${word} ${await go.receive()}`;
});

/** A run of it behind all codecs that waits for its signal, has taken an update, and has one that it has not taken. */
async function waitingRun() {
  const house = openHouse({ codecs: allCodecs() });
  const worker = await house.startWorker([careful]);
  const run = await house.client.start(careful, {
    id: "c",
    input: SECRET,
    attributes: shown({ customer: "ann" }),
    memo: { told: "plain" },
  });
  await eventually(
    "it waits",
    async () => (await typesOf(run)).filter((type) => type === "StepCompleted").length === 1,
  );
  expect(await run.update(touch, "seen")).toBe(`seen ${SECRET}`);
  await worker.stop();
  await run.update(touch, "unseen", { updateId: "later", waitFor: "stored" });
  return { house, run };
}

test("an exported history is plain and whole, and replays without any codec", async () => {
  const { house, run } = await waitingRun();
  const file = await run.export();
  expect(JSON.stringify(file)).not.toContain("encoded");
  expect(JSON.stringify(file)).toContain(`slow ${SECRET}`);
  expect(file.mail).toMatchObject([{ mail: 2, kind: "update", mailId: "update:later", payload: '"unseen"' }]);
  await replayHistory(careful, JSON.stringify(file));
  await replayHistory(careful, JSON.stringify(await collectHistory(run)));
  const kept = await house.store.readHistory(run.runId ?? "", 0, 100);
  expect(JSON.stringify(kept)).not.toContain(SECRET);
});

test("a plain file goes through the codecs of whoever imports it, with the mail in it, and the run goes on", async () => {
  const { run } = await waitingRun();
  const file = await run.export();
  const to = openHouse({ codecs: allCodecs() });
  const copy = await to.client.importRun(JSON.parse(JSON.stringify(file)));
  expect(JSON.stringify(await to.store.loadHistories([file.runId]))).not.toContain(SECRET);
  expect((await to.store.readMail([{ runId: file.runId, after: 0 }], 9)).map(({ payload }) => payload)).not.toContain(
    '"unseen"',
  );
  expect((await copy.export()).events).toEqual(file.events);
  await to.startWorker([careful]);
  expect(await copy.getUpdate(touch, "later").result()).toBe(`unseen ${SECRET}`);
  await copy.signal(go, "now");
  expect(await copy.result()).toBe(`declined ${SECRET} now`);
});

test("mail of an imported run is read by the run that goes on where it has not taken it", async () => {
  const relay = workflow("relay", async (round: number): Promise<string> => {
    return round === 0 ? relay.continueAsNew(1) : go.receive();
  });
  const from = openHouse({ codecs: allCodecs() });
  const run = await from.client.start(relay, { id: "r", input: 0 });
  await run.signal(go, SECRET);
  const to = openHouse({ codecs: allCodecs() });
  await to.client.importRun(await run.export());
  await to.startWorker([relay]);
  expect(await to.client.get(relay, "r").result()).toBe(SECRET);
});

test("a history that cannot be read in full is not kept as a file, and no note stands for what it holds", async () => {
  const { house } = await waitingRun();
  for (const codecs of [[], strangers]) {
    const run = house.openClient(codecs).get(careful, "c");
    await expect(run.export()).rejects.toMatchObject(unreadable);
    await expect(collectHistory(run)).rejects.toMatchObject(unreadable);
  }
});

test("mail that cannot be read is not exported as what it is not", async () => {
  const house = openHouse();
  const run = await house.client.start(careful, { id: "c", input: "plain" });
  await house.openClient(allCodecs()).get(careful, "c").update(touch, "sealed", { waitFor: "stored" });
  await expect(run.export()).rejects.toMatchObject(unreadable);
});

test("a heartbeat that cannot be read is noticed, though the failure beside it is plain", async () => {
  const codecs = [encryption({ keys: KEYS, currentKeyId: "new", encryptFailures: false })];
  const house = openHouse({ codecs });
  await house.startWorker([careful]);
  const run = await house.client.start(careful, { id: "c", input: "x" });
  await eventually("it waits", async () => (await typesOf(run)).includes("StepCompleted"));
  const events = (await run.export()).events;
  const failed = events.find(({ type }) => type === 4);
  // All but the heartbeat, which is among the data, in the open.
  const half = events.map((event) => {
    return event.seq === failed?.seq
      ? { ...event, data: String(event.data).replace('"heartbeat":"', '"heartbeat":"{\\"$everstep\\":\\"encoded\\",') }
      : event;
  });
  await replayHistory(careful, events);
  await expect(replayHistory(careful, half)).rejects.toMatchObject(unreadable);
});

test("new code is checked against histories in plain form; one that cannot be read differs for that reason alone", async () => {
  const { house } = await waitingRun();
  const verdicts = async (codecs: Parameters<typeof house.openClient>[0]) => {
    const checked: CheckedHistory[] = [];
    for await (const one of checkRuns(house.openClient(codecs), [careful])) checked.push(one);
    return checked;
  };
  expect(await verdicts(allCodecs())).toMatchObject([{ verdict: "fits", difference: null }]);
  for (const codecs of [[], strangers]) {
    expect(await verdicts(codecs)).toMatchObject([{ workflowId: "c", verdict: "differs", difference: unreadable }]);
  }
});

test("a check does not take a codec that is down for code that differs", async () => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: [fickle] });
  await house.client.start(careful, { input: "x" });
  fickle.behavior = () => "throw";
  const checking = checkRuns(house.openClient([fickle], 50), [careful]);
  await expect(checking.next()).rejects.toMatchObject({ code: "CODEC_FAILED" });
});

test("attributes and memo stay as they are: runs are found by them, and shown with them, by whoever has no codec", async () => {
  const { house, run } = await waitingRun();
  const stranger = house.openClient([]);
  const where = { attributes: shown.where({ customer: "ann", amount: { gte: 10 } }) };
  expect((await stranger.list({ where })).runs).toMatchObject([
    { workflowId: "c", attributes: { customer: "ann", amount: 12 }, memo: { told: "plain", note: "in sight" } },
  ]);
  expect(await stranger.countBy({ attribute: "customer" })).toEqual([{ value: "ann", count: 1 }]);
  const kept = await house.store.readHistory(run.runId ?? "", 0, 100);
  const upserted = kept.filter(({ type }) => type === 19 || type === 20);
  expect(upserted.map(({ payload }) => isEncoded(payload ?? ""))).toEqual([false, false]);
});

test("a run behind codecs, killed everywhere, ends the same", async () => {
  const long = workflow("long", async (text: string) => {
    touch.handle((said) => `${said} ${text}`);
    const first = await step("first", () => text.repeat(2));
    await sleep("30 days");
    return `${await step("second", () => first.length)} ${await go.receive()}`;
  });
  const report = await crashEverywhere(long, {
    input: "x".repeat(500),
    codecs: allCodecs(),
    script: async (run) => {
      expect(await run.update(touch, "hello")).toMatch(/^hello x+$/);
      await run.signal(go, "on");
    },
  });
  expect(report.crashes).toBe(report.places);
});

test("what a killed worker was decoding is answered to nobody, and the next one decodes it itself", async () => {
  let bodies = 0;
  const once = workflow("once", async (text: string) => step("once", () => `${text} ${++bodies}`));
  const answers: (() => void)[] = [];
  const env = await testEnvironment({
    workflows: [once],
    codecs: [
      {
        name: "slow",
        encode: (bytes) => bytes,
        decode: (bytes, { what }) =>
          what === "input" ? new Promise((resolve) => answers.push(() => resolve(bytes))) : bytes,
      },
    ],
  });
  onTestFinished(() => env.stop());
  const run = await env.client.start(once, { input: "done" });
  await eventually("the first worker decodes", () => answers.length === 1);
  await env.killWorker();
  await eventually("the second one does", () => answers.length === 2);
  answers[0]?.();
  answers[1]?.();
  expect(await run.result()).toBe("done 1");
  expect(bodies).toBe(1);
});
