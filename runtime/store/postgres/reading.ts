// Histories and what is told about runs. Nothing here changes anything or waits for a lock.

import { STEP_CODES } from "../../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { BlockedReason, ClosedStatus, Pause } from "../../../sdk/protocol/run.ts";
import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { LoadedHistory } from "../claims.ts";
import type { RunRef } from "../run-ref.ts";
import type { RunDetail, StepRef, StoredSummary } from "../runs.ts";
import { finiteMs, ms, runIds } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { latestOfChain, latestOfLine, latestRun } from "./mail.ts";
import { DATA_COLUMN, dataOf } from "./run-data.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";
import { closedStatusOf, statusOf } from "./status.ts";

export const EVENT_COLUMNS = `e.seq, e.type, e.command, e.name, e.payload, e.data, ${ms("e.at")} as at`;

export interface EventRow {
  seq: number;
  type: number;
  command: number | null;
  name: string | null;
  payload: string | null;
  data: string | null;
  at: number;
}

interface OfRun {
  run_id: string;
}

interface HeartbeatRow extends OfRun {
  command: number;
  attempt: number;
  details: string | null;
}

export function storedEventOf({ seq, type, command, name, payload, data, at }: EventRow): StoredEvent {
  return { seq, type, command, name, payload, data, at };
}

const LOAD_EVENTS = prepared({
  name: "everstep_load_events",
  text: `select e.run_id, ${EVENT_COLUMNS} from everstep.event e where e.run_id = any($1::uuid[]) order by e.run_id, e.seq`,
});
const LOAD_HEARTBEATS = prepared({
  name: "everstep_load_heartbeats",
  text: "select run_id, command, attempt, details from everstep.step_heartbeat where run_id = any($1::uuid[]) order by run_id, command",
});

export async function loadHistories(pool: Pool, ids: readonly string[]): Promise<LoadedHistory[]> {
  if (ids.length === 0) return [];
  const values = [runIds(ids)];
  const [eventRows, heartbeatRows] = await Promise.all([
    pool.query<EventRow & OfRun>(LOAD_EVENTS, values),
    pool.query<HeartbeatRow>(LOAD_HEARTBEATS, values),
  ]);
  const events = byRun(eventRows);
  const heartbeats = byRun(heartbeatRows);
  return ids
    .filter((runId) => events.has(runId))
    .map((runId) => ({
      runId,
      events: (events.get(runId) ?? []).map(storedEventOf),
      heartbeats: (heartbeats.get(runId) ?? []).map(({ command, attempt, details }) => ({ command, attempt, details })),
    }));
}

/** The rows come run by run. */
function byRun<R extends OfRun>(rows: readonly R[]): Map<string, R[]> {
  const groups = new Map<string, R[]>();
  let uuid = "";
  let group: R[] = [];
  for (const row of rows) {
    if (row.run_id !== uuid) {
      uuid = row.run_id;
      group = [];
      groups.set(runIdOf(uuid), group);
    }
    group.push(row);
  }
  return groups;
}

const READ_HISTORY = prepared({
  name: "everstep_read_history",
  text: `select ${EVENT_COLUMNS} from everstep.event e where e.run_id = $1 and e.seq > $2 order by e.seq limit $3`,
});

export async function readHistory(pool: Pool, runId: string, afterSeq: number, limit: number): Promise<StoredEvent[]> {
  const uuid = tryUuidOf(runId);
  if (uuid === null) return [];
  return (await pool.query<EventRow>(READ_HISTORY, [uuid, afterSeq, limit])).map(storedEventOf);
}

// By the primary key alone: an index over types would be paid for by every event of every run. One run at a time, in the
// index's order: a plan of its own making goes through all of the table when it expects long histories.
export const READ_EVENTS_OF_TYPE = prepared({
  name: "everstep_read_events_of_type",
  text: `
    select r.run_id, ${EVENT_COLUMNS}
    from unnest($1::uuid[]) with ordinality r(run_id, place) cross join lateral (
      select * from everstep.event where run_id = r.run_id and type = $2 order by seq desc limit $3) e
    order by r.place, e.seq`,
});

export async function readEventsOfType(
  pool: Pool,
  ids: readonly string[],
  type: number,
  limit?: number,
): Promise<Map<string, StoredEvent[]>> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  if (known.length === 0) return new Map();
  const rows = await pool.query<EventRow & OfRun>(READ_EVENTS_OF_TYPE, [runIds(known), type, limit ?? null]);
  return new Map([...byRun(rows)].map(([runId, events]) => [runId, events.map(storedEventOf)]));
}

// By the primary key, like the events of a type.
export const READ_STEP_EVENTS = prepared({
  name: "everstep_read_step_events",
  text: `
    select ${EVENT_COLUMNS} from everstep.event e
    where e.run_id = $1 and e.type in (${STEP_CODES.join(", ")}) and (e.command = $2 or e.name = $3) order by e.seq`,
});

export async function readStepEvents(pool: Pool, runId: string, step: StepRef): Promise<StoredEvent[]> {
  const uuid = tryUuidOf(runId);
  if (uuid === null) return [];
  const command = "command" in step ? step.command : null;
  const name = "name" in step ? step.name : null;
  return (await pool.query<EventRow>(READ_STEP_EVENTS, [uuid, command, name])).map(storedEventOf);
}

