// Locks through real workers: nobody holds what another does, whoever waits is parked, and no end of a run leaves anything
// behind.

import { expect, test } from "vitest";
import type { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { testEnvironment } from "../../runtime/testing/environment.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  continueAsNew,
  defineSemaphore,
  defineSignal,
  isEverstepError,
  sleep,
  step,
  TimeoutFailure,
  withLock,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { withCalls } from "../support/store-calls.ts";

const go = defineSignal<string>("go");

/** Holds the lock until it is told to go on. */
const holds = workflow("holds", async (key: string) => withLock(key, () => go.receive()));
const takes = workflow("takes", async (key: string) => withLock(key, ({ fencingToken }) => fencingToken));

const leftIn = (house: House) => house.client.locks({ limit: 200 });
const isHolding = async (run: RunHandle) => (await typesOf(run)).includes("LockGranted");

async function holding(house: House, key = "a"): Promise<RunHandle<string>> {
  const run = await house.client.start(holds, { input: key });
  await eventually("the lock is held", () => isHolding(run));
  return run;
}

async function waiting(house: House, key = "a"): Promise<RunHandle<number>> {
  const run = await house.client.start(takes, { input: key });
  await eventually("the lock is asked for", async () => (await typesOf(run)).includes("LockRequested"));
  return run;
}

test("hundreds of runs on two workers: no two hold one key, tokens grow with every holder", async () => {
  const house = openHouse();
  const keys = ["a", "b", "c"];
  const inside = new Map<string, number>();
  const tokens = new Map<string, number[]>(keys.map((key) => [key, []]));
  const works = workflow("works", async (key: string) =>
    withLock(key, async ({ fencingToken }) => {
      await step("work", async () => {
        inside.set(key, (inside.get(key) ?? 0) + 1);
        expect(inside.get(key)).toBe(1);
        tokens.get(key)?.push(fencingToken);
        await new Promise((resolve) => setImmediate(resolve));
        inside.set(key, 0);
      });
    }),
  );
  for (let n = 0; n < 2; n++) await house.startWorker([works]);
  const inputs = Array.from({ length: 240 }, (_, n) => keys[n % keys.length] as string);
  const runs = await house.client.startMany(
    works,
    inputs.map((input) => ({ input })),
  );
  await Promise.all(runs.map((run) => run.result()));
  for (const seen of tokens.values()) {
    expect(seen).toHaveLength(80);
    expect(seen).toEqual([...new Set(seen)].sort((x, y) => x - y));
  }
  expect(await leftIn(house)).toEqual([]);
});

test("as many runs work under a semaphore as it has permits, and that many do", async () => {
  const house = openHouse();
  const pool = defineSemaphore("pool", { permits: 3 });
  let inside = 0;
  let most = 0;
  const works = workflow("works", async () =>
    pool.with(() =>
      step("work", async () => {
        most = Math.max(most, ++inside);
        await new Promise((resolve) => setTimeout(resolve, 2));
        inside--;
      }),
    ),
  );
  await house.startWorker([works]);
  const runs = await house.client.startMany(
    works,
    Array.from({ length: 30 }, () => ({})),
  );
  await Promise.all(runs.map((run) => run.result()));
  expect(most).toBe(3);
  expect(await leftIn(house)).toEqual([]);
});

test("a run that waits for a lock is parked; its worker may die, and so may that of the holder", async () => {
  const house = openHouse({ leaseTtlMs: 300 });
  const first = await house.startWorker([holds, takes], { lingerMs: 0 });
  const holder = await holding(house);
  const waiter = await waiting(house);
  await eventually("both are parked", () => first.stats.liveRuns === 0);
  expect((await waiter.describe()).summary).toBe('Parked: it waits for mail. Waits for lock "a".');
  await first.stop(0);
  await house.startWorker([holds, takes]);
  expect((await leftIn(house)).map(({ runId, fencingToken }) => [runId, fencingToken !== null])).toEqual([
    [holder.runId, true],
    [waiter.runId, false],
  ]);
  await holder.signal(go, "on");
  expect(await holder.result()).toBe("on");
  expect(await waiter.result()).toBeGreaterThan(1);
});

test("describe and locks say who holds a key and who waits for it", async () => {
  const house = openHouse();
  await house.startWorker([holds, takes]);
  const holder = await holding(house);
  const waiter = await waiting(house);
  const lock = { kind: "lock", command: 1, name: "a", permits: 1 };
  expect((await holder.describe()).pending?.locks).toEqual([{ ...lock, fencingToken: 1 }]);
  expect((await waiter.describe()).pending?.locks).toEqual([{ ...lock, fencingToken: null }]);
  expect(await house.client.locks({ key: "a" })).toMatchObject([
    { key: "a", runId: holder.runId, workflow: "holds", command: 1, permits: 1, capacity: 1, fencingToken: 1 },
    { key: "a", runId: waiter.runId, workflow: "takes", fencingToken: null, grantedAt: null },
  ]);
  expect(await house.client.locks({ key: "b" })).toEqual([]);
  for (const limit of [0, 201, 1.5]) {
    await expect(house.client.locks({ limit })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  await expect(house.client.locks({ key: "" })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

const ends: Readonly<Record<string, (run: RunHandle<unknown>, house: House) => Promise<unknown>>> = {
  canceled: (run) => run.cancel("enough"),
  terminated: (run) => run.terminate("enough"),
  "terminated while it is paused": async (run) => {
    await run.pause("later");
    await run.terminate("enough");
  },
  "replaced by another start": (run, { client }) =>
    client.start(holds, { id: run.workflowId, input: "another", onConflict: "terminateExisting" }),
  reset: (run) => run.reset({ at: 1 }),
};

test.each(Object.entries(ends))("when the holder is %s, the next one has the lock", async (_how, end) => {
  const house = openHouse();
  await house.startWorker([holds, takes]);
  const holder = await holding(house);
  const waiter = await waiting(house);
  await end(holder, house);
  expect(await waiter.result({ timeout: "20s" })).toBeGreaterThan(1);
});

test("when the holder's time is up, fails, is tried again or goes on as new, the next one has the lock", async () => {
  const house = openHouse();
  const endless = workflow("endless", async () => withLock("a", () => sleep("1 day")), { timeout: 100 });
  const fails = workflow("fails", async () =>
    withLock("b", async () => {
      await go.receive();
      throw new Error("no luck");
    }),
  );
  const goesOn = workflow("goesOn", async (isFirst: boolean): Promise<string> => {
    if (!isFirst) return "second";
    return withLock("c", async () => {
      await go.receive();
      return continueAsNew(false);
    });
  });
  const retried = workflow(
    "retried",
    async () => {
      if (workflowInfo().attempt > 1) return "second";
      return withLock("d", async () => {
        await go.receive();
        throw new Error("no luck");
      });
    },
    { retry: { initialInterval: 1 } },
  );
  await house.startWorker([endless, fails, goesOn, retried, takes]);
  const holders = [
    await house.client.start(endless),
    await house.client.start(fails),
    await house.client.start(goesOn, { input: true }),
    await house.client.start(retried),
  ];
  for (const holder of holders) await eventually("the lock is held", () => isHolding(holder));
  const waiters: RunHandle<number>[] = [];
  for (const key of ["a", "b", "c", "d"]) waiters.push(await waiting(house, key));
  for (const holder of holders.slice(1)) await holder.signal(go, "on");
  for (const waiter of waiters) expect(await waiter.result({ timeout: "20s" })).toBeGreaterThan(1);
  expect(await holders[2]?.result()).toBe("second");
  expect(await holders[3]?.result()).toBe("second");
  await eventually("nothing is left", async () => (await leftIn(house)).length === 0);
});

test("a waiter that is canceled, terminated or too late is not in the way of those behind it", async () => {
  const house = openHouse();
  const impatient = workflow("impatient", async () =>
    withLock("a", () => "never", { timeout: 20 }).catch((error: unknown) => error instanceof TimeoutFailure),
  );
  await house.startWorker([holds, takes, impatient]);
  const holder = await holding(house);
  const [canceled, terminated] = [await waiting(house), await waiting(house)];
  const late = await house.client.start(impatient);
  const last = await waiting(house);
  await canceled.cancel("enough");
  await terminated.terminate("enough");
  expect(await late.result()).toBe(true);
  await expect(canceled.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  await holder.signal(go, "on");
  expect(await last.result()).toBeGreaterThan(1);
  await eventually("nothing is left", async () => (await leftIn(house)).length === 0);
});

test("a paused run keeps the lock it holds, and its place while it waits", async () => {
  const house = openHouse();
  await house.startWorker([holds, takes]);
  const holder = await holding(house);
  const waiter = await waiting(house);
  const last = await waiting(house);
  await waiter.pause("later");
  await holder.signal(go, "on");
  await eventually("its turn has come", async () => {
    const [first] = await leftIn(house);
    return first?.runId === waiter.runId && first?.fencingToken !== null;
  });
  await waiter.resume();
  expect(await waiter.result()).toBeGreaterThan(1);
  expect(await last.result()).toBeGreaterThan(1);
});

test("a run is not moved to another database while it holds a lock", async () => {
  const house = openHouse();
  await house.startWorker([holds]);
  const run = await holding(house);
  const refused = expect.objectContaining({ code: "ARGUMENT_INVALID", message: expect.stringContaining('lock "a"') });
  await expect(
    house.client.importRun({ ...(await run.export()), runId: "01J00000000000000000000000", workflowId: "moved" }),
  ).rejects.toThrow(refused);
});

test("a run may be asked for its lock by two branches, and never by itself", async () => {
  const house = openHouse();
  const order: string[] = [];
  const main = workflow("main", async () => {
    const branch = (name: string) => withLock("a", () => step(name, () => order.push(name)));
    await Promise.all(["one", "two", "three"].map(branch));
    return withLock("a", () => withLock("a", () => 1)).catch((error: unknown) => isEverstepError(error, "LOCK_HELD"));
  });
  await house.startWorker([main]);
  expect(await (await house.client.start(main)).result()).toBe(true);
  expect(order).toEqual(["one", "two", "three"]);
});

/** Calls of the store that commit, in order. */
function counting(calls: string[]): (store: MemoryStore) => Store {
  return (store) =>
    new Proxy(store as Store, {
      get(target, name) {
        const part = Reflect.get(target, name) as unknown;
        if (typeof part !== "function") return part;
        return (...given: unknown[]) => {
          const isCounted = /^append|^readMail|^runErrands/.test(String(name));
          if (isCounted) calls.push(String(name));
          return (part as (...given: unknown[]) => unknown).apply(target, given);
        };
      },
    });
}

test("a lock that nobody holds costs two commits before its body, and none of its own at the end of the run", async () => {
  const calls: string[] = [];
  const house = openHouse({ wrapStore: counting(calls) });
  const main = workflow("main", async () =>
    withLock("a", () => step("work", () => calls.push("work")), { timeout: "1h" }),
  );
  await house.startWorker([main], { rescueEveryMs: 60_000 });
  await eventually("the worker has looked around", () => calls.includes("runErrands"));
  calls.length = 0;
  const run = await house.client.start(main);
  await run.result();
  // What it was granted came with the answer: it did not read its mailbox.
  expect(calls.filter((call) => call !== "runErrands")).toEqual([
    "appendWithEffects",
    "appendTurns",
    "work",
    "appendWithEffects",
  ]);
  expect(await typesOf(run)).toEqual([
    "RunStarted",
    "LockRequested",
    "TimerStarted",
    "LockGranted",
    "StepCompleted",
    "RunCompleted",
  ]);
});

test("a run that has let go of its locks ends by the statement that all others end by", async () => {
  const calls: string[] = [];
  const house = openHouse({ wrapStore: counting(calls) });
  const main = workflow("main", async () => {
    await withLock("a", () => step("under the lock", () => {}));
    await step("after it", () => {});
  });
  await house.startWorker([main], { rescueEveryMs: 60_000 });
  await (await house.client.start(main)).result();
  // Let go of in the turn of the step that was the last under it; the end has nothing to do with it.
  expect(calls.filter((call) => call.startsWith("append"))).toEqual([
    "appendWithEffects",
    "appendTurns",
    "appendWithEffects",
    "appendTurns",
  ]);
});

test("a lost answer to the request: the grant is found all the same, and only once", async () => {
  let isLost = false;
  const house = openHouse({
    wrapStore: (store) =>
      withCalls(store, {
        async appendWithEffects(turns) {
          const answer = await store.appendWithEffects(turns);
          if (isLost) return answer;
          isLost = true;
          throw new Error("connection lost");
        },
      }),
  });
  await house.startWorker([takes], { pollMs: 60_000 });
  const run = await house.client.start(takes, { input: "a" });
  expect(await run.result({ timeout: "10s" })).toBe(1);
  expect((await historyOf(run)).filter(({ type }) => type === "LockGranted")).toHaveLength(1);
});

test("in a test environment a day under a lock takes no time, and whoever waits gets it then", async () => {
  const slow = workflow("slow", async () => withLock("a", () => sleep("1 day")));
  const env = await testEnvironment({ workflows: [slow, takes] });
  try {
    const first = await env.client.start(slow);
    await env.advance("1h");
    const second = await env.client.start(takes, { input: "a" });
    expect(await second.result()).toBe(2);
    await first.result();
  } finally {
    await env.stop();
  }
});
