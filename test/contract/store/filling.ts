// Rows in every table, as many as asked for: not those of runs that could be, but enough to be planned for.

import type pg from "pg";

export async function fillEveryTable(client: pg.Client, count: number): Promise<void> {
  for (const text of INSERTS) await client.query(text, [count]);
}

const ID = "('01990000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid";
const FROM = "from generate_series(1, $1::int) n";

const INSERTS = [
  `insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at, first_run_id, forked_from, replaces)
   select ${ID}, 'order-' || n, 'order', 'busy', 1, now(), case when n % 10 = 0 then ${ID} end,
     case when n % 20 = 0 then ${ID} end, n % 40 = 0 ${FROM}`,
  `insert into everstep.open_run (run_id, workflow_id, queue, events, wake_at, worker_id, blocked, paused, deadline_at)
   select ${ID}, 'order-' || n, 'busy', 2, now(), case when n % 2 = 0 then md5((n % 20)::text)::uuid end,
     case when n % 50 = 0 then '{}' end, case when n % 70 = 0 then '{}' end, case when n % 3 = 0 then now() end ${FROM}`,
  `insert into everstep.event (run_id, seq, tag, at, type)
   select ${ID}, seq, ${ID}, now(), 1 ${FROM} cross join generate_series(1, 2) seq`,
  `insert into everstep.mail (run_id, mail, mail_id, kind, name, at) select ${ID}, 1, n, 'signal', 'go', now() ${FROM}`,
  `insert into everstep.run_data (run_id, kind, name, place, type, number, text)
   select ${ID}, 1, 'customer', 0, 1, n, '' ${FROM}`,
  `insert into everstep.child (child_run_id, parent_run_id, command, name, policy)
   select ${ID}, ${ID}, 1, 'order', 'abandon' ${FROM}`,
  `insert into everstep.errand (what, body) select 'mail', '{}' ${FROM}`,
  `insert into everstep.lock_request (key, run_id, command, permits, capacity, requested_at, token)
   select 'key-' || n / 10, ${ID}, 1, 1, 1, now(), case when n % 10 = 0 then n end ${FROM}`,
  `insert into everstep.start_request (request_id, run_id) select n, ${ID} ${FROM}`,
  `insert into everstep.step_heartbeat (run_id, command, attempt) select ${ID}, 1, 1 ${FROM}`,
  `insert into everstep.query (query_id, run_id, queue, name) select n, ${ID}, 'busy', 'status' ${FROM}`,
  `insert into everstep.worker (worker_id) select ${ID} ${FROM}`,
  `insert into everstep.workflow_version (workflow, version) select 'order-' || n / 10, n ${FROM}`,
  `insert into everstep.version_policy (workflow, current) select 'order-' || n, '1' ${FROM}`,
  `insert into everstep.version_policy_change (workflow, at) select 'order-' || n, now() ${FROM}`,
];