const READ_OUTCOMES = prepared({
  name: "everstep_read_outcomes",
  text: `
    select r.run_id, r.status, ${EVENT_COLUMNS}
    from everstep.run r cross join lateral (
      select * from everstep.event e where e.run_id = r.run_id order by e.seq desc limit 1) e
    where r.run_id = any($1::uuid[]) and r.status <> ${STATUS_CODES.running}`,
});

export async function readOutcomes(
  pool: Pool,
  ids: readonly string[],
): Promise<Map<string, { status: ClosedStatus; event: StoredEvent }>> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  if (known.length === 0) return new Map();
  const rows = await pool.query<EventRow & OfRun & { status: number }>(READ_OUTCOMES, [runIds(known)]);
  return new Map(
    rows.map((row) => [runIdOf(row.run_id), { status: closedStatusOf(row.status), event: storedEventOf(row) }]),
  );
}

const MISSING = prepared({
  name: "everstep_missing_runs",
  text: `
    select asked.run_id from unnest($1::uuid[]) asked(run_id)
    where not exists (select from everstep.run r where r.run_id = asked.run_id offset 0)`,
});

export async function missingRuns(pool: Pool, ids: readonly string[]): Promise<string[]> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  const rows = known.length === 0 ? [] : await pool.query<OfRun>(MISSING, [runIds(known)]);
  return [...ids.filter((id) => tryUuidOf(id) === null), ...rows.map(({ run_id }) => runIdOf(run_id))];
}

export const SUMMARY_COLUMNS = `
  r.run_id, r.workflow_id, r.workflow, r.queue, r.version, r.status, ${ms("r.started_at")} as started_at,
  ${ms("r.closed_at")} as closed_at, r.attempt, ${ms("r.deadline_at")} as deadline_at, o.blocked, o.paused,
  r.forked_from, r.forked_event,
  ${DATA_COLUMN}`;

export interface SummaryRow {
  run_id: string;
  workflow_id: string;
  workflow: string;
  queue: string;
  version: string | null;
  status: number;
  started_at: number;
  closed_at: number | null;
  attempt: number | null;
  deadline_at: number | null;
  blocked: string | null;
  paused: string | null;
  forked_from: string | null;
  forked_event: number | null;
  data: string | null;
}

export function summaryOf(row: SummaryRow): StoredSummary {
  return {
    runId: runIdOf(row.run_id),
    workflowId: row.workflow_id,
    workflow: row.workflow,
    queue: row.queue,
    version: row.version,
    status: statusOf(row.status, row.blocked !== null),
    startedAt: row.started_at,
    closedAt: row.closed_at,
    attempt: row.attempt ?? 1,
    deadlineAt: row.deadline_at,
    paused: row.paused === null ? null : (JSON.parse(row.paused) as Pause),
    forkedFrom: row.forked_from === null ? null : { runId: runIdOf(row.forked_from), event: row.forked_event ?? 0 },
    data: dataOf(row.data),
  };
}

interface DetailRow extends SummaryRow {
  events: number;
  epoch: number | null;
  worker_id: string | null;
  wake_at: number | null;
  awaited_locks: number;
  crash_count: number;
  unread_mail: number;
  now: number;
}

const FIND = prepared({
  name: "everstep_find_run",
  text: `
    select ${SUMMARY_COLUMNS},
      coalesce(o.events, (select max(seq) from everstep.event e where e.run_id = r.run_id), 0) as events,
      o.epoch::float8 as epoch, o.worker_id, case when o.worker_id is null then ${finiteMs("o.wake_at")} end as wake_at,
      coalesce(o.awaited_locks, 0) as awaited_locks, coalesce(o.crash_count, 0) as crash_count,
      coalesce(o.newest_mail - o.taken_mail, 0) as unread_mail,
      ${ms("now()")} as now
    from everstep.run r left join everstep.open_run o on ${lookup("o.run_id", "r.run_id")}
    where r.run_id = coalesce($1::uuid,
      (select run_id from everstep.open_run where workflow_id = $2),
      ${latestRun("workflow_id", "$2")}, ${latestOfChain("$3::uuid")}, ${latestOfLine("$4::uuid")})`,
});

export async function findRun(pool: Pool, ref: RunRef): Promise<RunDetail | null> {
  const uuid = "runId" in ref ? tryUuidOf(ref.runId) : null;
  const workflowId = "workflowId" in ref ? ref.workflowId : null;
  const chainOf = "chainOf" in ref ? tryUuidOf(ref.chainOf) : null;
  const lineOf = "lineOf" in ref ? tryUuidOf(ref.lineOf) : null;
  if (uuid === null && workflowId === null && chainOf === null && lineOf === null) return null;
  const [row] = await pool.query<DetailRow>(FIND, [uuid, workflowId, chainOf, lineOf]);
  if (row === undefined) return null;
  return {
    ...summaryOf(row),
    events: row.events,
    epoch: row.epoch,
    ownerId: row.worker_id,
    wakeAt: row.wake_at,
    awaitedLocks: row.awaited_locks,
    blocked: row.blocked === null ? null : (JSON.parse(row.blocked) as BlockedReason),
    crashCount: row.crash_count,
    unreadMail: row.unread_mail,
    now: row.now,
  };
}
