// Codecs around a real worker and a real client: nothing is stored plain, nothing is lost while a codec is down, one run's
// codecs are nobody else's affair, and what cannot be read blocks its run until somebody comes who can.

import { randomBytes } from "node:crypto";
import { encryption, type PayloadCodec } from "everstep/codecs";
import { expect, test } from "vitest";
import type { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { systemClock } from "../../runtime/world/system.ts";
import type { Clock } from "../../runtime/world/world.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineQuery, defineSignal, PermanentError, sleep, step, transaction, workflow } from "../../sdk/index.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { isEncoded } from "../../sdk/protocol/payload-encoded.ts";
import { allCodecs, Fickle, KEYS } from "../support/codecs.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";
import { changingHistories, withCalls } from "../support/store-calls.ts";

const go = defineSignal<string>("go");
const status = defineQuery<string, string>("status");

const SECRET = "4111-1111-1111-1111";

/** Everything that carries a payload. */
const everything = workflow("everything", async (card: string) => {
  status.handle((asked) => `${asked}: ${card}`);
  const paid = await step("pay", () => new Map([["card", card]]));
  const flaky = await step(
    "flaky",
    ({ attempt, heartbeat, lastHeartbeat }) => {
      if (attempt > 1) return lastHeartbeat;
      heartbeat({ card });
      throw new Error(`attempt with ${card}`);
    },
    { retry: { initialInterval: 1 } },
  );
  const first = await go.receive();
  const second = await go.receive();
  await step("refuse", () => {
    throw new PermanentError(`${card} is refused`, { details: { card } });
  }).catch(() => {});
  return { paid, flaky, first, second };
});

const echo = workflow("echo", async (text: string) => step("echo", () => text));

const waits = workflow("waits", async (text: string) => {
  const held = await step("hold", () => text);
  return `${held} ${await go.receive()}`;
});

const keyed = (keys: Record<string, Uint8Array>, currentKeyId = "new") => [encryption({ keys, currentKeyId })];

async function blockedReason(run: RunHandle): Promise<{ readonly kind: string; readonly message: string }> {
  const reason = await eventually("the run is blocked", async () => (await run.describe()).blocked);
  if (reason === null) throw new Error("eventually answers with the fact");
  return reason;
}

/** The payloads as they are kept. */
async function keptOf(store: MemoryStore, run: RunHandle): Promise<(string | null)[]> {
  return (await store.readHistory(run.runId ?? "", 0, 1_000)).map(({ payload }) => payload);
}

test("a run is stored without a plain payload in it, and nobody who has the codecs sees a difference", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const run = await house.client.signalWithStart(everything, { input: SECRET, signal: go, payload: `a ${SECRET}` });
  await house.startWorker([everything], { lingerMs: 1 });
  await eventually("the query is answered", async () => (await run.query(status, "who")) === `who: ${SECRET}`);
  await house.client.get(everything, run.workflowId).signal(go, `b ${SECRET}`);
  expect(await run.result()).toEqual({
    paid: new Map([["card", SECRET]]),
    flaky: { card: SECRET },
    first: `a ${SECRET}`,
    second: `b ${SECRET}`,
  });
  const kept = await house.store.readHistory(run.runId ?? "", 0, 1_000);
  expect(JSON.stringify(kept)).not.toContain(SECRET);
  expect(kept.filter(({ payload }) => payload !== null).every(({ payload }) => isEncoded(payload ?? ""))).toBe(true);
  const history = await historyOf(run);
  expect(history.map(({ type }) => type)).toContain("StepAttemptFailed");
  expect(JSON.stringify(history)).toContain(SECRET);
  const again = await replay(everything, history);
  expect(again.engine.broken).toBeUndefined();
});

