// What somebody must do from time to time, whoever it is: find owners, free the runs of lost ones, tidy up. Every
// statement takes a bounded bite and steps around locked rows, so sweepers never stand in anybody's way.

import type { BlockedReason } from "../../../sdk/protocol/run.ts";
import type { BlockedRequest } from "../runs.ts";
import type { Pool } from "./connection.ts";
import { queueOf } from "./lanes.ts";
import { lookup } from "./lookup.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

// One index probe per owner, however many runs each of them owns.
const OWNER_IDS = prepared({
  name: "everstep_owner_ids",
  text: `
    with recursive owner as (
      (select worker_id from everstep.open_run where worker_id is not null order by worker_id limit 1)
      union all
      select (select n.worker_id from everstep.open_run n where n.worker_id > owner.worker_id order by n.worker_id limit 1)
      from owner where owner.worker_id is not null)
    select worker_id from owner where worker_id is not null`,
});

export async function ownerIds(pool: Pool): Promise<string[]> {
  return (await pool.query<{ worker_id: string }>(OWNER_IDS, [])).map(({ worker_id }) => worker_id);
}

// A run whose row is locked has its owner's last write under way; the next sweep gets it.
const RESCUE = prepared({
  name: "everstep_rescue_runs",
  text: `
    with lost as materialized (
      select run_id from everstep.open_run where worker_id = $1 limit $2 for no key update skip locked),
    freed as (
      update everstep.open_run o set worker_id = null, claim_id = null, wake_at = now()
      from lost where ${lookup("o.run_id", "lost.run_id")} returning ${queueOf("o.queue")} as queue)
    select queue, count(*)::int as count from freed group by queue order by queue`,
});

export async function rescueRuns(
  pool: Pool,
  workerId: string,
  limit: number,
): Promise<{ count: number; queues: string[] }> {
  const rows = await pool.query<{ queue: string; count: number }>(RESCUE, [workerId, limit]);
  return { count: rows.reduce((sum, row) => sum + row.count, 0), queues: rows.map(({ queue }) => queue) };
}

const FIND_BLOCKED = prepared({
  name: "everstep_find_blocked",
  text: `
    select o.run_id, o.blocked from everstep.open_run o join everstep.run r on ${lookup("r.run_id", "o.run_id")}
    where o.blocked is not null and o.paused is null and o.queue = any($2::text[])
      and (r.workflow = any($1::text[]) or o.queue <> r.queue)
      and ($3::uuid is null or o.run_id > $3::uuid)
    order by o.run_id limit $4`,
});

export async function findBlocked(
  pool: Pool,
  { workflows, queues, after, limit }: BlockedRequest,
): Promise<{ runId: string; reason: BlockedReason }[]> {
  const values = [workflows, queues, after === null ? null : uuidOf(after), limit];
  const rows = await pool.query<{ run_id: string; blocked: string }>(FIND_BLOCKED, values);
  return rows.map(({ run_id, blocked }) => ({ runId: runIdOf(run_id), reason: JSON.parse(blocked) as BlockedReason }));
}

/** Far beyond the longest time anybody waits for an answer, or a worker could still come back. */
const FORGET = [
  prepared({
    name: "everstep_forget_queries",
    text: "delete from everstep.query where asked_at < now() - interval '10 minutes'",
  }),
  prepared({
    name: "everstep_forget_heartbeats",
    text: `delete from everstep.step_heartbeat h
      where not exists (select from everstep.open_run o where o.run_id = h.run_id offset 0)`,
  }),
  prepared({
    name: "everstep_forget_workers",
    text: `delete from everstep.worker w
      where coalesce(heartbeat_at, started_at) < now() - interval '1 day'
        and not exists (select from everstep.open_run o where o.worker_id = w.worker_id offset 0)`,
  }),
];

export async function forgetLeftovers(pool: Pool): Promise<void> {
  for (const statement of FORGET) await pool.query(statement, []);
}
