// Runs that are kept no longer. Nothing on the way of a run pays for it: there is no index on the time of closing, which
// would cost every close its heap-only update. Candidates are found by going through the runs in the order of starting, a
// bounded page at a time; whoever was closed long ago was started longer ago.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { ExpiredPage, ExpiredRequest } from "../retention.ts";
import { ms, names, plain, runIds, textColumn } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { latestOfLine } from "./mail.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

/** SQL for whether the chain of run `r` has an open run: one that has is the latest, and has the workflow id. */
function isChainOpen(r: string): string {
  return `exists (
    select from everstep.open_run o
    where o.workflow_id = ${r}.workflow_id and coalesce(o.first_run_id, o.run_id) = coalesce(${r}.first_run_id, ${r}.run_id)
    offset 0)`;
}

/**
 * SQL for whether run `r` is a link by which others come to an open fork: of a chain of several, or in the place of another
 * run. What was forked first needs no keeping: the fork names it.
 */
function leadsOn(r: string): string {
  return `(
    (${r}.replaces or ${r}.first_run_id is not null or exists (select from everstep.run n where n.first_run_id = ${r}.run_id offset 0))
    and exists (select from everstep.open_run o where o.run_id = ${latestOfLine(`${r}.run_id`)} offset 0))`;
}

const FIND_EXPIRED = prepared({
  name: "everstep_find_expired",
  text: `
    with rule as (
      select * from unnest($3::float8[], ${textColumn(4)}) rule(retention_ms, workflow) where retention_ms is not null),
    page as materialized (
      select run_id, first_run_id, workflow_id, workflow, status, started_at, closed_at, replaces from everstep.run
      where $1::uuid is null or run_id > $1::uuid order by run_id limit $2),
    expired as (
      select p.run_id, (select max(seq) from everstep.event e where e.run_id = p.run_id) as events
      from page p
      where p.status <> ${STATUS_CODES.running} and not ${isChainOpen("p")} and exists (
        select from rule where coalesce(rule.workflow, p.workflow) = p.workflow
          and ${ms("p.closed_at")} <= ${ms("now()")} - rule.retention_ms)
        and ${leadsOn("p")} is not true)
    select run_id, coalesce(events, 0) as events, null::boolean as is_last from expired
    union all (
      select run_id, 0, (select count(*) from page) < $2
          or ${ms("started_at")} > ${ms("now()")} - (select min(retention_ms) from rule)
      from page order by run_id desc limit 1)`,
});

interface ExpiredRow {
  run_id: string;
  events: number;
  /** Of the page's last run only: nothing after it can have expired. */
  is_last: boolean | null;
}

export async function findExpired(pool: Pool, { rules, after, limit }: ExpiredRequest): Promise<ExpiredPage> {
  const rows = await pool.query<ExpiredRow & Record<string, unknown>>(FIND_EXPIRED, [
    after === null ? null : tryUuidOf(after),
    limit,
    plain(rules.map(({ retentionMs }) => retentionMs)),
    names(rules.map(({ workflow }) => workflow)),
  ]);
  const end = rows.find(({ is_last }) => is_last !== null);
  const runs = rows
    .filter(({ is_last }) => is_last === null)
    .map(({ run_id, events }) => ({ runId: runIdOf(run_id), events }));
  runs.sort((a, b) => (a.runId < b.runId ? -1 : 1));
  return { runs, next: end === undefined || end.is_last === true ? null : runIdOf(end.run_id) };
}

// The row of a closed run is never changed again; it is locked so that two who delete it do not do so twice. A chain that
// has no open run never gets one again, and whoever waited for it has been told of its end, should it be forked later.
const DELETE = prepared({
  name: "everstep_delete_runs",
  text: `
    with gone as materialized (
      select r.run_id from everstep.run r
      where r.run_id = any($1::uuid[]) and r.status <> ${STATUS_CODES.running}
        and not ${isChainOpen("r")} and ${leadsOn("r")} is not true
      order by r.run_id for update skip locked),
    events as (delete from everstep.event x using gone where ${lookup("x.run_id", "gone.run_id")}),
    mail as (delete from everstep.mail x using gone where ${lookup("x.run_id", "gone.run_id")}),
    heartbeats as (delete from everstep.step_heartbeat x using gone where ${lookup("x.run_id", "gone.run_id")}),
    data as (delete from everstep.run_data x using gone where ${lookup("x.run_id", "gone.run_id")}),
    requests as (delete from everstep.start_request x using gone where ${lookup("x.run_id", "gone.run_id")}),
    runs as (delete from everstep.run x using gone where ${lookup("x.run_id", "gone.run_id")})
    select run_id from gone`,
});

export async function deleteRuns(pool: Pool, ids: readonly string[]): Promise<string[]> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  const rows = await pool.query<{ run_id: string }>(DELETE, [runIds(known)]);
  return rows.map(({ run_id }) => runIdOf(run_id));
}
