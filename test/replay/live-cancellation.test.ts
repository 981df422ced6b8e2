// Canceling, terminating, losing and closing runs whose steps are under way: bodies are told at once, and nothing of
// what they do afterwards is taken for the run's.

import { expect, test } from "vitest";
import type { MemoryLeaseKeeper } from "../../runtime/lease/memory/memory-leases.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineSignal, nonCancellable, type StepOptions, sleep, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";

/** A step that hangs until it is told to stop, or until the test ends it. */
function hangingStep(options: StepOptions = {}) {
  const told: unknown[] = [];
  const calls: number[] = [];
  let finish: (value: string) => void = () => {};
  const main = workflow("hanging", async () =>
    step(
      "hang",
      ({ signal, attempt }) => {
        calls.push(attempt);
        return new Promise<string>((resolve, reject) => {
          finish = resolve;
          signal.addEventListener("abort", () => {
            told.push(signal.reason);
            reject(signal.reason);
          });
        });
      },
      options,
    ),
  );
  return { main, told, calls, finish: (value: string) => finish(value) };
}

function underWay(calls: readonly number[]) {
  return eventually("the step is under way", () => calls.length > 0);
}

test("a step under way is aborted at once, and the run ends as canceled", async () => {
  const { main, told, calls } = hangingStep();
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  await run.cancel("changed my mind");
  await expect(run.result()).rejects.toMatchObject({
    code: "RUN_FAILED",
    cause: { kind: "canceled", message: "changed my mind" },
  });
  expect(told).toMatchObject([{ name: "CanceledFailure", message: "changed my mind" }]);
  expect(await historyOf(run)).toMatchObject([
    { type: "RunStarted" },
    { type: "CancelRequested", reason: "changed my mind" },
    { type: "StepFailed", failure: { kind: "canceled" } },
    { type: "RunCanceled" },
  ]);
});

test("a step that finishes although it was aborted is recorded as finished", async () => {
  let finish: (value: string) => void = () => {};
  const main = workflow("deaf", async () => step("deaf", () => new Promise<string>((resolve) => (finish = resolve))));
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  await run.cancel();
  await eventually("the request is in the history", async () => (await typesOf(run)).includes("CancelRequested"));
  const pending = (await run.describe()).pending?.steps;
  expect(pending).toMatchObject([{ name: "deaf", isCancelRequested: true }]);
  finish("charged");
  expect(await run.result()).toBe("charged");
});

test("a step that is only tried to be canceled is let go at once; its signal aborts all the same", async () => {
  const { main, told, calls } = hangingStep({ onCancel: "try" });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
  expect(await typesOf(run)).toEqual(["RunStarted", "CancelRequested", "RunCanceled"]);
  expect(told).toHaveLength(1);
});

test("an abandoned step is let go at once and not told; what it comes to is recorded nowhere, and its worker waits for it", async () => {
  const { main, told, calls, finish } = hangingStep({ onCancel: "abandon" });
  const house = openHouse();
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
  const types = ["RunStarted", "CancelRequested", "RunCanceled"];
  expect(await typesOf(run)).toEqual(types);
  expect(told).toEqual([]);
  expect(worker.stats).toMatchObject({ liveRuns: 0, stepsUnderWay: 1 });
  let hasStopped = false;
  const stopping = worker.stop(60_000).then(() => (hasStopped = true));
  // A worker with nothing under way has stopped long before.
  for (let turn = 0; turn < 200; turn += 1) await new Promise(setImmediate);
  expect(hasStopped).toBe(false);
  finish("late");
  await stopping;
  expect(told).toEqual([]);
  expect(worker.stats.stepsUnderWay).toBe(0);
  expect(await typesOf(run)).toEqual(types);
});

test("an abandoned body ends by its limit of time, or with the grace of a worker that stops", async () => {
  const limited = hangingStep({ onCancel: "abandon", timeout: 300 });
  const endless = hangingStep({ onCancel: "abandon" });
  const house = openHouse();
  for (const { main, calls } of [limited, endless]) {
    const worker = await house.startWorker([main], { queues: [String(calls.length)] });
    const run = await house.client.start(main, { queue: String(calls.length) });
    await underWay(calls);
    await run.cancel();
    await run.result().catch(() => {});
    if (main === limited.main) await eventually("its time has passed", () => limited.told.length > 0);
    await worker.stop(0);
  }
  expect(limited.told).toMatchObject([{ name: "TimeoutFailure" }]);
  expect(endless.told).toMatchObject([{ code: "LEASE_LOST" }]);
});

