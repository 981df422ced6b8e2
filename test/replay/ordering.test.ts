// Vectors of order: what comes before what, whatever came together.

import { expect, test } from "vitest";
import {
  cancelScope,
  condition,
  defineSignal,
  defineUpdate,
  map,
  poll,
  race,
  saga,
  sleep,
  step,
  waitForAny,
  withTimeout,
  workflow,
} from "../../sdk/index.ts";
import type { Event, HistoryEvent } from "../../sdk/protocol/event.ts";
import { historyOf, openHouse } from "../support/local-worker.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const note = defineSignal<string>("note");
const other = defineSignal<string>("other");
const change = defineUpdate<number, string>("change");

/** Waits for two signals, an update, a timer, a step, and for what they change, side by side. */
function watching() {
  let trace: string[] = [];
  const main = workflow("watching", async () => {
    const seen: string[] = [];
    trace = seen;
    let count = 0;
    const saw = (what: string) => {
      count++;
      seen.push(`${what}, the ${count}.`);
    };
    other.handle((text) => saw(`handled ${text}`));
    change.handle(async (text) => {
      saw(`changed by ${text}`);
      await condition(() => count > 0);
      return count;
    });
    await Promise.all([
      note.receive().then((text) => saw(`received ${text}`)),
      sleep("1h").then(() => saw("slept")),
      step("work", noop).then(() => saw("worked")),
      condition(() => count >= 2).then(() => seen.push(`two at ${count}`)),
      condition(() => count >= 2).then(() => seen.push(`two again at ${count}`)),
      race({ late: () => condition(() => count >= 3), early: () => note.receive() }).then(({ winner }) => saw(winner)),
    ]);
    return seen;
  });
  return { main, trace: () => trace };
}

type Make = (run: DrivenRun) => Event;
const happenings: Make[] = [
  (run) => run.signalEvent("note", "x"),
  (run) => run.signalEvent("other", "y"),
  (run) => run.acceptEvent("change", "z"),
  (run) => run.fired("sleep"),
  (run) => run.completed("work"),
];

function permutations<T>(all: readonly T[]): T[][] {
  if (all.length < 2) return [[...all]];
  return all.flatMap((first, at) => permutations(all.filter((_, n) => n !== at)).map((rest) => [first, ...rest]));
}

/** One of the ways to cut events into turns: bit n says whether a turn ends after event n. */
function cuts(events: readonly HistoryEvent[], bits: number): HistoryEvent[][] {
  const turns: HistoryEvent[][] = [[]];
  for (const [n, event] of events.entries()) {
    turns.at(-1)?.push(event);
    if ((bits >> n) & 1) turns.push([]);
  }
  return turns.filter((turn) => turn.length > 0);
}

test("signals, an update, a timer and a step's result give one trace in any order, in one commit or in several", async () => {
  const traces = new Set<string>();
  for (const order of permutations(happenings)) {
    const { main, trace } = watching();
    const run = await runWorkflow(main);
    const before = run.history.length;
    await run.tell(...order.map((make) => make(run)));
    expect(run.outcome?.type).toBe("completed");
    const together = trace();
    traces.add(together.join(" "));
    for (let bits = 0; bits < 2 ** (order.length - 1); bits++) {
      const again = await replay(main, run.history.slice(0, before));
      for (const turn of cuts(run.history.slice(before), bits)) await again.redeliver(turn);
      expect(trace()).toEqual(together);
      expect(again.outcome).toEqual(run.outcome);
    }
  }
  // It is the order that decides: each has its own trace.
  expect(traces.size).toBe(120);
});

test("signalWithStart: the signal is there before the first line, for a handler and for a receiver", async () => {
  const early = workflow("early", async () => {
    const handled: string[] = [];
    note.handle((text) => {
      handled.push(text);
    });
    const atFirstLine = [...handled];
    await step("work", noop);
    return { atFirstLine, handled };
  });
  const house = openHouse();
  await house.startWorker([early]);
  const run = await house.client.signalWithStart(early, { signal: note, payload: "first" });
  expect(await run.result()).toEqual({ atFirstLine: ["first"], handled: ["first"] });
  const history = await historyOf(run);
  expect(history.slice(0, 2)).toMatchObject([{ type: "RunStarted" }, { type: "SignalReceived", isEarly: true }]);
  expect((await replay(early, history)).result).toEqual({ atFirstLine: ["first"], handled: ["first"] });
});

test("conditions wake in the order of registration, also those that came back to the end of the line", async () => {
  const order: string[] = [];
  const main = workflow("main", async () => {
    let tokens = 0;
    note.handle(() => {
      tokens++;
    });
    const take = async (who: string, times: number) => {
      for (let n = 0; n < times; n++) {
        await condition(() => tokens > 0);
        tokens--;
        order.push(who);
      }
    };
    await Promise.all([take("a", 2), take("b", 2), take("c", 1)]);
  });
  const run = await runWorkflow(main);
  const signals = Array.from({ length: 5 }, () => run.signalEvent("note", "token"));
  await run.tell(...signals);
  expect(order).toEqual(["a", "b", "c", "a", "b"]);
});

test("nothing is asked for, taken back or told to stop after the run has ended", async () => {
  const main = workflow("main", async () => {
    const scope = cancelScope();
    void scope.run(() => step("pending", noop)).catch(noop);
    const lingering = async () => {
      await note.receive();
      void step("late step", noop);
      void sleep("1s");
      void race({ a: () => sleep("1s") });
      void withTimeout("1s", () => note.receive());
      void map([1, 2], () => step("late item", noop));
      void poll("late poll", () => false, { every: "1s" });
      void waitForAny({ note, other }, { timeout: "1s" });
      void saga(async (undo) => {
        undo.add("late", () => step("undo", noop));
        await step("late part", noop);
      });
      scope.cancel("late");
    };
    void lingering();
    return step("last", () => "done");
  });
  const run = await runWorkflow(main);
  await run.completes("last", "done");
  expect(run.changes()).toEqual(["asked 1 step pending", "asked 2 step last", "withdrawn 1 step pending"]);
  // A signal that was stored before the end is still delivered.
  await run.signals("note", "wakes what lingers");
  expect(run.changes()).toEqual([]);
  expect(run.result).toBe("done");
  expect(run.engine.broken).toBeUndefined();
});
