// The small parts a worker is made of.

import { expect, test } from "vitest";
import { requireNodeRelease } from "../../runtime/node-release.ts";
import { Batcher } from "../../runtime/service/batcher.ts";
import { Outbox } from "../../runtime/worker/outbox.ts";
import { Places } from "../../runtime/worker/places.ts";
import { workerSettings } from "../../runtime/worker/settings.ts";
import { StoreClock } from "../../runtime/worker/store-clock.ts";
import { Tags } from "../../runtime/worker/tags.ts";
import { Backoff } from "../../runtime/world/backoff.ts";
import { systemChance } from "../../runtime/world/system.ts";
import type { Event } from "../../sdk/protocol/event.ts";
import { ManualClock } from "../support/manual-clock.ts";

test.each(["20.20.0", "20.21.3", "22.22.0", "24.13.0", "24.14.1", "25.0.0", "26.1.0"])("Node %s is fit", (version) => {
  expect(() => requireNodeRelease(version)).not.toThrow();
});

test.each(["18.20.8", "20.19.6", "21.7.3", "22.21.1", "23.11.1", "24.12.0", "not a version"])(
  "Node %s is refused, with what to use",
  (version) => {
    expect(() => requireNodeRelease(version)).toThrow(
      expect.objectContaining({ code: "NODE_UNSUPPORTED", message: expect.stringContaining("20.20, 22.22, 24.13") }),
    );
  },
);

test("settings have defaults, and the rescue follows the lease", () => {
  expect(workerSettings()).toMatchObject({ queues: ["default"], leaseTtlMs: 6_000, rescueEveryMs: 2_000 });
  expect(workerSettings({ leaseTtlMs: 900 }).rescueEveryMs).toBe(300);
  expect(workerSettings({ leaseTtlMs: 900, rescueEveryMs: 50 }).rescueEveryMs).toBe(50);
});

test.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY, "5"])("a setting of %s is refused by name", (value) => {
  expect(() => workerSettings({ maxSteps: value as number })).toThrow(
    expect.objectContaining({ code: "CONFIGURATION_INVALID", details: { setting: "maxSteps" } }),
  );
});

test("only times that may be nothing may be 0; there is a queue at least, with a usable name", () => {
  expect(workerSettings({ lingerMs: 0, keepIfDueWithinMs: 0, shutdownGraceMs: 0 }).lingerMs).toBe(0);
  expect(() => workerSettings({ queues: [] })).toThrow(expect.objectContaining({ code: "CONFIGURATION_INVALID" }));
  expect(() => workerSettings({ queues: ["a", ""] })).toThrow(/queues/);
});

test("a place is kept until it is left, and those who wait come in turn", () => {
  const places = new Places(2);
  const order: number[] = [];
  for (const n of [1, 2, 3, 4]) places.enter({ begin: () => order.push(n) });
  expect([order, places.taken, places.waiting]).toEqual([[1, 2], 2, 2]);
  places.leave();
  expect([order, places.taken, places.waiting]).toEqual([[1, 2, 3], 2, 1]);
  for (let n = 0; n < 3; n++) places.leave();
  expect([order, places.taken, places.waiting]).toEqual([[1, 2, 3, 4], 0, 0]);
});

test("a very long line is served whole and in order", () => {
  const places = new Places(1);
  const order: number[] = [];
  for (let n = 0; n < 5_000; n++) places.enter({ begin: () => order.push(n) });
  for (let n = 0; n < 5_000; n++) places.leave();
  expect(order).toEqual([...Array(5_000).keys()]);
  expect([places.taken, places.waiting]).toEqual([0, 0]);
});

test.each([0, 0.5, 1 - 2 ** -53])("a pause grows between half and all of its ceiling, by chance %s", (drawn) => {
  const backoff = new Backoff({ float: () => drawn, uuid: () => "" }, { firstMs: 10, maxMs: 100 });
  const expected = [10, 20, 40, 80, 100, 100].map((ceiling) => ceiling / 2 + (drawn * ceiling) / 2);
  expect(expected.map(() => backoff.next())).toEqual(expected);
  expect(backoff.failures).toBe(6);
  backoff.reset();
  expect(backoff.next()).toBe(expected[0]);
  for (let n = 0; n < 2_000; n++) expect(backoff.next()).toBeLessThanOrEqual(100);
});

