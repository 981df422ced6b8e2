// What has become of updates: the mailbox says whether one came and why it was refused, the history how it went on.

import { EVENT_CODES } from "../../../sdk/protocol/event.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../../sdk/protocol/update-refusal.ts";
import type { UpdateLook, UpdateTrace } from "../mail.ts";
import { updateIdOf } from "../mail-id.ts";
import { names, plain, textColumn } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { EVENT_COLUMNS, type EventRow, storedEventOf } from "./reading.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";
import { closedStatusOf } from "./status.ts";

// Of a history only what is younger than the last look is read. The data of other types is no business of this cast. One
// look at a time, each by its indexes: left to itself a plan for many looks goes through whole tables.
const READ_UPDATES = prepared({
  name: "everstep_read_updates",
  text: `
    select l.place, coalesce(m.run_id, l.run_id) as run_id, m.mail, m.refusal, r.status,
      coalesce(o.events, (select max(seq) from everstep.event n where n.run_id = r.run_id), 0) as seen, ${EVENT_COLUMNS}
    from unnest($1::uuid[], $2::int[], $3::int[], ${textColumn(4)}, ${textColumn(5)})
      l(run_id, place, after, mail_id, update_id)
    left join lateral (
      select coalesce(first_run_id, run_id) as chain_id from everstep.run where run_id = l.run_id offset 0) asked on true
    left join lateral (
      select run_id, mail, refusal from everstep.mail
      where coalesce(chain_id, run_id) = asked.chain_id and mail_id = l.mail_id and kind = 'update' offset 0) m on true
    left join lateral (
      select run_id, status from everstep.run where run_id = coalesce(m.run_id, l.run_id) offset 0) r on true
    left join lateral (select events from everstep.open_run where run_id = r.run_id offset 0) o on true
    left join lateral (
      select * from everstep.event e
      where e.run_id = m.run_id and e.seq > case when m.run_id = l.run_id then l.after else 0 end
        and e.type in (${EVENT_CODES.UpdateAccepted}, ${EVENT_CODES.UpdateCompleted})
        and case when e.type in (${EVENT_CODES.UpdateAccepted}, ${EVENT_CODES.UpdateCompleted})
          then e.data::json ->> 'updateId' = l.update_id end offset 0) e on true
    where l.place is not null
    order by l.place, e.seq`,
});

type UpdateRow = Partial<EventRow> & {
  place: number;
  run_id: string | null;
  mail: number | null;
  refusal: string | null;
  status: number | null;
  seen: number;
};

export async function readUpdates(pool: Pool, looks: readonly UpdateLook[]): Promise<UpdateTrace[]> {
  if (looks.length === 0) return [];
  const rows = await pool.query<UpdateRow>(READ_UPDATES, [
    plain(looks.map(({ runId }) => tryUuidOf(runId))),
    plain(looks.map((_, place) => place)),
    plain(looks.map(({ after }) => after)),
    names(looks.map(({ mailId }) => mailId)),
    names(looks.map(({ mailId }) => updateIdOf(mailId))),
  ]);
  const traces = looks.map((): UpdateRow[] => []);
  for (const row of rows) traces[row.place]?.push(row);
  return traces.map((found, place) => traceOf(looks[place]?.runId ?? "", found));
}

function traceOf(askedId: string, rows: readonly UpdateRow[]): UpdateTrace {
  const [first] = rows;
  const { run_id = null, mail = null, refusal = null, status = null, seen = 0 } = first ?? {};
  return {
    runId: run_id === null ? askedId : runIdOf(run_id),
    mail,
    refusal: refusal === null ? null : (JSON.parse(refusal) as UpdateRefusal),
    events: rows.filter((row): row is UpdateRow & EventRow => row.seq != null).map(storedEventOf),
    seen,
    closed: status === null || status === STATUS_CODES.running ? null : closedStatusOf(status),
  };
}
