// Scopes, races, batches, polls and sagas through a real worker: bodies are told at once, and the history that forms
// replays.

import { expect, test } from "vitest";
import { testEnvironment } from "../../runtime/testing/environment.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  defineSignal,
  map,
  poll,
  race,
  type StepContext,
  type StepOptions,
  saga,
  sleep,
  step,
  TimeoutFailure,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const go = defineSignal("go");

/** A step that hangs until it is told to stop, and notes why it was. */
function hanging(name: string, told: unknown[], options: StepOptions = {}) {
  const body = ({ signal }: StepContext) =>
    new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => {
        told.push(`${name}: ${(signal.reason as Error).message}`);
        reject(signal.reason);
      }),
    );
  return step(name, body, options);
}

/** The run's history leads this code to the same end. */
async function expectReplays(main: AnyWorkflow, run: RunHandle): Promise<void> {
  const again = await replay(main, await historyOf(run));
  expect(again.engine.broken?.message).toBeUndefined();
  expect(again.outcome).toBeDefined();
}

test("the losers' bodies of a race are told at once, and the run goes on without them", async () => {
  const told: unknown[] = [];
  const main = workflow("racing", async () => {
    const { winner } = await race({
      quick: () => step("quick", () => 1),
      slow: () => hanging("slow", told),
      tried: () => hanging("tried", told, { onCancel: "try" }),
      waiting: () => go.receive(),
    });
    await step("after", () => eventually("both were told", () => told.length === 2));
    return winner;
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toBe("quick");
  expect(told).toEqual([
    "slow: another branch of race() was first",
    expect.stringMatching(/^tried: run \S+ no longer waits for this step$/),
  ]);
  await expectReplays(main, run);
});

test("a limit of time aborts the body, waits for it, and records no request to the run", async () => {
  const told: unknown[] = [];
  const main = workflow("limited", async () =>
    withTimeout(20, () => hanging("slow", told)).catch((error) => error instanceof TimeoutFailure && error.message),
  );
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toBe("not done within 20 ms");
  expect(told).toEqual(["slow: not done within 20 ms"]);
  expect(await historyOf(run)).toMatchObject([
    { type: "RunStarted" },
    { type: "TimerStarted", name: "timeout" },
    { type: "TimerFired", name: "timeout" },
    { type: "StepFailed", failure: { kind: "canceled" } },
    { type: "RunCompleted" },
  ]);
  await expectReplays(main, run);
});

test("a step in its backoff ends with its scope, without another attempt", async () => {
  let attempts = 0;
  const main = workflow("backoff", async () =>
    withTimeout(20, () =>
      step("work", () => Promise.reject(new Error(`no ${++attempts}`)), { retry: { initialInterval: "1h" } }),
    ).catch((error) => error.name),
  );
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toBe("TimeoutFailure");
  expect(attempts).toBe(1);
  await expectReplays(main, run);
});

test("map has no more bodies under way than it may, and gives their results in order", async () => {
  let underWay = 0;
  let most = 0;
  const main = workflow("mapping", async () =>
    map(
      Array(200).keys(),
      (item) =>
        step("work", async () => {
          most = Math.max(most, ++underWay);
          await new Promise((resolve) => setTimeout(resolve, (item * 7) % 5));
          underWay--;
          return item;
        }),
      { concurrency: 10 },
    ),
  );
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toEqual([...Array(200).keys()]);
  expect(most).toBeLessThanOrEqual(10);
  await expectReplays(main, run);
});

test("a worker that is lost in the middle of undoing leaves the rest to another, and nothing is undone twice", async () => {
  const undone: string[] = [];
  let isHeld = true;
  const main = workflow("trip", async () =>
    saga(async (undo) => {
      for (const part of ["flight", "hotel"]) {
        await step(`book ${part}`, () => {});
        undo.add(part, () =>
          step(`cancel ${part}`, async ({ signal }) => {
            if (part === "flight" && isHeld) {
              await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
            }
            undone.push(part);
          }),
        );
      }
      await sleep("1h");
    }),
  );
  const house = openHouse({ leaseTtlMs: 300 });
  const lost = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the trip is booked", async () => (await typesOf(run)).includes("TimerStarted"));
  await run.cancel("no more");
  await eventually("the hotel is canceled", () => undone.includes("hotel"));
  const renew = house.keeper.renew.bind(house.keeper);
  const lostId = lost.stats.workerId;
  await house.startWorker([main]);
  isHeld = false;
  house.keeper.renew = (id) => {
    if (id === lostId) throw new Error("the lease keeper cannot be reached");
    renew(id);
  };
  await expect(run.result()).rejects.toMatchObject({ cause: { kind: "canceled", message: "no more" } });
  expect(undone).toEqual(["hotel", "flight"]);
  await expectReplays(main, run);
});

test("a poll that waits for days costs three events a check, and no time in a test", async () => {
  let checks = 0;
  const main = workflow("polling", async () =>
    poll("shipped", () => ++checks === 100 && "at the door", { every: "1h", timeout: "30 days" }),
  );
  const env = await testEnvironment({ workflows: [main], startAt: new Date("2030-01-01T00:00:00Z") });
  try {
    const run = await env.client.start(main);
    expect(await run.result()).toBe("at the door");
    expect(env.now()).toEqual(new Date("2030-01-05T03:00:00Z"));
    // The start, the limit of time, the end; the last check has no pause.
    expect(await historyOf(run)).toHaveLength(3 + 3 * 100 - 2);
    await expectReplays(main, run);
  } finally {
    await env.stop();
  }
});
