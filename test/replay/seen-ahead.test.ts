// Code sees the end of a step, or a timer, before that is committed, and what it says to it goes into the same turn. Nothing
// rests on it until then.

import { beforeAll, expect, test } from "vitest";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import { continueAsNew, defineQuery, defineSignal, sleep, step, transaction, workflow } from "../../sdk/index.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { eventually } from "../support/eventually.ts";
import { houseWithGate } from "../support/gated-house.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { withCalls } from "../support/store-calls.ts";

beforeAll(installGuards);

const go = defineSignal("go");

/** The types of what the store is sent, turn by turn. */
function typesIn(turns: readonly AppendTurn[]): (string | undefined)[][] {
  return turns.map(({ events }) => events.map(({ type }) => nameOf(type)));
}

function nameOf(code: number): string | undefined {
  return Object.entries(EVENT_CODES).find(([, value]) => value === code)?.[0];
}

test("the end of a run is in the turn of its last step, and a timer in that of the step before it", async () => {
  const { house, sent } = houseWithGate();
  const short = workflow("short", async () => {
    await step("first", () => 1);
    await sleep(5);
    return step("last", () => 2);
  });
  await house.startWorker([short]);
  expect(await (await house.client.start(short, {})).result()).toBe(2);
  expect(typesIn(sent)).toEqual([["StepCompleted", "TimerStarted"], ["TimerFired"], ["StepCompleted", "RunCompleted"]]);
});

test("until it is committed no step begins and nobody is told", async () => {
  const { house, open, sent } = houseWithGate("StepCompleted");
  const done = defineQuery<number>("done");
  const bodies: string[] = [];
  const pair = workflow("pair", async () => {
    let count = 0;
    done.handle(() => count);
    await step("one", () => void bodies.push("one"));
    count = 1;
    await step("two", () => void bodies.push("two"));
    count = 2;
  });
  await house.startWorker([pair]);
  const run = await house.client.start(pair, {});
  await eventually("the first step's turn is on its way", () => sent.length > 0);
  expect(await run.query(done)).toBe(0);
  expect(bodies).toEqual(["one"]);
  expect((await run.describe()).status).toBe("running");
  open();
  await run.result();
  expect(bodies).toEqual(["one", "two"]);
});

test("a signal that comes before the end is committed is delivered before it, and the step is not made again", async () => {
  const { house, open, sent } = houseWithGate("RunCompleted");
  const bodies: string[] = [];
  const last = workflow("last", () => step("only", () => bodies.push("only")));
  await house.startWorker([last]);
  const run = await house.client.start(last, {});
  await eventually("the end is on its way", () => sent.length > 0);
  await run.signal(go);
  open();
  expect(await run.result()).toBe(1);
  expect(bodies).toEqual(["only"]);
  const events = await historyOf(run);
  expect(events.map(({ type }) => type)).toEqual(["RunStarted", "StepCompleted", "SignalReceived", "RunCompleted"]);
  expect(events.at(-1)).toMatchObject({ unread: [{ name: "go" }] });
});

test("what time the code sees is the time of the event", async () => {
  const house = openHouse();
  const timed = workflow("timed", async () => {
    const seen: number[] = [];
    for (let index = 0; index < 5; index++) {
      await step("tick", () => index);
      seen.push(Date.now());
    }
    await sleep(3);
    return [...seen, Date.now()];
  });
  await house.startWorker([timed]);
  const run = await house.client.start(timed, {});
  const seen = await run.result();
  const events = await historyOf(run);
  expect(seen).toEqual(
    events.filter(({ type }) => type === "StepCompleted" || type === "TimerFired").map(({ at }) => at),
  );
  const times = events.map(({ at }) => at);
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test("code that cannot go on after a step leaves what the step came to in the history", async () => {
  const house = openHouse();
  const lost = workflow("lost", async () => {
    await step("kept", () => "kept");
    await new Promise(() => {});
  });
  await house.startWorker([lost]);
  const run = await house.client.start(lost, {});
  await eventually("the run is blocked", async () => (await run.describe()).status === "blocked");
  expect((await run.describe()).blocked?.kind).toBe("foreignWait");
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted"]);
});

test("a transaction that is through meanwhile comes after what the code has seen", async () => {
  const { house, open, sent } = houseWithGate("StepCompleted");
  const order: string[] = [];
  const both = workflow("both", async () => {
    const noted = async (name: string, done: Promise<unknown>) => {
      await done;
      order.push(name);
    };
    let letThrough = () => {};
    const first = new Promise<void>((resolve) => {
      letThrough = resolve;
    });
    await Promise.all([
      noted(
        "step",
        step("step", () => letThrough()),
      ),
      noted(
        "transaction",
        transaction("transaction", async () => {
          await first;
          return 1;
        }),
      ),
    ]);
  });
  await house.startWorker([both]);
  const run = await house.client.start(both, {});
  await eventually("the step's turn is on its way", () => sent.length > 0);
  expect(order).toEqual(["step"]);
  open();
  await run.result();
  expect(order).toEqual(["step", "transaction"]);
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted", "StepCompleted", "RunCompleted"]);
});

const last = workflow("last", async (isLast: boolean) => {
  const tries = await step("count", ({ runId }) => runs.add(runId).size);
  if (tries > 1 || isLast) return tries;
  throw new Error("not yet");
});
const runs = new Set<string>();
const goesOn = workflow("goesOn", async (isLast: boolean): Promise<number> => {
  const count = await step("count", () => 1);
  if (!isLast) continueAsNew(goesOn, true);
  return count;
});

test.each([
  ["is tried again", last, { maxAttempts: 2 }],
  ["continues as new", goesOn, undefined],
])("a run that %s says what it has seen before: it may be paused, and then it has to wait", async (_, each, retry) => {
  const { house, sent } = houseWithGate();
  await house.startWorker([each]);
  const run = await house.client.start(each, { input: false, ...(retry && { retry }) });
  await run.result();
  expect(typesIn(sent)).toEqual([["StepCompleted"], ["StepCompleted", "RunCompleted"]]);
});

test("an end that the store rejects takes nothing along of the step before it", async () => {
  const house = openHouse({
    wrapStore: (store) =>
      withCalls(store, {
        async appendTurns(turns) {
          if (!typesIn(turns).flat().includes("RunCompleted")) return store.appendTurns(turns);
          throw new EverstepError("STORE_REJECTED", "this store takes no ends");
        },
      }),
  });
  const endless = workflow("endless", () => step("kept", () => 1));
  await house.startWorker([endless]);
  const run = await house.client.start(endless, {});
  await eventually("the run is blocked", async () => (await run.describe()).status === "blocked");
  expect((await run.describe()).blocked).toMatchObject({ kind: "unreadablePayload" });
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted"]);
});
