// Forks that stand still until they have again what their source held. Nobody may claim them, so nobody owns them: the event
// that tells of a grant is appended by the transaction that has the head locked, and the last one lets the run be claimed.

import { EVENT_CODES } from "../../../sdk/protocol/event.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { type LockGrant, regainedEvent } from "../locks.ts";
import { names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Session } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { prepared } from "./statements.ts";

/** SQL for a run that nobody may claim yet: what wakes others does not wake it. */
export function standsStill(head: string): string {
  return `(${head}.awaited_locks > 0)`;
}

const REGAIN = prepared({
  name: "everstep_regain_locks",
  text: `
    with granted as (
      select * from unnest($1::uuid[], $2::int[], ${textColumn(3)}, ${textColumn(4)}, $5::int[])
        g(run_id, command, name, data, place)),
    locked as materialized (
      select g.*, o.events from (select run_id, count(*)::int as grants from granted group by run_id order by run_id) g
      cross join lateral (
        select events from everstep.open_run where run_id = g.run_id and awaited_locks > 0 for no key update) o),
    clock as materialized (
      select date_trunc('milliseconds', clock_timestamp()) as at from (select count(*) as locks from locked) l where locks >= 0),
    written as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
      select l.run_id, l.events + row_number() over (partition by l.run_id order by g.place), gen_random_uuid(), clock.at,
        ${EVENT_CODES.LockRegained}, g.command, g.name, null, g.data
      from granted g join locked l on l.run_id = g.run_id, clock),
    told as (
      update everstep.open_run o set events = o.events + l.grants, awaited_locks = o.awaited_locks - l.grants,
        wake_at = case when o.awaited_locks = l.grants then clock.at else o.wake_at end
      from locked l, clock where ${lookup("o.run_id", "l.run_id")}
      returning o.run_id, o.awaited_locks)
    select r.queue from told t join everstep.run r on ${lookup("r.run_id", "t.run_id")} where t.awaited_locks = 0`,
});

/** In the transaction of the grants or of their errand. Answers the queues in which runs may be claimed from now on. */
export async function noteRegained(session: Session, grants: readonly LockGrant[]): Promise<string[]> {
  if (grants.length === 0) return [];
  const records = grants.map((grant) => toRecord(regainedEvent(grant)));
  const rows = await session.query<{ queue: string }>(REGAIN, [
    runIds(grants.map(({ runId }) => runId)),
    plain(records.map(({ command }) => command)),
    names(records.map(({ name }) => name)),
    texts(records.map(({ data }) => data)),
    plain(grants.map((_, place) => place)),
  ]);
  return rows.map(({ queue }) => queue);
}
