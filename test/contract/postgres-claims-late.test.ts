// A claim reads histories by a snapshot that is older than the locks it takes. Here the snapshot is as old as a test wants it:
// the statement stands still behind it while somebody else owns the run. What it read is no history of that run then.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { CLAIM, claimRuns } from "../../runtime/store/postgres/claiming.ts";
import { uuidOf } from "../../runtime/store/postgres/run-id.ts";
import { eventually } from "../support/eventually.ts";
import { openPostgresStage } from "./store/postgres-stage.ts";
import { only, stepCompleted, turnOf } from "./store/stage.ts";

const PAUSE = 4343;
const PAST = 0;

/** The claim, which has its snapshot and goes no further while somebody has the advisory lock. */
const LATE = CLAIM.text.replace(
  "from unnest($1::text[]) q(queue)",
  `from (select pg_advisory_xact_lock_shared(${PAUSE})) pause cross join unnest($1::text[]) q(queue)`,
);

async function openLateStage() {
  const { stage, other, url } = await openPostgresStage();
  const late = new pg.Client({ connectionString: url });
  await late.connect();
  onTestFinished(() => late.end());
  const pool: Parameters<typeof claimRuns>[0] = {
    query: async (_statement, values) => (await late.query(LATE, [...values])).rows,
  };
  /** What the claim answers when it began before `meanwhile`, and takes its locks after it. */
  const claimAround = async (queue: string, meanwhile: () => Promise<void>) => {
    await other.query("select pg_advisory_lock($1)", [PAUSE]);
    const ids = { workerId: randomUUID(), claimId: randomUUID() };
    const answer = claimRuns(pool, { ...ids, queues: [queue], limit: 10, suspects: "exclude" });
    await eventually("the claim has its snapshot", async () => {
      const { rowCount } = await other.query(
        "select from pg_stat_activity where datname = current_database() and wait_event = 'advisory'",
      );
      return rowCount === 1;
    });
    await meanwhile();
    await other.query("select pg_advisory_unlock($1)", [PAUSE]);
    return only((await answer).claimed);
  };
  return { stage, other, claimAround };
}

test("a claim brings no history of a run that somebody else has owned since it began", async () => {
  const { stage, claimAround } = await openLateStage();
  const run = await stage.owned();
  await stage.park(run, PAST);
  const claimed = await claimAround(run.queue, async () => {
    const owned = await stage.claimOne(run.queue);
    await stage.commit(turnOf(owned, {}, stepCompleted(1)));
    await stage.park({ ...owned, events: 2 }, PAST);
  });
  expect(claimed).toMatchObject({ epoch: 3, events: 2, history: null });
});

test("nor where all that has come of it is the timer, which fired at another time than this", async () => {
  const { stage, other, claimAround } = await openLateStage();
  const run = await stage.owned();
  await stage.park(run, PAST, { command: 1, name: "payday" });
  const claimed = await claimAround(run.queue, async () => {
    const fired = await stage.claimOne(run.queue);
    expect(fired).toMatchObject({ hasFired: true, events: 2 });
    await stage.store.releaseRuns([fired]);
    // As by a clock that has been set back in between: given back before the claim began.
    await other.query("update everstep.open_run set wake_at = 'epoch' where run_id = $1", [uuidOf(run.runId)]);
  });
  expect(claimed).toMatchObject({ epoch: 3, events: 2, hasFired: true, history: null });
});
