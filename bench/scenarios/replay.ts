// Recovery of a long history, without a database: how fast a replay is once the history is loaded.

import { sleep, step, workflow } from "everstep";
import type { Event, HistoryEvent } from "../../sdk/protocol/event.ts";
import { built } from "../built.ts";
import { round, timed } from "../measure.ts";
import type { Figure } from "../scenario.ts";

const { RunEngine } = await built<typeof import("../../runtime/replay/engine.ts")>("runtime/replay/engine.ts");
const { TurnLoop } = await built<typeof import("../../runtime/replay/turn-loop.ts")>("runtime/replay/turn-loop.ts");
const { systemClock } = await built<typeof import("../../runtime/world/system.ts")>("runtime/world/system.ts");
const { fromRecord, toRecord } =
  await built<typeof import("../../sdk/protocol/event-record.ts")>("sdk/protocol/event-record.ts");

const EVENTS = 10_000;
const ROUNDS = 9;

const long = workflow("long", async (count: number) => {
  let total = 0;
  for (let index = 0; index < count; index++) total += await step("step", () => index);
  await sleep("1 day");
  return total;
});

export async function measureReplay(length = EVENTS): Promise<readonly Figure[]> {
  const records = history(length).map((event, index) => ({
    ...toRecord(event),
    seq: index + 1,
    at: 1_700_000_000_000 + index,
  }));
  const rates: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const events = records.map(fromRecord).filter((event): event is HistoryEvent => event !== undefined);
    const { ms } = await timed(() => replay(events));
    rates.push(length / (ms / 1000));
  }
  rates.sort((a, b) => a - b);
  return [
    {
      name: `replay of ${length} events`,
      value: round(rates[Math.floor(ROUNDS / 2)] ?? Number.NaN, 0),
      unit: "events/s",
    },
  ];
}

function history(length: number): Event[] {
  const started: Event = { type: "RunStarted", workflow: "long", input: String(length), seed: "seed" };
  const steps = Array.from(
    { length },
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
