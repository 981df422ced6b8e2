// Forks of runs with locks, through real workers: nothing of a fork happens under a lock before it has it again, and what it has
// is under another token.

import { expect, test } from "vitest";
import { replayEveryPrefix } from "../../runtime/testing/replay-every-prefix.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  defineQuery,
  defineSemaphore,
  defineSignal,
  isCanceled,
  sleep,
  step,
  TimeoutFailure,
  withLock,
  workflow,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";

const KEY = "account:7";
const go = defineSignal<string>("go");
const phase = defineQuery<string>("phase");

const holds = workflow("holds", async () => withLock(KEY, () => go.receive()));
const takes = workflow("takes", async () => withLock(KEY, ({ fencingToken }) => fencingToken));

/** Pays under a lock, which fails until it is mended. */
function breakable() {
  const state = { isMended: false, tokens: [] as number[] };
  const pays = workflow("pays", async () =>
    withLock(KEY, async (lock) => {
      const before = lock.fencingToken;
      phase.handle(() => `token ${lock.fencingToken}`);
      await step("look", () => {});
      await step(
        "pay",
        () => {
          state.tokens.push(lock.fencingToken);
          if (!state.isMended) throw new Error("the bank is closed");
        },
        { retry: { maxAttempts: 1 } },
      );
      return { before, after: lock.fencingToken };
    }),
  );
  return { state, pays };
}

async function failed(house: House) {
  const { state, pays } = breakable();
  await house.startWorker([pays, holds, takes]);
  const run = await house.client.start(pays);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  state.isMended = true;
  return { state, pays, run };
}

async function holding(house: House): Promise<RunHandle<string>> {
  const run = await house.client.start(holds);
  await eventually("the lock is held", async () => (await typesOf(run)).includes("LockGranted"));
  return run;
}

const queueOf = async ({ client }: House) =>
  (await client.locks({ key: KEY })).map(({ runId, fencingToken }) => [runId, fencingToken !== null]);

test("a step that failed under a lock is made again under it, with the new token where it is looked at", async () => {
  const house = openHouse();
  const { state, pays, run } = await failed(house);
  const retried = await run.retryFrom();
  const { before, after } = await retried.result();
  expect(after).toBeGreaterThan(before);
  expect(state.tokens).toEqual([before, after]);
  const events = await historyOf(retried);
  expect(events.map(({ type }) => type)).toEqual([
    "RunStarted",
    "LockRequested",
    "LockGranted",
    "StepCompleted",
    "RunForked",
    "LockRegained",
    "StepCompleted",
    "RunCompleted",
  ]);
  await replayEveryPrefix(pays, await retried.export());
  expect(await queueOf(house)).toEqual([]);
});

test("while another run holds the lock the fork stands still, and says so; what comes for it waits", async () => {
  const house = openHouse();
  const { state, run } = await failed(house);
  const holder = await holding(house);
  const retried = await run.retryFrom();
  await retried.signal(go, "early");
  expect(await retried.query(phase)).toMatch(/^token \d+$/);
  expect(await queueOf(house)).toEqual([
    [holder.runId, true],
    [retried.runId, false],
  ]);
  const description = await retried.describe();
  expect(description.summary).toBe(
    `Forked: it stands still until it has the lock again that it held. Waits for step "pay", lock "${KEY}".`,
  );
  expect(description.pending?.locks).toEqual([{ kind: "lock", command: 1, name: KEY, permits: 1, fencingToken: null }]);
  expect(state.tokens).toHaveLength(1);

  await holder.signal(go, "on");
  const { after } = await retried.result();
  expect(state.tokens).toEqual([expect.any(Number), after]);
  const types = await typesOf(retried);
  expect(types.indexOf("LockRegained")).toBe(types.indexOf("RunForked") + 1);
  expect(types.indexOf("SignalReceived")).toBeGreaterThan(types.indexOf("LockRegained"));
});

test("a fork beside a holder waits for it, and does nothing meanwhile: no timer fires under a lock it has not", async () => {
  const house = openHouse();
  const naps = workflow("naps", async () => {
    await withLock(KEY, async () => {
      await sleep(20);
      await go.receive();
    });
    return "done";
  });
  await house.startWorker([naps]);
  const run = await house.client.start(naps);
  await eventually("the sleep is over", async () => (await typesOf(run)).includes("TimerFired"));
  const at = (await historyOf(run)).findIndex(({ type }) => type === "TimerStarted") + 1;
  const copy = await run.fork({ id: "copy", at });
  expect((await typesOf(copy)).at(-1)).toBe("RunForked");
  await copy.signal(go, "copy");
  await run.signal(go, "on");
  expect(await run.result()).toBe("done");
  expect(await copy.result()).toBe("done");
  const types = await typesOf(copy);
  expect(types.indexOf("TimerFired")).toBeGreaterThan(types.indexOf("LockRegained"));
});