test("the failure of a run comes back whole through the codecs", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const failing = workflow("failing", async () =>
    step("charge", () => {
      throw new PermanentError("card declined", {
        type: "CardDeclined",
        details: { code: 51 },
        cause: new RangeError("limit", { cause: new TypeError("root") }),
      });
    }),
  );
  await house.startWorker([failing]);
  const run = await house.client.start(failing);
  await expect(run.result()).rejects.toMatchObject({
    code: "RUN_FAILED",
    cause: {
      kind: "step",
      step: "charge",
      cause: {
        name: "CardDeclined",
        details: { code: 51 },
        cause: { name: "RangeError", cause: { name: "TypeError" } },
      },
    },
  });
});

test("a history that was begun without codecs goes on with them", async () => {
  const house = openHouse();
  const before = await house.startWorker([waits]);
  const run = await house.client.start(waits, { input: "plain" });
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await before.stop();
  await house.startWorker([waits], {}, allCodecs());
  const sealed = house.openClient(allCodecs()).get(waits, run.workflowId);
  await sealed.signal(go, "sealed");
  expect(await sealed.result()).toBe("plain sealed");
  const [input, held, signal] = await keptOf(house.store, run);
  expect([input, held, isEncoded(signal ?? "")]).toEqual(['"plain"', '"plain"', true]);
});

test("a worker that lacks the key, or all codecs, blocks the run untouched; one that has it carries it on", async () => {
  const house = openHouse({ codecs: keyed(KEYS) });
  const first = await house.startWorker([waits]);
  const run = await house.client.start(waits, { input: "kept" });
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await first.stop();
  const before = await keptOf(house.store, run);

  const stranger = await house.startWorker([waits], {}, keyed({ old: KEYS.old }, "old"));
  expect(await blockedReason(run)).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringMatching(/key "new", which this process does not have/),
  });
  await stranger.stop();

  const ignorant = await house.startWorker([waits], {}, []);
  await eventually("it is blocked for another reason", async () =>
    (await run.describe()).blocked?.message.includes("give this process the same `codecs`"),
  );
  await ignorant.stop();
  expect(await keptOf(house.store, run)).toEqual(before);

  await run.signal(go, "and found");
  await house.startWorker([waits]);
  expect(await run.result()).toBe("kept and found");
});

test("a signal that cannot be read blocks its run and stays in the mailbox until it can be", async () => {
  const house = openHouse({ codecs: keyed({ old: KEYS.old }, "old") });
  const lacking = await house.startWorker([waits]);
  const run = await house.client.start(waits, { input: "kept" });
  await house.openClient(keyed(KEYS)).get(waits, run.workflowId).signal(go, "of a newer key");
  expect(await blockedReason(run)).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringMatching(/"new"/),
  });
  expect((await run.describe()).unreadMail).toBe(1);
  await lacking.stop();
  await house.startWorker([waits], {}, keyed(KEYS, "old"));
  expect(await run.result()).toBe("kept of a newer key");
});

test("a worker without codecs does not move encoded mail into the history", async () => {
  const house = openHouse();
  const ignorant = await house.startWorker([waits]);
  const run = await house.client.start(waits, { input: "plain" });
  await house.openClient(keyed(KEYS)).get(waits, run.workflowId).signal(go, "sealed");
  await blockedReason(run);
  expect(await typesOf(run)).not.toContain("SignalReceived");
  await ignorant.stop();
  await house.startWorker([waits], {}, keyed(KEYS));
  const reader = house.openClient(keyed(KEYS)).get(waits, run.workflowId);
  expect(await reader.result()).toBe("plain sealed");
});

