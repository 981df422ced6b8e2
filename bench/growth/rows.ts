// Rows in the database: what is closed, parked or waiting must not slow down what is done now. One database, filled
// more and more; at each stage the same few things are measured.

import { migrate } from "everstep/runtime";
import everstep from "../engines/everstep.ts";
import { round, spreadOf, timed } from "../measure.ts";
import type { Engine, Figure } from "../scenario.ts";
import { SHORT_ONES, warmUp } from "../warm-up.ts";
import { claimTimes, runsToClaim } from "./claims.ts";
import { EVENTS_PER_CLOSED_RUN, fillClaimable, fillClosed, fillParked } from "./filling.ts";
import type { GrowthPlace, GrowthTable } from "./table.ts";

const CLOSED = 1_000_000;
const PARKED = 1_000_000;
const CLAIMABLE = 100_000;
const CLAIM_BATCH = 10;
const MOST_CLAIM_MS = 2;
const SHORT_RUNS = 300;
const MANY_RUNS = 2_000;
const STEPS = 5;
const SLEEPERS = 500;
const SLEEP_FROM_MS = 5_000;
const SLEEP_SPREAD_MS = 3_000;
const MOST_LATE_MS = 100;

export const rowsStored: GrowthTable = {
  name: "rows",
  title: "the same work in a database that holds more and more",
  by: "in the database",
  async run(place, tell) {
    const { databaseUrl } = place;
    await migrate({ url: databaseUrl });
    const sized = (count: number) => Math.round(count * place.fill);
    const count = (value: number) => value.toLocaleString("en-US");
    const [closed, parked, claimable] = [sized(CLOSED), sized(PARKED), sized(CLAIMABLE)];
    tell({ at: "nothing", figures: await measure(place, "empty", runsToClaim(CLAIM_BATCH)) });
    await fillClosed(databaseUrl, closed);
    tell({
      at: `${count(closed)} closed runs, ${count(closed * EVENTS_PER_CLOSED_RUN)} events`,
      figures: await measure(place, "closed", runsToClaim(CLAIM_BATCH)),
    });
    await fillParked(databaseUrl, parked);
    tell({
      at: `and ${count(parked)} parked runs`,
      figures: await measure(place, "parked", runsToClaim(CLAIM_BATCH)),
    });
    tell({
      at: `and ${count(claimable)} claimable runs`,
      figures: await measure(place, "claimable", Math.max(claimable, runsToClaim(CLAIM_BATCH))),
    });
  },
};

/** Puts so many claimable runs into a queue that no worker serves, and measures claims there and work beside it. */
async function measure(place: GrowthPlace, stage: string, claimable: number): Promise<Figure[]> {
  const { databaseUrl } = place;
  await fillClaimable(databaseUrl, `queue-${stage}`, claimable);
  const { claims, leastRoundTrips } = await claimTimes(databaseUrl, `queue-${stage}`, CLAIM_BATCH);
  const engine = everstep(place);
  await engine.start();
  try {
    await engine.runMany(`${stage}-warm-up`, MANY_RUNS, STEPS);
    const many = await timed(() => engine.runMany(`${stage}-many`, MANY_RUNS, STEPS));
    await warmUp(SHORT_ONES, (index) => engine.runSteps(`${stage}-alone-${index}`, 1));
    const short: number[] = [];
    for (let index = 0; index < SHORT_RUNS; index++)
      short.push((await timed(() => engine.runSteps(`${stage}-short-${index}`, 1))).ms);
    const { p50, p99 } = spreadOf(short);
    const late = await lateness(engine, stage);
    return [
      { name: `claim of ${CLAIM_BATCH} p50`, value: round(claims.p50), unit: "ms" },
      {
        name: "claim p99",
        value: round(claims.p99),
        unit: "ms",
        bar: { atMost: MOST_CLAIM_MS },
      },
      { name: "select 1 p99", value: round(leastRoundTrips.p99), unit: "ms" },
      { name: "one-step run p50", value: round(p50, 1), unit: "ms" },
      { name: "one-step run p99", value: round(p99, 1), unit: "ms" },
      { name: "throughput", value: round((MANY_RUNS * STEPS) / (many.ms / 1000), 0), unit: "steps/s" },
      { name: "woken late p99", value: round(spreadOf(late).p99, 0), unit: "ms", bar: { atMost: MOST_LATE_MS } },
      { name: "woken early", value: late.filter((ms) => ms < 0).length, unit: "", bar: { atMost: 0 } },
    ];
  } finally {
    await engine.stop();
  }
}

async function lateness(engine: Engine, stage: string): Promise<readonly number[]> {
  if (engine.startSleepers === undefined) throw new Error("This engine cannot sleep.");
  const from = Date.now() + SLEEP_FROM_MS;
  const dueAt = (index: number) => from + (index / SLEEPERS) * SLEEP_SPREAD_MS;
  return (await engine.startSleepers(`${stage}-sleeper`, SLEEPERS, dueAt)).woken();
}
