// The one suite that every keeper of leases must pass. It runs on a real clock and on one that is moved by hand; every
// `open` is another process that asks the same keeper.

import { randomUUID } from "node:crypto";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import type { Leases } from "../../runtime/lease/leases.ts";

export interface LeaseStage {
  readonly ttlMs: number;
  open(): Leases;
  /** Lets time go by. */
  pass(ms: number): Promise<void>;
  /** Lets time go by until `fact` holds. */
  until(what: string, fact: () => Promise<boolean>): Promise<unknown>;
  close(): Promise<void>;
}

export function leasesContract(name: string, openStage: () => Promise<LeaseStage>): void {
  describe(`leases in ${name}`, () => {
    let stage: LeaseStage;
    let opened: Leases[] = [];
    const open = (): Leases => {
      const leases = stage.open();
      opened.push(leases);
      return leases;
    };
    const isExpired = async (leases: Leases, workerId: string) => (await leases.expired([workerId])).includes(workerId);
    /** After the keeper's grace period, where it has one. */
    const openJudging = async (): Promise<Leases> => {
      const leases = open();
      await stage.until("a stranger is judged", () => isExpired(leases, randomUUID()));
      return leases;
    };

    beforeAll(async () => {
      stage = await openStage();
    });
    afterEach(async () => {
      await Promise.all(opened.map((leases) => leases.close()));
      opened = [];
    });
    afterAll(() => stage?.close());

    test("a worker that never had a lease is expired, one that has just renewed is not", async () => {
      const leases = await openJudging();
      const [alive, stranger] = [randomUUID(), randomUUID()];
      await leases.renew(alive);
      expect(await leases.expired([stranger, alive])).toEqual([stranger]);
    });

    test("a lease that is not renewed runs out", async () => {
      const leases = await openJudging();
      const worker = randomUUID();
      await leases.renew(worker);
      expect(await isExpired(leases, worker)).toBe(false);
      await stage.until("the lease has run out", () => isExpired(leases, worker));
    });

    test("a lease that is renewed in time outlives its ttl", async () => {
      const leases = await openJudging();
      const worker = randomUUID();
      for (let passedMs = 0; passedMs < stage.ttlMs * 2; passedMs += stage.ttlMs / 5) {
        await leases.renew(worker);
        await stage.pass(stage.ttlMs / 5);
        expect(await isExpired(leases, worker)).toBe(false);
      }
    });

    test("a released lease is gone at once, and can be taken again", async () => {
      const leases = await openJudging();
      const worker = randomUUID();
      await leases.renew(worker);
      await leases.release(worker);
      expect(await isExpired(leases, worker)).toBe(true);
      await leases.renew(worker);
      expect(await isExpired(leases, worker)).toBe(false);
    });

    test("releasing touches no other worker's lease, and what was never held may be released", async () => {
      const leases = await openJudging();
      const [one, other] = [randomUUID(), randomUUID()];
      await Promise.all([leases.renew(one), leases.renew(other)]);
      await leases.release(one);
      await leases.release(randomUUID());
      expect(await leases.expired([one, other])).toEqual([one]);
    });

    test("another process sees the same leases", async () => {
      const [mine, theirs] = [await openJudging(), open()];
      const [alive, dead] = [randomUUID(), randomUUID()];
      await mine.renew(alive);
      await stage.until("the dead one is judged", async () => {
        await mine.renew(alive);
        const expired = await theirs.expired([alive, dead]);
        expect(expired).not.toContain(alive);
        return expired.includes(dead);
      });
    });

    test("of nobody, nobody is expired; of many, exactly the dead", async () => {
      const leases = await openJudging();
      expect(await leases.expired([])).toEqual([]);
      const workers = Array.from({ length: 200 }, () => randomUUID());
      const alive = workers.filter((_, index) => index % 2 === 0);
      await Promise.all(alive.map((worker) => leases.renew(worker)));
      const expired = await leases.expired(workers);
      expect(expired.sort()).toEqual(workers.filter((worker) => !alive.includes(worker)).sort());
    });

    test("once closed, every call rejects with LEASE_UNAVAILABLE, and closing again is harmless", async () => {
      const leases = open();
      await leases.close();
      await leases.close();
      const unavailable = expect.objectContaining({ code: "LEASE_UNAVAILABLE", retryable: true });
      await expect(leases.renew(randomUUID())).rejects.toEqual(unavailable);
      await expect(leases.release(randomUUID())).rejects.toEqual(unavailable);
      await expect(leases.expired([randomUUID()])).rejects.toEqual(unavailable);
    });
  });
}