test("the store's time is never taken to be later than it is, whatever the answers took", async () => {
  const clock = new ManualClock();
  const store = new StoreClock(clock);
  expect(store.msUntil(5)).toBe(0);
  store.observe(1_000);
  await clock.advance(50);
  expect(store.now()).toBe(1_050);
  store.observe(1_020); // a slow answer: older than what is known
  expect(store.now()).toBe(1_050);
  store.observe(1_070);
  expect(store.now()).toBe(1_070);
  expect([store.msUntil(1_070), store.msUntil(1_070.2), store.msUntil(2_000), store.msUntil(0)]).toEqual([
    0, 1, 930, 0,
  ]);
});

test("a store whose clock was set back is believed", async () => {
  const store = new StoreClock(new ManualClock());
  store.observe(10_000);
  store.correct(4_000);
  expect(store.now()).toBe(4_000);
});

const claim = { runId: "run-1", epoch: 1, claimId: "claim" };
const completed = (command: number): Event => ({
  type: "StepCompleted",
  command,
  name: "a",
  result: "1",
  attempt: 1,
  inputHash: null,
});

test("what is to be appended goes out in order, a bounded piece at a time", () => {
  const outbox = new Outbox();
  for (const command of [1, 2, 3]) outbox.push({ event: completed(command) });
  const first = outbox.take(claim, { events: 4, takenMail: 2 }, "tag", null, 2);
  expect(first.turn).toMatchObject({ claim, tag: "tag", base: 4, takenMail: 2, notBefore: null, close: null });
  expect(first.turn.events.map(({ command }) => command)).toEqual([1, 2]);
  expect(outbox.size).toBe(1);
});

test("a turn takes the mail it holds, waits for its latest timer, and closes by its last event", () => {
  const outbox = new Outbox();
  outbox.push({ event: { type: "CancelRequested", mail: 7, reason: "x" } });
  outbox.push({ event: { type: "TimerFired", command: 1, name: "sleep" }, notBefore: 500 });
  outbox.push({ event: { type: "TimerFired", command: 2, name: "sleep" }, notBefore: 300 });
  outbox.push({ event: { type: "RunCompleted", result: null, unread: [] }, close: "completed" });
  const { turn } = outbox.take(claim, { events: 1, takenMail: 3 }, "tag", null, 10);
  expect(turn).toMatchObject({ takenMail: 7, notBefore: 500, close: "completed" });
});

test("a turn whose time is decided leaves what is due later to the next", () => {
  const outbox = new Outbox();
  outbox.push({ event: { type: "TimerFired", command: 1, name: "sleep" }, notBefore: 300 });
  outbox.push({ event: completed(2) });
  outbox.push({ event: { type: "TimerFired", command: 3, name: "sleep" }, notBefore: 301 });
  outbox.push({ event: completed(4) });
  const first = outbox.take(claim, { events: 1, takenMail: 0 }, "tag", 300, 10);
  expect(first.events.map(({ type }) => type)).toEqual(["TimerFired", "StepCompleted"]);
  expect(first.turn).toMatchObject({ at: 300, notBefore: 300 });
  const second = outbox.take(claim, { events: 3, takenMail: 0 }, "tag", null, 10);
  expect(second.turn).toMatchObject({ at: null, notBefore: 301 });
  expect(second.events).toHaveLength(2);
});

test("all that one item of mail led to goes out together, whatever a turn has room for", () => {
  const outbox = new Outbox();
  outbox.push({ event: completed(9) });
  const request = { mail: 4, requestId: "r", request: "retryNow", waits: "[]" } as const;
  outbox.pushUndecided(request);
  outbox.push({ event: { type: "CancelRequested", mail: 5, reason: "x" } });
  const retried = { type: "StepRetried", name: "a", attempt: 2, mail: 4, requestId: "r" } as const;
  outbox.decide(request, { events: [1, 2, 3].map((command) => ({ ...retried, command })) });
  const { turn, events } = outbox.take(claim, { events: 1, takenMail: 3 }, "tag", null, 2);
  expect(events.map(({ type }) => type)).toEqual(["StepCompleted", "StepRetried", "StepRetried", "StepRetried"]);
  expect(turn.takenMail).toBe(4);
  expect(outbox.take(claim, { events: 5, takenMail: 4 }, "tag", null, 2).turn.takenMail).toBe(5);
});

