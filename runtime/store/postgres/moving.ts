// A run is given to another version of its workflow: it changes its lane, and mail tells it so, in one statement under the
// lock of its head. As with a pause, no event is appended from outside: an owner that knows nothing of it yet is not refused,
// and lets go when it takes the mail.

import { encodeActor } from "../acted-by.ts";
import type { ControlOutcome, MoveRequest } from "../mail.ts";
import { storableName } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { laneOf } from "./lanes.ts";
import { lookup } from "./lookup.ts";
import { standsStill } from "./regaining.ts";
import { tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

// What it is of now is read from its lane: that is the newest, once the lock is held. Whatever blocked it was true of other
// code, so it is due at once, wherever it waited.
const MOVE = prepared({
  name: "everstep_move_run",
  text: `
    with target as (
      select run_id, queue, ${laneOf("queue", "workflow", "$3::text")} as lane from everstep.run where run_id = $1::uuid),
    locked as materialized (
      select run_id, queue, worker_id, newest_mail from everstep.open_run where run_id = $1::uuid for no key update),
    moving as materialized (
      select l.run_id, t.lane, l.newest_mail + 1 as mail from locked l join target t on t.run_id = l.run_id
      where l.queue <> t.lane and not everstep.has_mail(l.run_id, $2::text)),
    stored as (
      insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at)
      select run_id, mail, $2::text, 'move', coalesce($3::text, ''), $4::text, clock_timestamp() from moving),
    moved as (
      update everstep.open_run o set newest_mail = m.mail, queue = m.lane, blocked = null, crash_count = 0,
        wake_at = case when o.worker_id is null and not ${standsStill("o")} then least(o.wake_at, now()) else o.wake_at end
      from moving m where ${lookup("o.run_id", "m.run_id")}),
    facts as (
      update everstep.run r set version = $3::text from moving m where ${lookup("r.run_id", "m.run_id")})
    select t.queue, l.worker_id, case when m.run_id is not null then 'changed'
      when l.run_id is not null or everstep.has_mail(t.run_id, $2::text) then 'unchanged' else 'closed' end as outcome
    from target t left join locked l on l.run_id = t.run_id left join moving m on m.run_id = t.run_id`,
});

export async function moveRun(pool: Pool, { runId, mailId, version, actor }: MoveRequest): Promise<ControlOutcome> {
  const uuid = tryUuidOf(runId);
  type MovedRow = { outcome: ControlOutcome["outcome"]; queue: string; worker_id: string | null };
  const values = [uuid, storableName(mailId), version, encodeActor(actor)];
  const [row] = uuid === null ? [] : await pool.query<MovedRow>(MOVE, values);
  if (row === undefined) return { outcome: "notFound", queue: null, ownerId: null };
  return { outcome: row.outcome, queue: row.queue, ownerId: row.worker_id };
}
