// Closing a run from outside, whoever owns it: terminated by a person, or past its deadline. The record is appended
// under the row's lock and the head goes away with it, so the owner's next write finds nothing to write to.

import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { terminationRecord } from "../acted-by.ts";
import type { RunEnd } from "../errands.ts";
import { grantErrand } from "../locks.ts";
import { ms, names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Pool, Session } from "./connection.ts";
import { keepErrands, partKin } from "./kin.ts";
import { changeLocks } from "./locks.ts";
import { lookup } from "./lookup.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

const CLOSE = prepared({
  name: "everstep_close",
  text: `
    with closing as (
      select * from unnest($1::uuid[], $2::smallint[], $3::smallint[], ${textColumn(4)}, ${textColumn(5)}, ${textColumn(6)})
        c(run_id, status, type, name, payload, data)
      order by run_id),
    locked as materialized (
      select c.*, o.events from closing c cross join lateral (
        select events from everstep.open_run where run_id = c.run_id for no key update) o),
    clock as materialized (
      select date_trunc('milliseconds', clock_timestamp()) as at from (select count(*) as locks from locked) l where locks >= 0),
    gone as (delete from everstep.open_run o using locked l where ${lookup("o.run_id", "l.run_id")}),
    ended as (
      update everstep.run r set status = l.status, closed_at = clock.at
      from locked l, clock where ${lookup("r.run_id", "l.run_id")}),
    written as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
      select l.run_id, l.events + 1, gen_random_uuid(), clock.at, l.type, null, l.name, l.payload, l.data
      from locked l, clock)
    select run_id from locked`,
});

/** In a transaction. Answers the runs closed by this; the others were closed already. */
export async function closeFromOutside(session: Session, closes: readonly RunEnd[]): Promise<string[]> {
  const closed = await endFromOutside(session, closes);
  const grants = await changeLocks(
    session,
    closed.map((runId) => ({ runId, command: null })),
  );
  await keepErrands(session, grants.map(grantErrand));
  return closed;
}

/** The same, with what they hold in the queues left where it is: to be let go in the same transaction. */
export async function endFromOutside(session: Session, closes: readonly RunEnd[]): Promise<string[]> {
  if (closes.length === 0) return [];
  const rows = await session.query<{ run_id: string }>(CLOSE, [
    runIds(closes.map(({ runId }) => runId)),
    plain(closes.map(({ status }) => STATUS_CODES[status])),
    plain(closes.map(({ event }) => event.type)),
    names(closes.map(({ event }) => event.name)),
    texts(closes.map(({ event }) => event.payload)),
    texts(closes.map(({ event }) => event.data)),
  ]);
  const closed = rows.map(({ run_id }) => runIdOf(run_id));
  await partKin(
    session,
    closes.filter(({ runId }) => closed.includes(runId)),
  );
  return closed;
}

const RUN_EXISTS = prepared({
  name: "everstep_run_exists",
  text: "select 1 as one from everstep.run where run_id = $1",
});

export async function terminateRun(
  pool: Pool,
  runId: string,
  reason: string,
  actor?: string,
): Promise<"terminated" | "closed" | "notFound"> {
  const uuid = tryUuidOf(runId);
  if (uuid === null) return "notFound";
  const event = terminationRecord(reason, actor);
  const closed = await pool.transaction((session) =>
    closeFromOutside(session, [{ runId, status: "terminated", event, seq: null }]),
  );
  if (closed.length > 0) return "terminated";
  const known = await pool.query(RUN_EXISTS, [uuid]);
  return known.length > 0 ? "closed" : "notFound";
}

const OVERDUE = prepared({
  name: "everstep_overdue",
  text: `
    select o.run_id, ${ms("o.deadline_at")} - ${ms("r.started_at")} as timeout_ms
    from everstep.open_run o join everstep.run r on ${lookup("r.run_id", "o.run_id")}
    where o.deadline_at <= now() order by o.deadline_at limit $1`,
});

export async function closeOverdue(pool: Pool, limit: number): Promise<string[]> {
  const overdue = await pool.query<{ run_id: string; timeout_ms: number }>(OVERDUE, [limit]);
  if (overdue.length === 0) return [];
  const ends = overdue.map(({ run_id, timeout_ms }): RunEnd => {
    const event = toRecord({ type: "RunTimedOut", timeoutMs: timeout_ms });
    return { runId: runIdOf(run_id), status: "timedOut", event, seq: null };
  });
  return pool.transaction((session) => closeFromOutside(session, ends));
}
