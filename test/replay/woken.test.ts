// A run that was parked for a timer is woken by the claim that finds the timer due: the claim appends that it has fired, and
// brings the history. The code goes on as if it had never been away.

import { beforeAll, expect, test } from "vitest";
import type { Store } from "../../runtime/store/store.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { systemClock } from "../../runtime/world/system.ts";
import { defineSignal, log, race, sleep, step, workflow, workflowInfo } from "../../sdk/index.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { withCalls } from "../support/store-calls.ts";

beforeAll(installGuards);

const PARKS_AT_ONCE = { lingerMs: 1, keepIfDueWithinMs: 0 };
const go = defineSignal<string>("go");

/** A house whose days pass at once, and what its workers ask of the store. */
function sleepyHouse() {
  let aheadMs = 0;
  const calls: string[] = [];
  const noted = (store: Store): Store =>
    withCalls(store, {
      appendTurns: (turns) => {
        for (const { events } of turns) calls.push(`append ${events.map(({ type }) => nameOf(type)).join()}`);
        return store.appendTurns(turns);
      },
      loadHistories: (runIds) => {
        calls.push("load");
        return store.loadHistories(runIds);
      },
    });
  const house = openHouse({
    clock: { ...systemClock, now: () => systemClock.now() + aheadMs },
    wrapStore: noted,
  });
  return {
    house,
    calls,
    passDays(days: number) {
      calls.length = 0;
      aheadMs += days * 86_400_000;
    },
  };
}

const nameOf = (code: number) => Object.entries(EVENT_CODES).find(([, value]) => value === code)?.[0];

test("with one turn for all that comes of it, and nothing to load", async () => {
  const { house, calls, passDays } = sleepyHouse();
  const main = workflow("sleeper", async () => {
    await sleep("1 day");
    return step("woke", () => "up");
  });
  const worker = await house.startWorker([main], PARKS_AT_ONCE);
  const run = await house.client.start(main);
  await eventually("it is parked", () => worker.stats.parked === 1);
  passDays(2);
  expect(await run.result()).toBe("up");
  expect(calls).toEqual(["append StepCompleted,RunCompleted"]);
  const events = await historyOf(run);
  expect(events.map(({ type }) => type)).toEqual([
    "RunStarted",
    "TimerStarted",
    "TimerFired",
    "StepCompleted",
    "RunCompleted",
  ]);
  expect(events[2]).toMatchObject({ command: events[1]?.type === "TimerStarted" ? events[1].command : undefined });
});

test("what the code does with it is new: it logs, and is not replaying", async () => {
  const { house, passDays } = sleepyHouse();
  const main = workflow("logging", async () => {
    log.info("going to bed");
    await sleep("1 day");
    log.info("good morning");
    return workflowInfo().isReplaying;
  });
  const worker = await house.startWorker([main], PARKS_AT_ONCE);
  const run = await house.client.start(main);
  await eventually("it is parked", () => worker.stats.parked === 1);
  passDays(2);
  expect(await run.result()).toBe(false);
  for (const message of ["going to bed", "good morning"]) {
    expect(house.log.lines.filter((line) => line.message === message)).toHaveLength(1);
  }
});

test("of several timers the first is fired by the claim, the others after it, in their order", async () => {
  const { house, passDays } = sleepyHouse();
  const main = workflow("several", async () => {
    const order: string[] = [];
    const nap = (name: string, days: number) => sleep(`${days} days`).then(() => void order.push(name));
    await Promise.all([nap("c", 3), nap("a", 1), nap("b", 2), step("beside", () => 1)]);
    return order;
  });
  const worker = await house.startWorker([main], PARKS_AT_ONCE);
  const run = await house.client.start(main);
  await eventually("it is parked", () => worker.stats.parked === 1);
  passDays(4);
  expect(await run.result()).toEqual(["a", "b", "c"]);
});

test("a signal that came first has the place before the timer, also when both are there by then", async () => {
  const { house, passDays } = sleepyHouse();
  const main = workflow("either", () =>
    race({ signal: () => go.receive(), timer: () => sleep("1 day").then(() => "late") }).then(({ winner }) => winner),
  );
  const worker = await house.startWorker([main], PARKS_AT_ONCE);
  const run = await house.client.start(main);
  await eventually("it is parked", () => worker.stats.parked === 1);
  await worker.stop();
  await run.signal(go, "first");
  passDays(2);
  await house.startWorker([main], PARKS_AT_ONCE);
  expect(await run.result()).toBe("signal");
  expect((await typesOf(run)).indexOf("SignalReceived")).toBe(2);
});

test("code that no longer fits is told so, and goes on from the fired timer once it fits again", async () => {
  const { house, passDays } = sleepyHouse();
  const fitting = workflow("changed", async () => {
    await sleep("1 day");
    return "woke";
  });
  const other = workflow("changed", () => step("another thing", () => "other"));
  const worker = await house.startWorker([fitting], PARKS_AT_ONCE);
  const run = await house.client.start(fitting);
  await eventually("it is parked", () => worker.stats.parked === 1);
  await worker.stop();
  passDays(2);
  const wrong = await house.startWorker([other]);
  await eventually("it is blocked", async () => (await run.describe()).status === "blocked");
  await wrong.stop();
  await house.startWorker([fitting]);
  expect(await run.result()).toBe("woke");
  expect((await typesOf(run)).filter((type) => type === "TimerFired")).toHaveLength(1);
});
