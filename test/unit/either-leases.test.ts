// Two keepers as one: every combination of what they can say, and that neither holds up the other.

import { describe, expect, test } from "vitest";
import { EitherLeases } from "../../runtime/lease/either.ts";
import type { Leases } from "../../runtime/lease/leases.ts";
import { MemoryLeaseKeeper } from "../../runtime/lease/memory/memory-leases.ts";
import { leaseUnavailable } from "../../runtime/lease/unavailable.ts";
import { ManualClock } from "../support/manual-clock.ts";

type State = "alive" | "dead" | "grace" | "down";

const failure = (call: "renew" | "release" | "expired") => leaseUnavailable({ keeper: "memory", call }, "down");

/** A keeper that knows one worker, called w. */
function keeperIn(state: State): Leases {
  const may = (call: "renew" | "release") => async () => {
    if (state === "down") throw failure(call);
  };
  return {
    renew: may("renew"),
    release: may("release"),
    expired: async (workerIds) => {
      if (state === "down") throw failure("expired");
      return state === "grace" ? [] : workerIds.filter((workerId) => state === "dead" || workerId !== "w");
    },
    close: async () => {},
  };
}

const either = (primary: State, fallback: State) =>
  new EitherLeases({ primary: keeperIn(primary), fallback: keeperIn(fallback) });

describe("a worker is expired only when every keeper that can tell says so", () => {
  test.each<[State, State, string[]]>([
    ["alive", "alive", []],
    ["alive", "dead", []],
    ["alive", "grace", []],
    ["dead", "alive", []],
    ["dead", "dead", ["w"]],
    ["dead", "grace", []],
    ["grace", "alive", []],
    ["grace", "dead", ["w"]],
    ["grace", "grace", []],
    ["down", "alive", []],
    ["down", "dead", ["w"]],
    ["down", "grace", []],
  ])("primary %s, fallback %s: %j", async (primary, fallback, expired) => {
    expect(await either(primary, fallback).expired(["w"])).toEqual(expired);
  });

  test.each<State>(["alive", "dead", "grace", "down"])(
    "primary %s, fallback down: nobody is judged",
    async (primary) => {
      await expect(either(primary, "down").expired(["w"])).rejects.toMatchObject({ code: "LEASE_UNAVAILABLE" });
    },
  );
});

describe("renewing and releasing", () => {
  test.each<[State, State, boolean]>([
    ["alive", "alive", true],
    ["alive", "down", true],
    ["down", "alive", true],
    ["down", "down", false],
  ])("renewing with primary %s and fallback %s holds: %s", async (primary, fallback, isHeld) => {
    const renewal = either(primary, fallback).renew("w");
    if (isHeld) await renewal;
    else await expect(renewal).rejects.toMatchObject({ code: "LEASE_UNAVAILABLE" });
  });

  test.each<[State, State, boolean]>([
    ["alive", "alive", true],
    ["alive", "down", false],
    ["down", "alive", false],
    ["down", "down", false],
  ])("a release with primary %s and fallback %s is known to be whole: %s", async (primary, fallback, isReleased) => {
    const release = either(primary, fallback).release("w");
    if (isReleased) await release;
    else await expect(release).rejects.toMatchObject({ code: "LEASE_UNAVAILABLE" });
  });

  test("a keeper that never answers does not hold up the one that does, on either side", async () => {
    const silent: Leases = { ...keeperIn("alive"), renew: () => new Promise(() => {}) };
    await new EitherLeases({ primary: silent, fallback: keeperIn("alive") }).renew("w");
    await new EitherLeases({ primary: keeperIn("alive"), fallback: silent }).renew("w");
  });

  test("a lease lives in both keepers, so losing either's memory leaves the other's word", async () => {
    const clock = new ManualClock();
    const settings = { ttlMs: 1_000 };
    const [first, second] = [new MemoryLeaseKeeper({ clock, settings }), new MemoryLeaseKeeper({ clock, settings })];
    const leases = new EitherLeases({ primary: first.open(), fallback: second.open() });
    await leases.renew("w");
    await clock.advance(1_000);
    await leases.renew("w");
    expect(await leases.expired(["w", "gone"])).toEqual(["gone"]);
    // The primary is emptied: in its grace the other decides, and knows both.
    first.forget();
    expect(await leases.expired(["w", "gone"])).toEqual(["gone"]);
    second.forget();
    expect(await leases.expired(["w", "gone"])).toEqual([]);
    await leases.close();
    await expect(leases.renew("w")).rejects.toMatchObject({ code: "LEASE_UNAVAILABLE" });
  });
});
