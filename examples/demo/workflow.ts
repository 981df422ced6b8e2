// Delays by airport: read the flights, work them in batches, four at a time, have a person approve the result, wait for
// the hour of publication, publish. Nothing in here knows of workers, crashes or restarts.

import { setTimeout as pause } from "node:timers/promises";
import { type Duration, defineQuery, defineSignal, defineStep, sleep, step, transaction, workflow } from "everstep";
import { noteExecution } from "./executions.ts";
import { loadFlights, merge, type Tallies, tally } from "./flights.ts";

export interface ReportInput {
  readonly batchSize: number;
  /** How many batches are worked at once. */
  readonly lanes: number;
  readonly patience: Duration;
}

export interface Progress {
  readonly phase: "loading" | "counting" | "waiting for approval" | "waiting for the hour" | "publishing" | "done";
  readonly done: number;
  readonly batches: number;
}

export const approve = defineSignal<{ by: string }>("approve");
export const progress = defineQuery<Progress>("progress");

export const countBatch = defineStep("count a batch", async (batch: { number: number; size: number }) => {
  await noteExecution(batch.number);
  const start = batch.number * batch.size;
  const tallies = tally(loadFlights().slice(start, start + batch.size));
  await pause(600); // the arithmetic takes a millisecond; with this it can be watched
  return { batch: batch.number, pid: process.pid, tallies };
});

export const delayReport = workflow("delay-report", async ({ batchSize, lanes, patience }: ReportInput) => {
  let phase: Progress["phase"] = "loading";
  let done = 0;
  let batches = 0;
  progress.handle(() => ({ phase, done, batches }));

  const flights = await step("load the flights", () => loadFlights().length);
  batches = Math.ceil(flights / batchSize);

  phase = "counting";
  const parts: Tallies[] = [];
  let next = 0;
  const workLane = async (): Promise<void> => {
    while (next < batches) {
      const number = next++;
      const { tallies } = await countBatch({ number, size: batchSize });
      parts[number] = tallies;
      done += 1;
    }
  };
  await Promise.all(Array.from({ length: lanes }, workLane));
  const report = merge(parts);

  phase = "waiting for approval";
  const approval = await approve.receive({ timeout: patience });
  if (approval === undefined) return { outcome: "expired" as const };

  phase = "waiting for the hour";
  await sleep("1s");

  phase = "publishing";
  const rows = Object.entries(report).map(([airport, counted]) => ({ airport, ...counted }));
  const published = await transaction("publish", async (tx) => {
    const inserted = await tx.query(
      `insert into airport_delays (airport, flights, minutes, late, worst)
       select airport, flights, minutes, late, worst
         from jsonb_to_recordset($1) as row (airport text, flights int, minutes int, late int, worst int)`,
      [JSON.stringify(rows)],
    );
    return inserted.rowCount;
  });

  phase = "done";
  return { outcome: "published" as const, by: approval.by, flights, airports: published };
});
