// Is it true? What the demo claims, read back from the database when all is over, and compared with a second computation
// straight from the data.

import type { RunHandle, ShownEvent } from "everstep/client";
import type pg from "pg";
import { loadFlights, tally } from "./flights.ts";

export interface Check {
  readonly claim: string;
  readonly isTrue: boolean;
  readonly found: string;
}

export interface Story {
  readonly run: RunHandle<unknown>;
  readonly database: pg.Client;
  readonly batches: number;
  readonly killedPid: number;
  readonly otherPid: number;
}

export async function checkEverything(story: Story): Promise<Check[]> {
  return [...(await checkHistory(story)), await checkRepetitions(story), await checkTable(story)];
}

interface RecordedBatch {
  readonly batch: number;
  readonly pid: number;
}

function batchIn(event: ShownEvent): RecordedBatch | undefined {
  if (event.type !== "StepCompleted" || event.name !== "count a batch") return undefined;
  return JSON.parse(event.result ?? "null") as RecordedBatch;
}

async function checkHistory({ run, batches, killedPid, otherPid }: Story): Promise<Check[]> {
  const seqs: number[] = [];
  const recorded: RecordedBatch[] = [];
  let publications = 0;
  for await (const event of run.history()) {
    seqs.push(event.seq);
    const batch = batchIn(event);
    if (batch !== undefined) recorded.push(batch);
    if (event.type === "StepCompleted" && event.name === "publish") publications += 1;
  }
  const different = new Set(recorded.map(({ batch }) => batch)).size;
  const by = (pid: number) => recorded.filter((one) => one.pid === pid).length;
  return [
    {
      claim: "The history has no gaps",
      isTrue: seqs.every((seq, index) => seq === index + 1),
      found: `${seqs.length} events`,
    },
    {
      claim: "Each batch was recorded once",
      isTrue: recorded.length === batches && different === batches,
      found: `${recorded.length} results of ${different} batches`,
    },
    {
      claim: "What the killed worker had recorded was kept",
      isTrue: by(killedPid) > 0 && by(otherPid) > 0 && by(killedPid) + by(otherPid) === batches,
      found: `${by(killedPid)} batches; ${by(otherPid)} by the other`,
    },
    { claim: "It was published once", isTrue: publications === 1, found: `${publications} publication` },
  ];
}

/** A batch may be begun again when its worker died; never once its result is recorded. */
async function checkRepetitions({ run, database, batches }: Story): Promise<Check> {
  const { rows: executions } = await database.query<{ batch: number; startedAt: number }>(
    `select batch, extract(epoch from started_at)::float8 * 1000 as "startedAt" from executions`,
  );
  const recordedAt = new Map<number, number>();
  for await (const event of run.history()) {
    const recorded = batchIn(event);
    if (recorded !== undefined) recordedAt.set(recorded.batch, event.at);
  }
  const tooLate = executions.filter(({ batch, startedAt }) => startedAt > (recordedAt.get(batch) ?? 0));
  const worked = new Set(executions.map(({ batch }) => batch)).size;
  return {
    claim: "No batch ran again once it was recorded",
    isTrue: worked === batches && tooLate.length === 0,
    found: `${executions.length} executions, ${tooLate.length} too late`,
  };
}

async function checkTable({ database }: Story): Promise<Check> {
  const { rows } = await database.query("select * from airport_delays order by airport");
  const expected = Object.entries(tally(loadFlights()))
    .map(([airport, counted]) => ({ airport, ...counted }))
    .sort((one, other) => (one.airport < other.airport ? -1 : 1));
  return {
    claim: "The table equals one computed straight from the data",
    isTrue: JSON.stringify(rows) === JSON.stringify(expected),
    found: `${rows.length} airports`,
  };
}
