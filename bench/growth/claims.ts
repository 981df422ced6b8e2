// The time of a claim, from the store as a worker uses it, without a worker.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { built } from "../built.ts";
import { type Spread, spreadOf, timed } from "../measure.ts";

const { openPostgresStore } = await built<typeof import("../../runtime/store/postgres/postgres-store.ts")>(
  "runtime/store/postgres/postgres-store.ts",
);

/** Until the code that reads their answers is compiled. */
const WARM_UP = 1_500;
const CLAIMS = 1_000;
const SILENT = { debug() {}, info() {}, warn() {}, error() {} };

/** Of claims, and after them of the least that can be asked of Postgres: what is not the claim's doing. */
export interface ClaimTimes {
  readonly claims: Spread;
  readonly leastRoundTrips: Spread;
}

/** Claims batches of runs of this queue, one after the other, and lets go of them at the end. */
export async function claimTimes(databaseUrl: string, queue: string, batch: number): Promise<ClaimTimes> {
  const store = openPostgresStore({ url: databaseUrl }, { log: SILENT });
  const workerId = randomUUID();
  const samples: number[] = [];
  const least: number[] = [];
  const client = new pg.Client({ connectionString: databaseUrl });
  try {
    await client.connect();
    for (let index = 0; index < WARM_UP + CLAIMS; index++) {
      const claimId = randomUUID();
      const { ms, value } = await timed(() =>
        store.claimRuns({ workerId, claimId, queues: [queue], limit: batch, suspects: "exclude" }),
      );
      if (value.claimed.length !== batch) throw new Error(`Queue ${queue} had fewer runs than were to be claimed.`);
      if (index >= WARM_UP) samples.push(ms);
    }
    for (let index = 0; index < WARM_UP + CLAIMS; index++) {
      const { ms } = await timed(() => client.query({ name: "least", text: "select 1" }));
      if (index >= WARM_UP) least.push(ms);
    }
  } finally {
    await store.close();
    // As never claimed: a run that is given up again and again would be taken for one that ends its workers.
    await client.query(
      "update everstep.open_run set worker_id = null, claim_id = null, epoch = 0, crash_count = 0 where worker_id = $1",
      [workerId],
    );
    await client.end();
  }
  return { claims: spreadOf(samples), leastRoundTrips: spreadOf(least) };
}

/** Runs that `claimTimes` needs in its queue for batches of this size. */
export const runsToClaim = (batch: number): number => (WARM_UP + CLAIMS) * batch;