test("a payload that was put in the place of another run's is found out", async () => {
  let store: Store | undefined;
  const house = openHouse({ codecs: keyed(KEYS), wrapStore: (kept) => store ?? kept });
  const first = await house.startWorker([waits]);
  const [rich, poor] = await Promise.all(
    ["1,000,000", "1"].map((input) => house.client.start(waits, { id: `account-${input}`, input })),
  );
  if (rich === undefined || poor === undefined) throw new Error("two were started");
  for (const run of [rich, poor]) {
    await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  }
  await first.stop();
  const stolen = (await house.store.readHistory(rich.runId ?? "", 1, 1))[0]?.payload;
  const steal = changingHistories(house.store, (events, runId) =>
    runId === poor.runId
      ? events.map((event) => (event.seq === 2 ? { ...event, payload: stolen ?? null } : event))
      : events,
  );
  store = withCalls(house.store, steal);
  await house.startWorker([waits]);
  expect(await blockedReason(poor)).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringMatching(/moved from where it was stored/),
  });
  await rich.signal(go, "is fine");
  expect(await rich.result()).toBe("1,000,000 is fine");
});

test.each(["throw", "hang"] as const)(
  "while encoding results: %s keeps the result of one run waiting, and no other",
  async (how) => {
    const fickle = new Fickle();
    const house = openHouse();
    const client = house.openClient([fickle]);
    let bodies = 0;
    const counted = workflow("echo", async (text: string) =>
      step("echo", () => {
        bodies++;
        return `result ${text}`;
      }),
    );
    await house.startWorker([counted], { queues: ["counted"] }, [fickle]);
    fickle.behavior = ({ verb, text }) => (verb === "encode" && text.includes("result unlucky") ? how : undefined);
    const [unlucky, ...lucky] = await client.startMany(
      counted,
      ["unlucky", "b", "c"].map((input) => ({ input, queue: "counted" })),
    );
    for (const run of lucky) expect(await run.result()).toMatch(/^result/);
    expect(await unlucky?.describe()).toMatchObject({ status: "running", events: 1 });
    await eventually("the outage is told of", () => how === "hang" || house.log.at("warn").join().includes("codec"));
    fickle.recover();
    expect(await unlucky?.result()).toBe("result unlucky");
    expect(bodies).toBe(3);
  },
);

test.each(["throw", "hang"] as const)(
  "while decoding histories: %s keeps one run waiting, and no other",
  async (how) => {
    const fickle = new Fickle();
    const house = openHouse({ codecs: [fickle] });
    const runs = await house.client.startMany(
      echo,
      ["unlucky", "b", "c"].map((input) => ({ input })),
    );
    fickle.behavior = ({ verb, text }) => (verb === "decode" && text.includes("unlucky") ? how : undefined);
    await house.startWorker([echo]);
    for (const run of runs.slice(1)) expect(await run.result()).toMatch(/^[bc]$/);
    expect(await runs[0]?.describe()).toMatchObject({ status: "running", blocked: null });
    fickle.recover();
    expect(await runs[0]?.result()).toBe("unlucky");
  },
);

test.each(["throw", "hang"] as const)("while decoding mail: %s keeps one run waiting, and no other", async (how) => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: [fickle] });
  const worker = await house.startWorker([waits]);
  const runs = await house.client.startMany(
    waits,
    ["a", "b", "c"].map((input) => ({ input })),
  );
  await eventually("all are carried", () => worker.stats.liveRuns === 3);
  fickle.behavior = ({ verb, text }) => (verb === "decode" && text.includes("unlucky") ? how : undefined);
  await Promise.all(runs.map((run, index) => run.signal(go, index === 0 ? "unlucky" : "lucky")));
  for (const run of runs.slice(1)) expect(await run.result()).toMatch(/lucky$/);
  expect(await runs[0]?.describe()).toMatchObject({ status: "running" });
  fickle.recover();
  expect(await runs[0]?.result()).toBe("a unlucky");
});

