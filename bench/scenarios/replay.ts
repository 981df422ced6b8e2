// Recovery of a long history, without a database: how fast a replay is once the history is loaded.

import { sleep, step, workflow } from "everstep";
import type { Event, HistoryEvent } from "../../sdk/protocol/event.ts";
import { round, timed } from "../measure.ts";
import type { Figure } from "../scenario.ts";

// The built engine, as users have it: a loader that compiles sources on the way would slow down what is measured.
const built = (path: string) => import(new URL(`../../dist/${path}`, import.meta.url).href);
const { RunEngine }: typeof import("../../runtime/replay/engine.ts") = await built("runtime/replay/engine.js");
const { TurnLoop }: typeof import("../../runtime/replay/turn-loop.ts") = await built("runtime/replay/turn-loop.js");
const { systemClock }: typeof import("../../runtime/world/system.ts") = await built("runtime/world/system.js");
const { fromRecord, toRecord }: typeof import("../../sdk/protocol/event-record.ts") =
  await built("sdk/protocol/event-record.js");

const EVENTS = 10_000;
const ROUNDS = 9;

const long = workflow("long", async (count: number) => {
  let total = 0;
  for (let index = 0; index < count; index++) total += await step("step", () => index);
  await sleep("1 day");
  return total;
});

export async function measureReplay(): Promise<readonly Figure[]> {
  const records = history().map((event, index) => ({
    ...toRecord(event),
    seq: index + 1,
    at: 1_700_000_000_000 + index,
  }));
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const events = records.map(fromRecord).filter((event): event is HistoryEvent => event !== undefined);
    const { ms } = await timed(() => replay(events));
    rates.push(EVENTS / (ms / 1000));
  }
  rates.sort((a, b) => a - b);
  return [
    {
      name: `replay of ${EVENTS} events`,
      value: round(rates[Math.floor(ROUNDS / 2)] ?? Number.NaN, 0),
      unit: "events/s",
    },
  ];
}

function history(): Event[] {
  const started: Event = { type: "RunStarted", workflow: "long", input: String(EVENTS), seed: "seed" };
  const steps = Array.from(
    { length: EVENTS },
    (_, index): Event => ({
      type: "StepCompleted",
      command: index + 1,
      name: "step",
      result: String(index),
      attempt: 1,
      inputHash: null,
    }),
  );
  return [started, ...steps];
}

function replay(events: readonly HistoryEvent[]): Promise<void> {
  const silent = { debug() {}, info() {}, warn() {}, error() {} };
  const run = { runId: "run", workflowId: "run", queue: "default", startedAt: 0, deadlineAt: null };
  const engine = new RunEngine({ workflow: long, run, log: silent });
  const turns = new TurnLoop((call) => systemClock.afterDrain(call));
  return new Promise((resolve, reject) => {
    turns.feed(engine, events, true, () => (engine.broken === undefined ? resolve() : reject(engine.broken)));
  });
}