test("what the code took back is not sent, and the rest is", () => {
  const outbox = new Outbox();
  for (const command of [1, 2]) outbox.push({ event: completed(command) });
  outbox.push({ event: { type: "CancelRequested", mail: 1, reason: "x" } });
  outbox.forget(1);
  const { events } = outbox.take(claim, { events: 1, takenMail: 0 }, "tag", null, 10);
  expect(events.map(({ type }) => type)).toEqual(["StepCompleted", "CancelRequested"]);
});

test("requests of one moment go out together; what comes meanwhile fills the next batch", async () => {
  const clock = new ManualClock();
  const batches: number[][] = [];
  const open: (() => void)[] = [];
  const batcher = new Batcher<number, number>({
    clock,
    most: 3,
    send: async (requests) => {
      batches.push([...requests]);
      await new Promise<void>((resolve) => open.push(resolve));
      return requests.map((n) => n * 10);
    },
  });
  const replies = Promise.all([1, 2, 3, 4, 5, 6, 7].map((n) => batcher.ask(n)));
  await clock.advance(0);
  await clock.advance(0);
  expect(batches).toEqual([
    [1, 2, 3],
    [4, 5, 6],
  ]);
  open.shift()?.();
  await clock.advance(0);
  await clock.advance(0);
  expect(batches.at(-1)).toEqual([7]);
  for (const answer of open) answer();
  expect(await replies).toEqual([10, 20, 30, 40, 50, 60, 70]);
});

test("a batch that fails fails its own requests, and no others", async () => {
  const batcher = new Batcher<number, number>({
    clock: new ManualClock(),
    most: 1,
    send: async ([n = 0]) => (n === 1 ? Promise.reject(new Error("lost")) : [n]),
  });
  const ends = await Promise.allSettled([batcher.ask(1), batcher.ask(2)]);
  expect(ends.map(({ status }) => status)).toEqual(["rejected", "fulfilled"]);
});

test("what is to hear of a reply hears it before the caller, once; what it throws is for its own caller alone", async () => {
  const heard: string[] = [];
  const batcher = new Batcher<number, number>({
    clock: new ManualClock(),
    most: 3,
    send: async (requests) => (requests.includes(9) ? Promise.reject(new Error("lost")) : requests),
  });
  const ask = async (n: number, onAnswer?: () => void) => {
    const told = batcher.ask(n, (reply) => {
      heard.push(`told ${n} ${reply}`);
      onAnswer?.();
    });
    await told.catch((error: Error) => heard.push(`${n} ${error.message}`));
  };
  const broken = () => {
    throw new Error("broken");
  };
  await Promise.all([ask(1), ask(2, broken), ask(3)]);
  expect(heard).toEqual(["told 1 1", "told 2 2", "told 3 3", "2 broken"]);
  heard.length = 0;
  await Promise.all([ask(9), ask(8, broken)]);
  expect(heard).toEqual(["told 9 undefined", "told 8 undefined", "9 lost", "8 lost"]);
});

test("an event behind the end of a run never leaves", () => {
  const outbox = new Outbox();
  outbox.push({ event: { type: "RunCompleted", result: null, unread: [] }, close: "completed" });
  outbox.push({ event: completed(1) });
  expect(() => outbox.take(claim, { events: 1, takenMail: 0 }, "tag", null, 10)).toThrow(
    /nothing follows the end of a run/,
  );
});

test("tags are 32 hex digits and never the same, in one worker and in two", () => {
  const [one, other] = [new Tags(systemChance), new Tags(systemChance)];
  const tags = Array.from({ length: 1_000 }, () => [one.next(), other.next()]).flat();
  expect(new Set(tags).size).toBe(2_000);
  for (const tag of tags) expect(tag).toMatch(/^[0-9a-f]{32}$/);
});