test("an open holder that is reset keeps the lock from those who wait", async () => {
  const house = openHouse();
  await house.startWorker([holds, takes]);
  const holder = await holding(house);
  const waiter = await house.client.start(takes);
  await eventually("the lock is asked for", async () => (await queueOf(house)).length === 2);
  const fork = await holder.reset();
  expect(await queueOf(house)).toEqual([
    [fork.runId, true],
    [waiter.runId, false],
  ]);
  await fork.signal(go, "on");
  expect(await fork.result()).toBe("on");
  const regained = (await historyOf(fork)).find(({ type }) => type === "LockRegained");
  expect(await waiter.result()).toBeGreaterThan((regained as { fencingToken: number }).fencingToken);
});

test("a run that waits for a lock is reset without losing its place, and gets it by its own request", async () => {
  const house = openHouse();
  await house.startWorker([holds, takes]);
  const holder = await holding(house);
  const first = await house.client.start(takes);
  await eventually("the lock is asked for", async () => (await queueOf(house)).length === 2);
  const last = await house.client.start(takes);
  await eventually("the lock is asked for again", async () => (await queueOf(house)).length === 3);
  const fork = await first.reset();
  expect((await queueOf(house)).map(([runId]) => runId)).toEqual([holder.runId, fork.runId, last.runId]);
  await holder.signal(go, "on");
  expect(await last.result()).toBeGreaterThan(await fork.result());
  expect(await typesOf(fork)).not.toContain("LockRegained");
});

test("the limit of a wait for a lock is when it was: the fork may be too late at once", async () => {
  const house = openHouse();
  const impatient = workflow("impatient", async () =>
    withLock(KEY, () => "in time", { timeout: 60 }).catch((error: unknown) => error instanceof TimeoutFailure),
  );
  await house.startWorker([holds, impatient]);
  const holder = await holding(house);
  const run = await house.client.start(impatient);
  expect(await run.result()).toBe(true);
  const at = (await historyOf(run)).findIndex(({ type }) => type === "TimerStarted") + 1;
  const fork = await run.fork({ at });
  expect(await fork.result()).toBe(true);
  expect(await queueOf(house)).toEqual([[holder.runId, true]]);
});

test("a fork that stands still is terminated at once; a cancel is taken when it has its lock", async () => {
  const house = openHouse();
  const cleaned: number[] = [];
  const tidy = workflow("tidy", async () =>
    withLock(KEY, async (lock) => {
      try {
        return await go.receive();
      } catch (error) {
        cleaned.push(lock.fencingToken);
        return isCanceled(error) ? "canceled" : "failed";
      }
    }),
  );
  await house.startWorker([tidy]);
  const run = await house.client.start(tidy);
  await eventually("the lock is held", async () => (await typesOf(run)).includes("LockGranted"));
  const [terminated, canceled] = [await run.fork({ id: "one" }), await run.fork({ id: "two" })];
  await terminated.terminate("enough");
  await canceled.cancel("enough");
  expect(await queueOf(house)).toEqual([
    [run.runId, true],
    [canceled.runId, false],
  ]);
  expect(cleaned).toEqual([]);
  await run.signal(go, "on");
  expect(await canceled.result()).toBe("canceled");
  expect(cleaned).toEqual([expect.any(Number)]);
  expect(cleaned[0]).toBeGreaterThan(1);
});

test("permits of a semaphore are regained as they were held, and a fork of a fork gets another token", async () => {
  const house = openHouse();
  const gpus = defineSemaphore("gpus", { permits: 3 });
  const trains = workflow("trains", async () =>
    gpus.with(
      async (held) => {
        const tokens = [held.fencingToken];
        for (let round = 0; round < 2; round++) {
          await go.receive();
          tokens.push(held.fencingToken);
        }
        return tokens;
      },
      { permits: 2 },
    ),
  );
  await house.startWorker([trains]);
  const run = await house.client.start(trains);
  await eventually("the permits are held", async () => (await typesOf(run)).includes("LockGranted"));
  const fork = await run.reset();
  await fork.signal(go, "first");
  await eventually("the signal is taken", async () => (await typesOf(fork)).includes("SignalReceived"));
  const again = await fork.reset();
  expect(await house.client.locks({ key: "gpus" })).toMatchObject([
    { runId: again.runId, permits: 2, capacity: 3, fencingToken: 3 },
  ]);
  await again.signal(go, "second");
  expect(await again.result()).toEqual([1, 2, 3]);
  await replayEveryPrefix(trains, await again.export());
});

test("a lock that the code has let go of by then is let go by the fork, once it has it", async () => {
  const house = openHouse();
  const main = workflow("main", async () => {
    await withLock(KEY, () => step("under it", () => {}));
    return go.receive();
  });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the lock is let go", async () => (await typesOf(run)).includes("LockReleased"));
  const at = (await historyOf(run)).findIndex(({ type }) => type === "StepCompleted") + 1;
  const fork = await run.fork({ id: "fork", at });
  await eventually("nobody has it", async () => (await queueOf(house)).length === 0);
  await fork.signal(go, "on");
  expect(await fork.result()).toBe("on");
  expect(await typesOf(fork)).toEqual(expect.arrayContaining(["LockRegained", "LockReleased"]));
});
