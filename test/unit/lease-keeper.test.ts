import { expect, onTestFinished, test } from "vitest";
import type { Leases } from "../../runtime/lease/leases.ts";
import { LeaseKeeper } from "../../runtime/worker/lease-keeper.ts";
import { systemChance } from "../../runtime/world/system.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedLog } from "../support/recorded-log.ts";

const TTL_MS = 6_000;
const MARGIN_MS = TTL_MS / 6;

/** A keeper over leases whose answers the test gives. */
function openKeeper(renew: (workerId: string) => Promise<void> = async () => {}) {
  const clock = new ManualClock();
  const renewals: { readonly workerId: string; readonly at: number }[] = [];
  const released: string[] = [];
  const lapsed: string[] = [];
  const trusted: string[] = [];
  const answer = { renew };
  const leases: Leases = {
    renew: (workerId) => {
      renewals.push({ workerId, at: clock.monotonic() });
      return answer.renew(workerId);
    },
    release: async (workerId) => void released.push(workerId),
    expired: async () => [],
    close: async () => {},
  };
  const keeper = new LeaseKeeper({
    leases,
    world: { clock, chance: systemChance, log: new RecordedLog() },
    ttlMs: TTL_MS,
    onLapse: (id) => lapsed.push(id),
    onTrust: (id) => trusted.push(id),
  });
  return { keeper, clock, answer, renewals, released, lapsed, trusted };
}

const refuse = () => Promise.reject(new Error("cannot be reached"));

test("a lease that is renewed in time is trusted without a gap, under one id", async () => {
  const { keeper, clock, renewals, lapsed, trusted } = openKeeper();
  await keeper.start();
  const { workerId } = keeper;
  for (let round = 0; round < 100; round++) {
    await clock.advance(TTL_MS / 10);
    expect(keeper.isTrusted).toBe(true);
  }
  expect({ lapsed, trusted, workerId: keeper.workerId }).toEqual({ lapsed: [], trusted: [workerId], workerId });
  expect(renewals.length).toBeGreaterThanOrEqual(29);
  await keeper.stop();
});

test("several renewals may fail before trust ends: after a failure the next comes sooner", async () => {
  const { keeper, clock, answer, lapsed } = openKeeper();
  await keeper.start();
  let failures = 0;
  answer.renew = () => (++failures > 2 ? Promise.resolve() : refuse());
  await clock.advance(TTL_MS * 3);
  expect(failures).toBeGreaterThan(2);
  expect({ lapsed, isTrusted: keeper.isTrusted }).toEqual({ lapsed: [], isTrusted: true });
  await keeper.stop();
});

test("trust ends a margin before the lease does, and the worker comes back under a new id", async () => {
  const { keeper, clock, answer, lapsed, trusted, renewals } = openKeeper();
  await keeper.start();
  const first = keeper.workerId;
  answer.renew = refuse;
  await clock.advance(TTL_MS - MARGIN_MS - 1);
  expect(keeper.isTrusted).toBe(true);
  expect(lapsed).toEqual([]);
  await clock.advance(1);
  expect(keeper.isTrusted).toBe(false);
  expect(lapsed).toEqual([first]);
  const second = keeper.workerId;
  expect(second).not.toBe(first);

  answer.renew = async () => {};
  await clock.advance(TTL_MS);
  expect({ isTrusted: keeper.isTrusted, trusted, workerId: keeper.workerId }).toEqual({
    isTrusted: true,
    trusted: [first, second],
    workerId: second,
  });
  expect(renewals.filter(({ workerId, at }) => workerId === first && at >= TTL_MS - MARGIN_MS)).toEqual([]);
  await keeper.stop();
});

test("a slow success cannot stretch trust: it counts from before the attempt", async () => {
  let answerNow = () => {};
  const { keeper, clock, answer, lapsed } = openKeeper();
  await keeper.start();
  const { workerId } = keeper;
  answer.renew = () => new Promise((resolve) => (answerNow = resolve));
  await clock.advance(TTL_MS / 3 + 1_000); // the attempt began after a third of the ttl
  answerNow();
  answer.renew = refuse;
  const trustEndsAt = TTL_MS / 3 + TTL_MS - MARGIN_MS;
  await clock.advance(trustEndsAt - clock.monotonic() - 1);
  expect(keeper.isTrusted).toBe(true);
  await clock.advance(1);
  expect(keeper.isTrusted).toBe(false);
  expect(lapsed).toEqual([workerId]);
  await keeper.stop();
});

test("a success that comes after all of its time gives no trust at all", async () => {
  let answerNow = () => {};
  const { keeper, clock, trusted } = openKeeper(() => new Promise((resolve) => (answerNow = resolve)));
  const started = keeper.start();
  await clock.advance(TTL_MS - MARGIN_MS);
  answerNow();
  await started;
  expect({ isTrusted: keeper.isTrusted, trusted }).toEqual({ isTrusted: false, trusted: [] });
  await keeper.stop();
});

test("a success for the id that lapsed meanwhile is not taken for the new one's", async () => {
  let answerOld = () => {};
  const { keeper, clock, answer, lapsed } = openKeeper();
  await keeper.start();
  answer.renew = () => new Promise((resolve) => (answerOld = resolve));
  await clock.advance(TTL_MS);
  expect(lapsed).toHaveLength(1);
  answer.renew = refuse;
  answerOld();
  await clock.advance(1);
  expect(keeper.isTrusted).toBe(false);
  await keeper.stop();
});

test("a timer that fires late finds trust gone already", async () => {
  const { keeper, clock, answer } = openKeeper();
  await keeper.start();
  answer.renew = refuse;
  const late = clock.monotonic.bind(clock);
  onTestFinished(() => keeper.stop());
  clock.monotonic = () => late() + TTL_MS;
  expect(keeper.isTrusted).toBe(false);
});

test("stopping gives the lease up and ends trust; nothing is renewed afterwards", async () => {
  const { keeper, clock, released, renewals } = openKeeper();
  await keeper.start();
  const { workerId } = keeper;
  await keeper.stop();
  expect({ released, isTrusted: keeper.isTrusted }).toEqual({ released: [workerId], isTrusted: false });
  const before = renewals.length;
  await clock.advance(TTL_MS * 3);
  expect(renewals).toHaveLength(before);
});
