// Updates through codecs: what is sent, what is answered and why something was not taken are payloads like all others.

import { encryption } from "everstep/codecs";
import { expect, test } from "vitest";
import { updateMailId } from "../../runtime/store/mail-id.ts";
import type { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { condition, defineSignal, defineUpdate, PermanentError, workflow } from "../../sdk/index.ts";
import { isEncoded } from "../../sdk/protocol/payload-encoded.ts";
import { allCodecs, Fickle, KEYS } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse, typesOf } from "../support/local-worker.ts";

const put = defineUpdate<string, string>("put");
const done = defineSignal("done");

const SECRET = "4111-1111-1111-1111";
const keyed = (keys: Record<string, Uint8Array>, currentKeyId = "new") => [encryption({ keys, currentKeyId })];

/** Echoes what it is given; throws over "bad", and rejects "no". `handled` counts what its handlers began. */
const shelfWith = (handled: string[]) =>
  workflow("shelf", async () => {
    let isDone = false;
    put.handle(
      (text) => {
        handled.push(text);
        if (text.startsWith("bad")) throw new PermanentError(`cannot put ${text}`, { details: { text } });
        return `put ${text}`;
      },
      {
        validate: (text) => {
          if (text.startsWith("no")) throw new RangeError(`${text} is refused`);
        },
      },
    );
    done.handle(() => {
      isDone = true;
    });
    await condition(() => isDone);
    return handled.length;
  });
const shelf = shelfWith([]);

/** All that the store keeps of a run, as it keeps it. */
async function keptOf(store: MemoryStore, { runId = "" }: RunHandle, updateIds: readonly string[]) {
  const looks = updateIds.map((id) => ({ runId, mailId: updateMailId(id), after: 0 }));
  return {
    events: await store.readHistory(runId, 0, 1_000),
    mail: await store.readMail([{ runId, after: 0 }], 1_000),
    traces: await store.readUpdates(looks),
  };
}

test("an update, its result, its failure and why one was rejected are not stored plain, and come back whole", async () => {
  const house = openHouse({ codecs: allCodecs() });
  await house.startWorker([shelf]);
  const { client } = house;
  const { run, update } = await client.updateWithStart(shelf, {
    id: "s",
    update: put,
    updateInput: `first ${SECRET}`,
  });
  expect(await update.result()).toBe(`put first ${SECRET}`);
  const rejected = { code: "UPDATE_REJECTED", message: expect.stringContaining(`no ${SECRET} is refused`) };
  const refusal = { ...rejected, cause: { name: "RangeError", message: `no ${SECRET} is refused` } };
  const failure = { name: "PermanentError", details: { text: `bad ${SECRET}` } };
  expect(await run.update(put, SECRET, { updateId: "good" })).toBe(`put ${SECRET}`);
  await expect(run.update(put, `bad ${SECRET}`, { updateId: "bad" })).rejects.toMatchObject({ cause: failure });
  await expect(run.update(put, `no ${SECRET}`, { updateId: "no" })).rejects.toMatchObject(refusal);

  const kept = await keptOf(house.store, run, ["good", "bad", "no"]);
  expect(JSON.stringify(kept)).not.toContain(SECRET);
  const { events, mail, traces } = kept;
  expect(events.map(({ type }) => type)).toEqual([1, 16, 17, 16, 17, 16, 17]);
  expect([...events.slice(1), ...mail].every(({ payload }) => isEncoded(payload ?? ""))).toBe(true);
  expect(traces[2]?.refusal).toMatchObject({ code: "UPDATE_REJECTED", failure: null });

  // Whoever asks again has the same answers, also of the closed run, and under the workflow id alone.
  await run.signal(done);
  await run.result();
  const again = house.openClient(allCodecs()).get(shelf, "s");
  expect(await again.getUpdate(put, "good").result()).toBe(`put ${SECRET}`);
  await expect(again.getUpdate(put, "bad").result()).rejects.toMatchObject({ cause: failure });
  await expect(again.getUpdate(put, "no").result()).rejects.toMatchObject(refusal);
});

test("an update that cannot be read blocks its run and stays in the mailbox until it can be", async () => {
  const handled: string[] = [];
  const house = openHouse({ codecs: keyed({ old: KEYS.old }, "old") });
  const lacking = await house.startWorker([shelfWith(handled)]);
  const run = await house.client.start(shelf, { id: "s" });
  expect(await run.update(put, "before")).toBe("put before");
  const sender = house.openClient(keyed(KEYS)).get(shelf, "s");
  const answer = sender.update(put, "of a newer key");
  const reason = await eventually("the run is blocked", async () => (await run.describe()).blocked);
  expect(reason).toMatchObject({ kind: "unreadablePayload", message: expect.stringMatching(/"new"/) });
  expect((await run.describe()).unreadMail).toBe(1);
  expect(await typesOf(run)).toEqual(["RunStarted", "UpdateAccepted", "UpdateCompleted"]);
  await lacking.stop();
  await house.startWorker([shelfWith(handled)], {}, keyed(KEYS, "old"));
  expect(await answer).toBe("put of a newer key");
});

