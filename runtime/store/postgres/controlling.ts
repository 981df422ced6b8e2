// Whether a run may be claimed, changed from outside: paused, resumed, unblocked. The head and the mail that tells of it are
// written under the row's lock in one statement. The number of events does not move: only the run's owner appends, so an
// owner that knows nothing of it yet is not refused.

import { encodeActor } from "../acted-by.ts";
import type { ControlOutcome, ControlRequest } from "../mail.ts";
import { ms, storableName } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { isToBeRetried } from "./mail.ts";
import { standsStill } from "./regaining.ts";
import { tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

// As mail does, a resume makes a run due that waits: its next owner takes the mail.
const CONTROL = prepared({
  name: "everstep_control_run",
  text: `
    with locked as materialized (
      select run_id, worker_id, newest_mail, blocked, paused from everstep.open_run
      where run_id = $1::uuid for no key update),
    changing as materialized (
      select *, newest_mail + 1 as mail, date_trunc('milliseconds', clock_timestamp()) as at from locked
      where not everstep.has_mail(run_id, $3::text) and case $2::text
        when 'pause' then paused is null when 'resume' then paused is not null else blocked is not null end),
    stored as (
      insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at)
      select run_id, mail, $3::text, $2::text,
        case $2::text when 'unblock' then blocked::json ->> 'kind' else $4::text end, $5::text, at from changing),
    changed as (
      update everstep.open_run o set newest_mail = c.mail,
        paused = case $2::text
          when 'pause' then json_strip_nulls(json_build_object(
            'reason', $4::text, 'at', ${ms("c.at")}, 'actor', $5::json ->> 'actor'))::text
          when 'resume' then null else o.paused end,
        blocked = case $2::text when 'unblock' then null else o.blocked end,
        crash_count = case $2::text when 'unblock' then 0 else o.crash_count end,
        wake_at = case
          when o.worker_id is null and not ${standsStill("o")}
            and ($2::text = 'unblock' or ($2::text = 'resume' and o.blocked is null and not ${isToBeRetried("o")}))
          then least(o.wake_at, now()) else o.wake_at end
      from changing c where ${lookup("o.run_id", "c.run_id")})
    select r.queue, l.worker_id, case when c.run_id is not null then 'changed'
      when l.run_id is not null or everstep.has_mail(r.run_id, $3::text) then 'unchanged' else 'closed' end as outcome
    from everstep.run r left join locked l on l.run_id = r.run_id left join changing c on c.run_id = r.run_id
    where r.run_id = $1::uuid`,
});

export async function controlRun(pool: Pool, request: ControlRequest): Promise<ControlOutcome> {
  const { runId, kind, mailId, reason, actor } = request;
  const uuid = tryUuidOf(runId);
  type ControlRow = { outcome: ControlOutcome["outcome"]; queue: string; worker_id: string | null };
  const values = [uuid, kind, storableName(mailId), storableName(reason), encodeActor(actor)];
  const [row] = uuid === null ? [] : await pool.query<ControlRow>(CONTROL, values);
  if (row === undefined) return { outcome: "notFound", queue: null, ownerId: null };
  return { outcome: row.outcome, queue: row.queue, ownerId: row.worker_id };
}