test("a run whose codecs stay down is set aside where everybody sees it, and is taken up again by the same worker", async () => {
  const fickle = new Fickle();
  // Half a minute is a moment.
  const hurried: Clock = {
    ...systemClock,
    monotonic: () => systemClock.monotonic() * 100,
    setTimer: (ms, fire) => systemClock.setTimer(ms / 100, fire),
  };
  const house = openHouse({ codecs: [fickle], clock: hurried, leaseTtlMs: 10_000_000 });
  const run = await house.client.start(echo, { input: "patient" });
  fickle.behavior = ({ verb }) => (verb === "decode" ? "throw" : undefined);
  const worker = await house.startWorker([echo], { unblockEveryMs: 5_000, pollMs: 5_000 });
  expect(await blockedReason(run)).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringMatching(/"fickle" could not decode input of run .*: the key service is away/),
  });
  await eventually("it is tried and set aside again", () => worker.stats.blocked > 1);
  expect(house.log.at("warn").join()).toContain("a payload codec fails");
  fickle.recover();
  expect(await run.result()).toBe("patient");
});

test("signals keep the order of the calls, however long each takes to encode", async () => {
  const answers: (() => void)[] = [];
  const slow: PayloadCodec = {
    name: "slow",
    encode: (bytes) => new Promise((resolve) => answers.push(() => resolve(bytes))),
    decode: (bytes) => bytes,
  };
  const house = openHouse();
  const run = await house.client.start(echo, { input: "x", delay: "1h" });
  const sender = house.openClient([slow]).get(echo, run.workflowId);
  const sent = ["1", "2", "3"].map((text) => sender.signal(go, text));
  await eventually("all are being encoded", () => answers.length === 3);
  for (const answer of answers.reverse()) answer();
  await Promise.all(sent);
  const mail = await house.store.readMail([{ runId: run.runId ?? "", after: 0 }], 10);
  expect(mail.map(({ payload }) => Buffer.from(JSON.parse(payload ?? "{}").data, "base64").toString())).toEqual([
    '"1"',
    '"2"',
    '"3"',
  ]);
});

test("a turn that is sent again is sent as it was", async () => {
  const turns: AppendTurn[] = [];
  let losses = 3;
  const house = openHouse({
    codecs: keyed(KEYS),
    wrapStore: (store) =>
      withCalls(store, {
        async appendTurns(sent) {
          turns.push(...sent);
          if (losses-- > 0) throw new EverstepError("STORE_UNAVAILABLE", "the answer was lost");
          return store.appendTurns(sent);
        },
      }),
  });
  await house.startWorker([echo]);
  const run = await house.client.start(echo, { input: "once" });
  expect(await run.result()).toBe("once");
  const byTag = new Map<string, Set<string>>();
  for (const { tag, events } of turns) {
    byTag.set(tag, (byTag.get(tag) ?? new Set()).add(JSON.stringify(events)));
  }
  expect(turns.length).toBeGreaterThan(byTag.size);
  for (const forms of byTag.values()) expect(forms.size).toBe(1);
});

test("a transaction whose result cannot be encoded is rolled back and made again", async () => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: [fickle] });
  let bodies = 0;
  const pays = workflow("pays", async () => transaction("pay", async () => `paid ${++bodies}`));
  let failures = 1;
  fickle.behavior = ({ verb, text }) =>
    verb === "encode" && text.includes("paid") && failures-- > 0 ? "throw" : undefined;
  await house.startWorker([pays]);
  const run = await house.client.start(pays);
  expect(await run.result()).toBe("paid 2");
  expect((await typesOf(run)).filter((type) => type.startsWith("Step"))).toEqual(["StepCompleted"]);
});

test("a result that is too large once encoded blocks its run", async () => {
  const growing: PayloadCodec = {
    name: "growing",
    encode: (bytes, { what }) => (what === "result" ? new Uint8Array(5_000_000) : bytes),
    decode: (bytes) => bytes,
  };
  const house = openHouse({ codecs: [growing] });
  await house.startWorker([echo]);
  const run = await house.client.start(echo, { input: "x" });
  expect(await blockedReason(run)).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringMatching(/once encoded; the limit is/),
  });
});

