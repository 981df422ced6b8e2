// A process that runs workflows and counts what it takes from this side: round trips to Postgres, and bytes allocated on
// the heap. What it takes from the other side is read in the database before and after (write-counts.ts), so nothing
// here happens by the clock: the worker's own rounds are put off beyond the end.

import { GCProfiler } from "node:v8";
import { step, workflow } from "everstep";
import { Client } from "everstep/client";
import { Worker } from "everstep/runtime";
import pg from "pg";

export interface CountedLoad {
  readonly databaseUrl: string;
  /** None: only a start and an end, which every count is less. */
  readonly runs: number;
  readonly steps: number;
  /** All runs at once, or each after the one before has given its result. */
  readonly atOnce: boolean;
}

/** Per run, warm-up left out. */
export interface CountedWork {
  /** Runs made in all. The warm-up is in the database's counts, and is made of the same runs. */
  readonly runs: number;
  readonly roundTrips: number;
  readonly allocatedBytes: number;
}

const RARELY_MS = 600_000;
const TEXT = "x".repeat(80);

const steps = workflow("steps", async (count: number) => {
  let total = 0;
  for (let index = 0; index < count; index++) {
    const { value } = await step("step", () => ({ value: index, text: TEXT }));
    total += value;
  }
  return total;
});

async function count(load: CountedLoad): Promise<CountedWork> {
  const connection = { database: load.databaseUrl, redis: "", logLevel: "warn" as const };
  const worker = new Worker({
    ...connection,
    workflows: [steps],
    pollMs: RARELY_MS,
    leaseTtlMs: RARELY_MS,
    deadlineEveryMs: RARELY_MS,
    unblockEveryMs: RARELY_MS,
  });
  const client = new Client(connection);
  await worker.start();
  const run = load.atOnce ? runAtOnce : runOneByOne;
  const work = async (prefix: string, runs: number) => {
    if (runs > 0) await run(client, prefix, runs, load.steps);
  };
  const roundTrips = countRoundTrips();
  await work("warm-up", load.runs);
  const tripsBefore = roundTrips();
  const allocated = await allocatedDuring(() => work("measured", load.runs));
  const trips = roundTrips() - tripsBefore;
  await client.close();
  await worker.stop();
  const perRun = (value: number) => (load.runs === 0 ? 0 : value / load.runs);
  return { runs: 2 * load.runs, roundTrips: perRun(trips), allocatedBytes: perRun(allocated) };
}

async function runAtOnce(client: Client, prefix: string, runs: number, count: number): Promise<void> {
  const handles = await client.startMany(
    steps,
    Array.from({ length: runs }, (_, index) => ({ id: `${prefix}-${index}`, input: count })),
  );
  await Promise.all(handles.map((handle) => handle.result()));
}

async function runOneByOne(client: Client, prefix: string, runs: number, count: number): Promise<void> {
  for (let index = 0; index < runs; index++)
    await (await client.start(steps, { id: `${prefix}-${index}`, input: count })).result();
}

/** Each `query` of a connection is one trip: nothing is pipelined. */
function countRoundTrips(): () => number {
  let trips = 0;
  const real = pg.Client.prototype.query as (this: pg.Client, ...values: unknown[]) => unknown;
  pg.Client.prototype.query = function (this: pg.Client, ...values: unknown[]) {
    trips++;
    return real.apply(this, values);
  } as typeof pg.Client.prototype.query;
  return () => trips;
}

/** What collections took away, and what is there now beyond what was there at first. */
async function allocatedDuring(work: () => Promise<void>): Promise<number> {
  (globalThis as { gc?: () => void }).gc?.();
  const profiler = new GCProfiler();
  profiler.start();
  let inUse = process.memoryUsage().heapUsed;
  await work();
  const atEnd = process.memoryUsage().heapUsed;
  let allocated = 0;
  for (const { beforeGC, afterGC } of profiler.stop().statistics) {
    allocated += beforeGC.heapStatistics.usedHeapSize - inUse;
    inUse = afterGC.heapStatistics.usedHeapSize;
  }
  return allocated + atEnd - inUse;
}

const counted = await count(JSON.parse(process.argv[2] ?? "{}") as CountedLoad);
process.stdout.write(`${JSON.stringify(counted)}\n`);
