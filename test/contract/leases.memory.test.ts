// Leases in memory, on a clock moved by hand: the contract, and the grace of a keeper that lost its memory.

import { expect, test } from "vitest";
import { MemoryLeaseKeeper } from "../../runtime/lease/memory/memory-leases.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { leasesContract } from "./leases.ts";

const ttlMs = 1_000;

leasesContract("memory", async () => {
  const clock = new ManualClock();
  const keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs } });
  return {
    ttlMs,
    open: () => keeper.open(),
    pass: (ms) => clock.advance(ms),
    until: async (what, fact) => {
      for (let tries = 0; !(await fact()); tries++) {
        if (tries > 1_000) throw new Error(`Never true: ${what}.`);
        await clock.advance(10);
      }
    },
    close: async () => {},
  };
});

test("a keeper that forgot everything declares nobody gone until one ttl after the first call", async () => {
  const clock = new ManualClock();
  const keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs } });
  const leases = keeper.open();
  await leases.renew("a");
  await clock.advance(ttlMs + 1);
  expect(await leases.expired(["a"])).toEqual(["a"]);
  keeper.forget();
  await clock.advance(ttlMs * 5);
  expect(await leases.expired(["a", "b"])).toEqual([]);
  await clock.advance(ttlMs - 1);
  await leases.renew("b");
  expect(await leases.expired(["a", "b"])).toEqual([]);
  await clock.advance(1);
  expect(await leases.expired(["a", "b"])).toEqual(["a"]);
});
