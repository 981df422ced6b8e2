// What only a database with transactions at once can show of locks: nobody who lets go waits for the head of the run that
// comes next.

import { expect, test } from "vitest";
import type { ClaimedRun } from "../../runtime/store/claims.ts";
import { uuidOf } from "../../runtime/store/postgres/run-id.ts";
import { openPostgresStage } from "./store/postgres-stage.ts";
import { forkRequest, turnOf } from "./store/stage.ts";

const KEY = "account:7";

const asks = ({ runId }: ClaimedRun) => ({
  effects: {
    errands: [],
    successor: null,
    locks: { requests: [{ runId, command: 1, key: KEY, permits: 1, capacity: 1 }], releases: [] },
  },
});
const letsGo = ({ runId, events }: ClaimedRun) => ({
  base: events + 1,
  effects: { errands: [], successor: null, locks: { requests: [], releases: [{ runId, command: 1 }] } },
});

test("a run whose head somebody has locked is told by an errand, and nobody waits for it", async () => {
  const { stage, other } = await openPostgresStage();
  const { store } = stage;
  const [a, b] = [await stage.owned(), await stage.owned()];
  for (const run of [a, b]) await store.appendWithEffects([turnOf(run, asks(run))]);
  const mailOf = (run: ClaimedRun) => store.readMail([{ runId: run.runId, after: 0 }], 10);

  await other.query("begin");
  await other.query("select from everstep.open_run where run_id = $1 for update", [uuidOf(b.runId)]);
  const { committed, toWake } = await store.appendWithEffects([turnOf(a, letsGo(a))]);
  expect([...committed]).toEqual([a.runId]);
  expect(toWake).toEqual({ queues: [], ownerIds: [] });
  expect(await store.listLocks({ key: KEY, limit: 10 })).toMatchObject([
    { runId: b.runId, grantedAt: expect.any(Number) },
  ]);
  expect(await mailOf(b)).toEqual([]);

  await other.query("rollback");
  expect((await store.runErrands(10)).done).toBe(1);
  expect(await mailOf(b)).toMatchObject([{ kind: "answer", name: KEY }]);
  expect((await store.runErrands(10)).done).toBe(0);
});

test("a fork whose head somebody has locked has its lock by an errand, and nobody waits for it", async () => {
  const { stage, other } = await openPostgresStage();
  const { store } = stage;
  const a = await stage.owned();
  await store.appendWithEffects([turnOf(a, asks(a))]);
  const locks = [{ command: 1, key: KEY, permits: 1, capacity: 1, isRegained: true }];
  const fork = forkRequest(a, { locks });
  await store.forkRun(fork);

  await other.query("begin");
  await other.query("select from everstep.open_run where run_id = $1 for update", [uuidOf(fork.runId)]);
  const { toWake } = await store.appendWithEffects([turnOf(a, letsGo(a))]);
  expect(toWake).toEqual({ queues: [], ownerIds: [] });
  expect(await store.findRun({ runId: fork.runId })).toMatchObject({ events: 2, awaitedLocks: 1, wakeAt: null });

  await other.query("rollback");
  expect(await store.runErrands(10)).toMatchObject({ done: 1, queues: [a.queue], ownerIds: [] });
  expect(await store.findRun({ runId: fork.runId })).toMatchObject({ events: 3, awaitedLocks: 0 });
  expect(await stage.claimOne(a.queue)).toMatchObject({ runId: fork.runId });
  expect((await store.runErrands(10)).done).toBe(0);
});

test("a key that is being changed is waited for, and what was decided there is seen", async () => {
  const { stage, other } = await openPostgresStage();
  const { store } = stage;
  const [a, b] = [await stage.owned(), await stage.owned()];
  // As a transaction that has asked for the key, and has not committed yet.
  await other.query("begin");
  await other.query("select pg_advisory_xact_lock($1, hashtext($2) & 255)", [0x65766574, KEY]);
  await other.query(
    `insert into everstep.lock_request (key, run_id, command, permits, capacity, requested_at, token)
     values ($1, $2, 1, 1, 1, now(), nextval('everstep.fencing_token'))`,
    [KEY, uuidOf(a.runId)],
  );
  const asking = store.appendWithEffects([turnOf(b, asks(b))]);
  let isDone = false;
  void asking.then(() => {
    isDone = true;
  });
  await stage.becomes("the request waits for the key", async () => {
    const { rows } = await other.query(
      "select from pg_locks where locktype = 'advisory' and not granted and classid = $1",
      [0x65766574],
    );
    return rows.length === 1;
  });
  expect(isDone).toBe(false);
  await other.query("commit");
  expect((await asking).mail ?? []).toEqual([]);
  expect(
    (await store.listLocks({ key: KEY, limit: 10 })).map(({ runId, fencingToken }) => [runId, fencingToken]),
  ).toEqual([
    [a.runId, 1],
    [b.runId, null],
  ]);
});
