// Imports: a run that was started elsewhere, in one transaction. First its two ids are taken, by the same unique indexes
// that starts go by; then its history, mail and data follow, piece by piece, seen by nobody before the commit.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { laneOf } from "../lanes.ts";
import type { KeptMail } from "../mail.ts";
import { changesIn, startedWith } from "../run-data.ts";
import type { ImportOutcome, ImportRequest } from "../starts.ts";
import { names, plain, storableName, textColumn, texts, timeAt } from "./columns.ts";
import type { Pool, Session } from "./connection.ts";
import { pieces, sizeOfEvent, sizeOfMail } from "./pieces.ts";
import { uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

const INSERT_RUN = prepared({
  name: "everstep_import_run",
  text: `
    insert into everstep.run (run_id, workflow_id, workflow, queue, status, started_at, closed_at, deadline_at,
      attempt, version)
    values ($1::uuid, $2, $3, $4, $5::smallint, ${timeAt("$6::float8")},
      case when $7::float8 is not null then ${timeAt("$7::float8")} end,
      case when $8::float8 is not null then ${timeAt("$8::float8")} end, nullif($9::int, 1), $10)
    on conflict (run_id) do nothing returning run_id`,
});

const INSERT_HEAD = prepared({
  name: "everstep_import_head",
  text: `
    insert into everstep.open_run (run_id, workflow_id, queue, events, newest_mail, taken_mail, wake_at, deadline_at)
    values ($1::uuid, $2, $3, $4::int, $5::int, $6::int, date_trunc('milliseconds', clock_timestamp()),
      case when $7::float8 is not null then ${timeAt("$7::float8")} end)
    on conflict do nothing returning run_id`,
});

const INSERT_EVENTS = prepared({
  name: "everstep_import_events",
  text: `
    insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
    select $1::uuid, seq, $2::uuid, ${timeAt("at")}, type, command, name, payload, data
    from unnest($3::int[], $4::float8[], $5::smallint[], $6::int[], ${[7, 8, 9].map(textColumn).join(", ")})
      e(seq, at, type, command, name, payload, data)
    where seq is not null`,
});

const INSERT_MAIL = prepared({
  name: "everstep_import_mail",
  text: `
    insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at)
    select $1::uuid, mail, mail_id, kind, name, payload, now()
    from unnest($2::int[], ${[3, 4, 5, 6].map(textColumn).join(", ")}) m(mail, mail_id, kind, name, payload)
    where mail is not null`,
});

const INSERT_DATA = prepared({
  name: "everstep_import_data",
  text: `
    insert into everstep.run_data (run_id, kind, name, place, type, number, text)
    select $1::uuid, kind, name, place, type, number, text
    from unnest($2::smallint[], $3::smallint[], $4::smallint[], $5::float8[], ${[6, 7].map(textColumn).join(", ")})
      d(kind, place, type, number, name, text)
    where kind is not null`,
});

const FIRST_TAG = prepared({
  name: "everstep_import_first_tag",
  text: "select tag from everstep.event where run_id = $1::uuid and seq = 1",
});

export function importRun(pool: Pool, request: ImportRequest): Promise<ImportOutcome> {
  return pool.transaction(async (session) => {
    const { runId, closed, tag } = request;
    await session.raw("savepoint before_import", []);
    if (!(await insertRun(session, request))) {
      const [first] = await session.query<{ tag: string }>(FIRST_TAG, [uuidOf(runId)]);
      return first?.tag === tag ? "imported" : "runExists";
    }
    if (closed === null && !(await insertHead(session, request))) {
      await session.raw("rollback to savepoint before_import", []);
      return "workflowIdOpen";
    }
    for (const piece of pieces(request.events, sizeOfEvent)) await insertEvents(session, request, piece);
    for (const piece of pieces(request.mail, sizeOfMail)) await insertMail(session, request, piece);
    await insertData(session, request);
    return "imported";
  });
}

async function insertRun(session: Session, request: ImportRequest): Promise<boolean> {
  const { runId, workflowId, workflow, queue, version = null, attempt, startedAt, closed, deadlineAt } = request;
  const rows = await session.query(INSERT_RUN, [
    uuidOf(runId),
    storableName(workflowId),
    storableName(workflow),
    storableName(queue),
    STATUS_CODES[closed?.status ?? "running"],
    startedAt,
    closed?.at ?? null,
    deadlineAt,
    attempt,
    version,
  ]);
  return rows.length > 0;
}

async function insertHead(session: Session, request: ImportRequest): Promise<boolean> {
  const { runId, workflowId, events, mail, takenMail, deadlineAt } = request;
  const newest = Math.max(takenMail, mail.at(-1)?.mail ?? 0);
  const { workflow, queue, version = null } = request;
  const lane = laneOf(queue, { workflow, version });
  const values = [uuidOf(runId), workflowId, lane, events.length, newest, takenMail, deadlineAt];
  return (await session.query(INSERT_HEAD, values)).length > 0;
}

/** A piece of a history, from elsewhere or encoded anew, at the times that it had. */
export async function insertEvents(
  session: Session,
  { runId, tag }: Pick<ImportRequest, "runId" | "tag">,
  events: readonly StoredEvent[],
) {
  await session.query(INSERT_EVENTS, [
    uuidOf(runId),
    tag,
    plain(events.map(({ seq }) => seq)),
    plain(events.map(({ at }) => at)),
    plain(events.map(({ type }) => type)),
    plain(events.map(({ command }) => command)),
    names(events.map(({ name }) => name)),
    texts(events.map(({ payload }) => payload)),
    texts(events.map(({ data }) => data)),
  ]);
}

async function insertMail(session: Session, { runId }: ImportRequest, mail: readonly KeptMail[]) {
  await session.query(INSERT_MAIL, [
    uuidOf(runId),
    plain(mail.map((item) => item.mail)),
    names(mail.map(({ mailId }) => mailId)),
    names(mail.map(({ kind }) => kind)),
    names(mail.map(({ name }) => name)),
    texts(mail.map(({ payload }) => payload)),
  ]);
}

async function insertData(session: Session, { runId, events }: ImportRequest) {
  const [started] = events;
  const last = new Map(
    [...(started === undefined ? [] : startedWith(started)), ...changesIn(events)].map((change) => [
      `${change.kind} ${change.name}`,
      change,
    ]),
  );
  const data = [...last.values()].flatMap(({ kind, name, rows }) => rows.map((row) => ({ kind, name, ...row })));
  if (data.length === 0) return;
  await session.query(INSERT_DATA, [
    uuidOf(runId),
    plain(data.map(({ kind }) => kind)),
    plain(data.map(({ place }) => place)),
    plain(data.map(({ type }) => type)),
    plain(data.map(({ number }) => number)),
    names(data.map(({ name }) => name)),
    names(data.map(({ text }) => text)),
  ]);
}
