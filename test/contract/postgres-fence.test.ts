// The fence under real locks: an old owner's append is under way while the run changes hands, in both orders, on
// connections of their own. What is waited for is what Postgres itself says about who waits for whom.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../runtime/store/claims.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { uuidOf } from "../../runtime/store/postgres/run-id.ts";
import type { Store, Transaction } from "../../runtime/store/store.ts";
import type { AppendTurn } from "../../runtime/store/turns.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { closingTurn, newId, Stage, turnOf } from "./store/stage.ts";

const STALL = 4242;

describe.each([
  { how: "alone", isAlone: true },
  { how: "beside another run's turn", isAlone: false },
])("an old owner's append and a new owner, sent $how", ({ isAlone }) => {
  const stage = new Stage();
  let store: Store;
  let other: pg.Client;
  let observer: pg.Client; // never in a transaction: there, pg_stat_activity stays as it was first seen

  beforeAll(async () => {
    const database = await createDatabase();
    store = openPostgresStore({ url: database.url }, { log: new RecordedLog() });
    await stage.open(Promise.resolve({ store, close: () => store.close() }));
    other = new pg.Client({ connectionString: database.url });
    observer = new pg.Client({ connectionString: database.url });
    await Promise.all([other.connect(), observer.connect()]);
    // Holds a transaction that added events or mail just before its commit, for as long as the test holds the advisory lock.
    await other.query(`
      create function stall() returns trigger language plpgsql as $$
        begin perform pg_advisory_xact_lock_shared(${STALL}); return null; end $$;
      create constraint trigger stall after insert on everstep.event
        deferrable initially deferred for each row execute function stall();
      create constraint trigger stall after insert on everstep.mail
        deferrable initially deferred for each row execute function stall()`);
  });

  afterAll(async () => {
    await stage.close();
    await Promise.all([other.end(), observer.end()]);
  });

  afterEach(async () => {
    await other.query("rollback");
    await other.query("select pg_advisory_unlock_all()");
  });

  // Made beforehand, since nothing can be started while the trigger holds every new event.
  let neighbour: ClaimedRun;
  beforeEach(async () => {
    neighbour = await stage.owned();
  });

  /** True when the turn is committed. The neighbour's always is: a stale run is refused alone. */
  const append = async (turn: AppendTurn): Promise<boolean> => {
    if (isAlone) return stage.append(turn);
    const { committed } = await store.appendTurns([turn, turnOf(neighbour)]);
    neighbour = { ...neighbour, events: neighbour.events + 1 };
    expect(committed).toContain(neighbour.runId);
    return committed.has(turn.claim.runId);
  };

  const waiting = (kind: string) => async () => {
    const { rows } = await observer.query(
      "select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and wait_event = $1",
      [kind],
    );
    return rows.length > 0;
  };

  test("an append that waits for a takeover is refused once the takeover has committed", async () => {
    const run = await stage.owned();
    await other.query("begin");
    await other.query("update everstep.open_run set epoch = epoch + 1, claim_id = $2 where run_id = $1", [
      uuidOf(run.runId),
      randomUUID(),
    ]);
    const appending = append(turnOf(run));
    await eventually("the append waits for the takeover", waiting("transactionid"));
    await other.query("commit");
    expect(await appending).toBe(false);
    expect(await store.findRun({ runId: run.runId })).toMatchObject({ events: 1 });
  });

  test("while an append is written and not committed nobody else gets the run; then they see its events", async () => {
    const workerId = randomUUID();
    const run = await stage.owned({}, workerId);
    await other.query("select pg_advisory_lock($1)", [STALL]);
    const turn = turnOf(run);
    const appending = append(turn);
    await eventually("the append waits just before its commit", waiting("advisory"));

    expect(await store.rescueRuns(workerId, 10)).toEqual({ count: 0, queues: [] });
    expect((await store.loadHistories([run.runId]))[0]?.events).toHaveLength(1);
    await other.query("select pg_advisory_unlock($1)", [STALL]);
    expect(await appending).toBe(true);

    expect(await store.rescueRuns(workerId, 10)).toMatchObject({ count: 1 });
    const heir = await stage.claimOne(run.queue);
    expect(heir.events).toBe(2);
    expect((await store.loadHistories([run.runId]))[0]?.events).toHaveLength(2);
    expect(await append(turnOf(run, { base: 2 }))).toBe(false);
    expect(await store.resolveTurns([turn])).toMatchObject([{ landed: true, owned: false, events: 2 }]);
  });

  test("a termination waits for an append under way and comes after it", async () => {
    const run = await stage.owned();
    await other.query("select pg_advisory_lock($1)", [STALL]);
    const appending = append(turnOf(run));
    await eventually("the append waits just before its commit", waiting("advisory"));
    const termination = store.terminateRun(run.runId, "enough");
    await eventually("the termination waits for the append", waiting("transactionid"));
    await other.query("select pg_advisory_unlock($1)", [STALL]);
    expect(await appending).toBe(true);
    expect(await termination).toBe("terminated");
    const history = await store.readHistory(run.runId, 0, 10);
    expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3]);
    expect(await append(turnOf(run, { base: 3 }))).toBe(false);
  });

  test("mail that waits for a close is not accepted, and mail stored first keeps the run open", async () => {
    const closing = await stage.owned();
    await other.query("select pg_advisory_lock($1)", [STALL]);
    const close = append(closingTurn(closing, "completed"));
    await eventually("the close waits just before its commit", waiting("advisory"));
    const late = stage.send(closing.runId);
    await eventually("the mail waits for the close", waiting("transactionid"));
    await other.query("select pg_advisory_unlock($1)", [STALL]);
    expect(await close).toBe(true);
    expect(await late).toMatchObject({ outcome: "closed" });

    const open = await stage.owned();
    expect(await stage.send(open.runId)).toMatchObject({ outcome: "accepted" });
    expect(await append(closingTurn(open, "completed"))).toBe(false);
  });

  test("of one signal sent at once by fifty senders one is accepted, and the numbers have no gaps", async () => {
    const { runId } = await stage.start();
    const mailId = newId("mail");
    const same = Array.from({ length: 50 }, () => stage.send(runId, { mailId }));
    const different = Array.from({ length: 50 }, () => stage.send(runId));
    const outcomes = (await Promise.all(same)).map(({ outcome }) => outcome);
    expect(outcomes.filter((outcome) => outcome === "accepted")).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === "duplicate")).toHaveLength(49);
    expect(new Set((await Promise.all(different)).map(({ outcome }) => outcome))).toEqual(new Set(["accepted"]));
    const mail = await store.readMail([{ runId, after: 0 }], 100);
    expect(mail.map((item) => item.mail)).toEqual(Array.from({ length: 51 }, (_, n) => n + 1));
  });

  test("mail that waited for the same mail to commit is a duplicate, and other mail gets the next number", async () => {
    const { runId } = await stage.start();
    const mailId = newId("mail");
    await other.query("select pg_advisory_lock($1)", [STALL]);
    const first = stage.send(runId, { mailId });
    await eventually("the first waits just before its commit", waiting("advisory"));
    const again = stage.send(runId, { mailId });
    await eventually("the second waits for the first", waiting("transactionid"));
    const another = stage.send(runId);
    await eventually("the third waits behind them", waiting("tuple"));
    await other.query("select pg_advisory_unlock($1)", [STALL]);
    expect(await first).toMatchObject({ outcome: "accepted" });
    expect(await again).toMatchObject({ outcome: "duplicate" });
    expect(await another).toMatchObject({ outcome: "accepted" });
    expect((await store.readMail([{ runId, after: 0 }], 10)).map((item) => item.mail)).toEqual([1, 2]);
  });

  test("senders cut off in the middle leave no gap and no half-stored mail", async () => {
    const { runId } = await stage.start();
    await other.query("begin");
    await other.query("select 1 from everstep.open_run where run_id = $1 for no key update", [uuidOf(runId)]);
    const mailId = newId("mail");
    const cut = stage.send(runId, { mailId }).catch((error: unknown) => error);
    await eventually("the sender waits for the lock", waiting("transactionid"));
    await observer.query(`select pg_terminate_backend(pid) from pg_stat_activity
      where datname = current_database() and wait_event_type = 'Lock'`);
    expect(await cut).toMatchObject({ code: "STORE_UNAVAILABLE" });
    await other.query("commit");
    expect(await stage.send(runId, { mailId })).toMatchObject({ outcome: "accepted" });
    expect(await stage.send(runId, { mailId })).toMatchObject({ outcome: "duplicate" });
    expect((await store.readMail([{ runId, after: 0 }], 10)).map((item) => item.mail)).toEqual([1]);
  });

  test("a transaction step cannot end the transaction itself, nor use it after it has returned", async () => {
    const run = await stage.owned();
    for (const text of ["commit", " ROLLBACK;", "begin", "end", "abort", "start transaction"]) {
      const ending = store.appendInTransaction(async (tx) => {
        await tx.query(text);
        return turnOf(run);
      });
      await expect(ending).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    }
    const smuggling = store.appendInTransaction(async (tx) => {
      await tx.query("select 1; commit");
      return turnOf(run);
    });
    await expect(smuggling).rejects.toMatchObject({ code: "42601" });
    let kept: Transaction | undefined;
    const { committed } = await store.appendInTransaction(async (tx) => {
      kept = tx;
      await tx.query("savepoint here");
      await expect(tx.query("select 1 / 0")).rejects.toMatchObject({ code: "22012" });
      await tx.query("rollback to savepoint here");
      return turnOf(run);
    });
    expect(committed).toBe(true);
    await expect(kept?.query("select 1")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  });

  test("a transaction step that swallows a failed query commits nothing", async () => {
    const run = await stage.owned();
    const swallowing = store.appendInTransaction(async (tx) => {
      await tx.query("select 1 / 0").catch(() => {});
      return turnOf(run);
    });
    await expect(swallowing).rejects.toMatchObject({ code: "STORE_REJECTED" });
    expect(await append(turnOf(run))).toBe(true);
  });

  test("a connection cut off during a transaction step fails the call and leaves no trace", async () => {
    const run = await stage.owned();
    const cut = store.appendInTransaction(async (tx) => {
      const { rows } = await tx.query("select pg_backend_pid() as pid");
      await other.query("select pg_terminate_backend($1)", [rows[0]?.pid]);
      return turnOf(run);
    });
    await expect(cut).rejects.toMatchObject({ code: "STORE_UNAVAILABLE" });
    expect(await store.findRun({ runId: run.runId })).toMatchObject({ events: 1 });
    expect(await append(turnOf(run))).toBe(true);
  });
});