test("an abandoned step that has no place yet never begins, and says no more of its progress once it is left", async () => {
  const begun: string[] = [];
  let beat: () => void = () => {};
  let finish: () => void = () => {};
  const main = workflow("crowded", async () => {
    const hang = (name: string) =>
      step(
        name,
        ({ heartbeat }) => {
          begun.push(name);
          beat = () => heartbeat("at it");
          return new Promise<void>((resolve) => (finish = resolve));
        },
        { onCancel: "abandon" },
      );
    await Promise.all([hang("first"), hang("second")]);
  });
  const house = openHouse();
  const worker = await house.startWorker([main], { maxSteps: 1 });
  const run = await house.client.start(main);
  await eventually("the first has begun", () => begun.length === 1);
  await run.cancel();
  await run.result().catch(() => {});
  beat();
  finish();
  await eventually("its place is free", () => worker.stats.stepsUnderWay === 0 && worker.stats.stepsWaiting === 0);
  expect(begun).toEqual(["first"]);
  const [history] = await house.store.loadHistories([run.runId ?? ""]);
  expect(history?.heartbeats).toEqual([]);
});

test("a step that waits for its next attempt ends without it", async () => {
  let attempts = 0;
  const main = workflow("backoff", async () =>
    step("work", () => Promise.reject(new Error(`no ${++attempts}`)), { retry: { initialInterval: "1h" } }),
  );
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the attempt failed", async () => (await typesOf(run)).includes("StepAttemptFailed"));
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
  expect(attempts).toBe(1);
  expect((await historyOf(run)).at(-2)).toMatchObject({
    type: "StepFailed",
    attempt: 1,
    failure: { kind: "canceled" },
  });
});

test("a parked run is woken by the request, and a step in its backoff ends there too", async () => {
  const main = workflow("parked", async () =>
    step("work", () => Promise.reject(new Error("no")), { retry: { initialInterval: "1h" } }),
  );
  const house = openHouse();
  const worker = await house.startWorker([main], { lingerMs: 1 });
  const run = await house.client.start(main);
  await eventually("the run is parked", () => worker.stats.parked === 1);
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
});

test("a request from before the start lets no step begin", async () => {
  let calls = 0;
  const main = workflow("early", async () =>
    step("work", () => {
      calls++;
    }),
  );
  const house = openHouse();
  const run = await house.client.start(main);
  await run.cancel("never mind");
  await house.startWorker([main]);
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled", message: "never mind" } });
  expect(calls).toBe(0);
});

test("asking twice records it once", async () => {
  const { main, calls } = hangingStep();
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  await Promise.all([run.cancel("first"), run.cancel("second")]);
  await expect(run.result()).rejects.toMatchObject({ cause: { message: "first" } });
  expect((await typesOf(run)).filter((type) => type === "CancelRequested")).toHaveLength(1);
});