test.each([
  ["the acceptance", "encode", "wish", "put wish"],
  ["the result", "encode", "put wish", "put wish"],
  ["the failure", "encode", "cannot put bad wish", "bad"],
  ["why it was rejected", "encode", "no wish is refused", "no"],
] as const)("while %s cannot be encoded, it waits, and is then told as it was", async (_, verb, what, expected) => {
  const handled: string[] = [];
  const fickle = new Fickle();
  const house = openHouse();
  await house.startWorker([shelfWith(handled)], {}, [fickle]);
  const run = await house.openClient([fickle]).start(shelf);
  const mail = ["bad", "no"].includes(expected) ? `${expected} wish` : "wish";
  let failures = 0;
  let sent = 0;
  fickle.behavior = (call) => {
    // Not when it is sent: that is the client's.
    if (call.verb !== verb || !call.text.includes(what) || (call.text === JSON.stringify(mail) && sent++ === 0)) {
      return undefined;
    }
    failures++;
    return "throw";
  };
  const updated = run.update(put, mail, { updateId: "u" });
  const settled = Promise.allSettled([updated]);
  await eventually("it was tried more than once", () => failures > 1);
  fickle.recover();
  await settled;
  if (expected === "bad") await expect(updated).rejects.toMatchObject({ cause: { message: "cannot put bad wish" } });
  else if (expected === "no") await expect(updated).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  else expect(await updated).toBe(expected);
  expect(handled).toEqual(expected === "no" ? [] : [mail]);
});

test.each(["throw", "hang"] as const)(
  "while decoding answers: %s keeps one sender waiting, and no other",
  async (how) => {
    const fickle = new Fickle();
    const house = openHouse();
    await house.startWorker([shelf], {}, [new Fickle()]);
    const client = house.openClient([fickle]);
    const runs = await client.startMany(shelf, [{}, {}, {}]);
    fickle.behavior = ({ verb, text }) => (verb === "decode" && text.includes("unlucky") ? how : undefined);
    const answers = runs.map((run, index) => run.update(put, index === 0 ? "unlucky" : "lucky"));
    expect(await Promise.all(answers.slice(1))).toEqual(["put lucky", "put lucky"]);
    fickle.recover();
    expect(await answers[0]).toBe("put unlucky");
  },
);

test("a client that cannot read an answer says so: it lacks the codec or the key, or must not believe it", async () => {
  const house = openHouse({ codecs: keyed(KEYS) });
  const worker = await house.startWorker([shelf]);
  const sealed = await house.client.start(shelf, { id: "sealed" });
  await sealed.update(put, "x", { updateId: "good" });
  await expect(sealed.update(put, "no", { updateId: "no" })).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  const unreadable = { code: "PAYLOAD_UNREADABLE" };
  for (const codecs of [[], keyed({ old: KEYS.old }, "old")]) {
    const stranger = house.openClient(codecs).get(shelf, "sealed");
    await expect(stranger.getUpdate(put, "good").result()).rejects.toMatchObject(unreadable);
    await expect(stranger.getUpdate(put, "no").result()).rejects.toMatchObject(unreadable);
  }
  await worker.stop();

  await house.startWorker([shelf], {}, []);
  const plain = await house.openClient([]).start(shelf, { id: "plain" });
  await plain.update(put, "x", { updateId: "good" });
  await expect(plain.update(put, "no", { updateId: "no" })).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  const strict = encryption({ keys: KEYS, currentKeyId: "new", refusePlain: true });
  const [believing, doubting] = [keyed(KEYS), [strict]].map((codecs) => house.openClient(codecs).get(shelf, "plain"));
  expect(await believing?.getUpdate(put, "good").result()).toBe("put x");
  await expect(believing?.getUpdate(put, "no").result()).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  await expect(doubting?.getUpdate(put, "good").result()).rejects.toMatchObject(unreadable);
  await expect(doubting?.getUpdate(put, "no").result()).rejects.toMatchObject(unreadable);
});

test("a client whose codec stays down gives up on an answer, and has it later", async () => {
  const fickle = new Fickle();
  const house = openHouse();
  await house.startWorker([shelf], {}, [new Fickle()]);
  const run = await house.openClient([fickle], 50).start(shelf);
  fickle.behavior = ({ verb }) => (verb === "decode" ? "throw" : undefined);
  const failed = { code: "CODEC_FAILED", retryable: true };
  await expect(run.update(put, "x", { updateId: "good" })).rejects.toMatchObject(failed);
  await expect(run.update(put, "no", { updateId: "no" })).rejects.toMatchObject(failed);
  fickle.recover();
  expect(await run.getUpdate(put, "good").result()).toBe("put x");
  await expect(run.getUpdate(put, "no").result()).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
});