test("a query is asked again while a codec is away, and does not fail for it", async () => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: [fickle] });
  const told = workflow("told", async (card: string) => {
    status.handle((asked) => `${asked}: ${card}`);
    return step("pay", () => "paid");
  });
  await house.startWorker([told], { lingerMs: 1 });
  const run = await house.client.start(told, { input: SECRET });
  await run.result();
  // Each fails once: what is read of the history, of one question, and what is made of another's answer.
  const away = new Set([`decode "${SECRET}"`, 'decode "question"', `encode "answer: ${SECRET}"`]);
  fickle.behavior = ({ verb, text }) => (away.delete(`${verb} ${text}`) ? "throw" : undefined);
  const asked = ["history", "question", "answer"].map((each) => run.query(status, each, { timeout: "30s" }));
  expect(await Promise.all(asked)).toEqual(["history", "question", "answer"].map((each) => `${each}: ${SECRET}`));
  expect([...away]).toEqual([]);
});

test("a client says what fails: its codec, or the key it lacks", async () => {
  const fickle = new Fickle();
  const house = openHouse({ codecs: keyed(KEYS) });
  const client = house.openClient([fickle], 50);
  fickle.behavior = ({ verb }) => (verb === "encode" ? "throw" : undefined);
  await expect(client.start(echo, { input: "x" })).rejects.toMatchObject({
    code: "CODEC_FAILED",
    retryable: true,
    message: expect.stringMatching(/"fickle" could not encode input of run .*: the key service is away/),
  });
  expect((await client.list()).runs).toEqual([]);

  await house.startWorker([echo]);
  const run = await house.client.start(echo, { input: SECRET });
  await run.result();
  const lacking = house.openClient(keyed({ new: randomBytes(32) })).get(echo, run.workflowId);
  await expect(lacking.result()).rejects.toMatchObject({ code: "PAYLOAD_UNREADABLE" });
  const shown = await historyOf(lacking);
  expect(shown.map(({ type }) => type)).toEqual(["RunStarted", "StepCompleted", "RunCompleted"]);
  expect(shown[0]).toMatchObject({ input: expect.stringContaining("unreadable") });
  const plain = house.openClient([]).get(echo, run.workflowId);
  await expect(plain.result()).rejects.toMatchObject({
    code: "PAYLOAD_UNREADABLE",
    message: expect.stringContaining("give this process the same `codecs`"),
  });
});

test("waits are cut short behind codecs: the request has nothing of the user's, and stays plain", async () => {
  const house = openHouse({ codecs: allCodecs() });
  const cut = workflow("cut", async (card: string) => {
    await step("pay", ({ attempt }) => (attempt > 1 ? card : Promise.reject(new Error(card))), {
      retry: { initialInterval: "1h", jitter: 0 },
    });
    await sleep("1 day");
    return card;
  });
  await house.startWorker([cut]);
  const run = await house.client.start(cut, { input: SECRET });
  await eventually("it waits", async () => (await typesOf(run)).includes("StepAttemptFailed"));
  await run.retryNow("pay");
  await eventually("it sleeps", async () => (await typesOf(run)).includes("TimerStarted"));
  await run.skipSleep();
  expect(await run.result()).toBe(SECRET);
  const mail = await house.store.readMail([{ runId: run.runId ?? "", after: 0 }], 10);
  expect(mail.map(({ kind, payload }) => [kind, payload])).toEqual([
    ["retryNow", '[{"command":1,"attempt":2}]'],
    ["skipSleep", '[{"command":2}]'],
  ]);
});

test("a run whose payloads must be encrypted is paused and resumed: what tells it so has none", async () => {
  const house = openHouse({ codecs: [encryption({ keys: KEYS, currentKeyId: "new", refusePlain: true })] });
  await house.startWorker([waits]);
  const run = await house.client.start(waits, { input: SECRET });
  await eventually("the run waits for the signal", async () => (await typesOf(run)).includes("StepCompleted"));
  await run.pause("for a moment");
  await run.resume();
  await run.signal(go, "on");
  expect(await run.result()).toBe(`${SECRET} on`);
  expect(await typesOf(run)).toEqual(expect.arrayContaining(["RunPaused", "RunResumed"]));
});