test("cleaning up uses steps, and the run ends as canceled when it is done", async () => {
  const undone: string[] = [];
  const main = workflow("saga", async () => {
    await step("charge", () => {});
    try {
      await sleep("1h");
    } catch (error) {
      await nonCancellable(async () => {
        await step("refund", () => undone.push("refund"));
        await sleep(5);
        await step("tell", () => undone.push("tell"));
      });
      throw error;
    }
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the run sleeps", async () => (await typesOf(run)).includes("TimerStarted"));
  await run.cancel();
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled" } });
  expect(undone).toEqual(["refund", "tell"]);
});

test("a request that races with the end leaves one end, whichever it is", async () => {
  const house = openHouse();
  const main = workflow("quick", async () => step("work", () => "done"));
  await house.startWorker([main]);
  const runs = await Promise.all(Array.from({ length: 30 }, () => house.client.start(main)));
  const ends = await Promise.all(
    runs.map(async (run) => {
      const asked = run.cancel().catch((error) => (error as { code: string }).code);
      const end = await run.result().catch((error) => (error as { cause: { kind: string } }).cause.kind);
      return { asked: await asked, end, closings: await closings(run) };
    }),
  );
  for (const { asked, end, closings } of ends) {
    expect(closings).toBe(1);
    expect(["done", "canceled"]).toContain(end);
    if (asked === "RUN_CLOSED") expect(end).toBe("done");
  }
});

async function closings(run: RunHandle): Promise<number> {
  return (await typesOf(run)).filter((type) => ["RunCompleted", "RunCanceled", "RunFailed"].includes(type)).length;
}

test("a terminated run's steps are told, and what they return is lost", async () => {
  const { main, told, calls } = hangingStep();
  const house = openHouse({ leaseTtlMs: 300 });
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  await run.terminate("out of patience");
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED", cause: { kind: "terminated" } });
  expect(await typesOf(run)).toEqual(["RunStarted", "RunTerminated"]);
  await eventually("the step was told", () => told.length === 1);
});

test("steps still under way when the run ends are told to stop", async () => {
  const told: unknown[] = [];
  const main = workflow("race", async () => {
    const slow = step(
      "slow",
      ({ signal }) =>
        new Promise((_, reject) =>
          signal.addEventListener("abort", () => {
            told.push(signal.reason);
            reject(signal.reason);
          }),
        ),
    );
    return Promise.race([slow, step("quick", () => "first")]);
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toBe("first");
  expect(told).toMatchObject([{ kind: "terminated" }]);
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted", "RunCompleted"]);
});

test("a worker whose lease ran out tells its steps, and another makes the attempt again as the same", async () => {
  const { main, told, calls, finish } = hangingStep();
  const house = openHouse({ leaseTtlMs: 300 });
  const lost = await house.startWorker([main], { unblockEveryMs: 60_000 });
  const run = await house.client.start(main);
  await underWay(calls);
  breakFor(house.keeper, lost.stats.workerId);
  await eventually("the step was told", () => told.length === 1);
  expect(told).toMatchObject([{ code: "LEASE_LOST" }]);
  await eventually("the step is made again", () => calls.length === 2);
  finish("done");
  expect(await run.result()).toBe("done");
  expect(calls).toEqual([1, 1]);
  expect(await historyOf(run)).toMatchObject([{}, { type: "StepCompleted", attempt: 1 }, {}]);
});

/** From now on the keeper refuses to renew the lease of this worker. */
function breakFor(keeper: MemoryLeaseKeeper, workerId: string): void {
  const renew = keeper.renew.bind(keeper);
  keeper.renew = (id) => {
    if (id === workerId) throw new Error("the lease keeper cannot be reached");
    renew(id);
  };
}

test("details of a heartbeat reach the attempt that another worker makes after this one was lost", async () => {
  const seen: unknown[] = [];
  const go = defineSignal("go");
  const main = workflow("beating", async () => {
    void go;
    return step("work", ({ heartbeat, lastHeartbeat, attempt }) => {
      seen.push({ attempt, lastHeartbeat });
      if (seen.length > 1) return lastHeartbeat;
      heartbeat({ page: 7 });
      return new Promise(() => {});
    });
  });
  const house = openHouse({ leaseTtlMs: 300 });
  const lost = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the heartbeat is kept", async () => {
    const [history] = await house.store.loadHistories([run.runId ?? ""]);
    return history?.heartbeats.length === 1;
  });
  breakFor(house.keeper, lost.stats.workerId);
  expect(await run.result()).toEqual({ page: 7 });
  expect(seen).toEqual([
    { attempt: 1, lastHeartbeat: undefined },
    { attempt: 1, lastHeartbeat: { page: 7 } },
  ]);
});

test("a worker that stops lets steps end within its grace, and tells those that do not", async () => {
  const { main, told, calls, finish } = hangingStep();
  const house = openHouse();
  const patient = await house.startWorker([main]);
  const run = await house.client.start(main);
  await underWay(calls);
  const stopped = patient.stop(30_000);
  finish("in time");
  await stopped;
  expect(told).toEqual([]);
  await house.startWorker([main]);
  expect(await run.result()).toBe("in time");

  const second = hangingStep();
  const hurried = await house.startWorker([second.main], { queues: ["other"] });
  await house.client.start(second.main, { queue: "other" });
  await underWay(second.calls);
  await hurried.stop(0);
  expect(second.told).toMatchObject([{ code: "LEASE_LOST" }]);
});
