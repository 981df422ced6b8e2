// How runs change hands: claimed, parked, released, blocked, rescued. The epoch rises here and nowhere else, and whoever
// lets a run go takes the claim away in the same statement.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { BlockedReason } from "../../../sdk/protocol/run.ts";
import {
  type Claim,
  type ClaimAnswer,
  type ClaimedRun,
  type ClaimRequest,
  type ParkOutcome,
  type ParkRequest,
  QUARANTINE_AFTER_CRASHES,
} from "../claims.ts";
import { versionOfLane } from "../lanes.ts";
import { finiteMs, ms, plain, runIds, textColumn, texts, timeAt } from "./columns.ts";
import type { Pool, Statement } from "./connection.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";

const CLAIMED_COLUMNS = `
  r.workflow_id, r.workflow, r.queue, c.queue as lane, c.epoch::float8 as epoch, c.claim_id, ${ms("r.started_at")} as started_at,
  ${ms("r.deadline_at")} as deadline_at, c.events, c.taken_mail, c.newest_mail, c.crash_count`;

interface ClaimedRow {
  run_id: string;
  workflow_id: string;
  workflow: string;
  queue: string;
  lane: string;
  epoch: number;
  claim_id: string;
  started_at: number;
  deadline_at: number | null;
  events: number;
  taken_mail: number;
  newest_mail: number;
  crash_count: number;
}

/** The columns of event 1, where it is the whole history. */
interface OpeningRow {
  opening_type: number | null;
  opening_name: string | null;
  opening_payload: string | null;
  opening_data: string | null;
  opening_at: number | null;
}

// Per queue, the index open_run_due is read in its own order, from the oldest due on; now() rather than
// clock_timestamp() because only a stable bound ends an index scan. A run whose workers keep dying is set aside here.
// What remains due is counted, not looked up: every join between the sets of this statement would be a loop within a
// loop, since a plan made once knows nothing of how many runs a claim takes. Nor are the tables joined with what is due:
// a plan made for a tenth of all runs would read them whole.
export const CLAIM: Statement = {
  name: "everstep_claim",
  text: `
    with due as materialized (
      select o.run_id, o.wake_at, o.crash_count >= $6 as is_given_up
      from unnest($1::text[]) q(queue) cross join lateral (
        select run_id, wake_at, crash_count from everstep.open_run
        where queue = q.queue and is_suspect = $2 and worker_id is null and paused is null and wake_at <= now()
        order by wake_at limit $3 for no key update skip locked) o
      order by o.wake_at limit $3),
    claimed as (
      update everstep.open_run o
      set epoch = o.epoch + 1, claim_id = $4, worker_id = $5, crash_count = o.crash_count + 1
      where o.run_id = any(array(select run_id from due where not is_given_up))
      returning o.run_id, o.queue, o.epoch, o.claim_id, o.events, o.taken_mail, o.newest_mail, o.crash_count, o.wake_at),
    set_aside as (
      update everstep.open_run o
      set wake_at = 'infinity', blocked = json_build_object('kind', 'quarantine', 'message', o.crash_count ||
        ' workers claimed this run and none of them got it any further. Find out what ends them first.')::text
      where o.run_id = any(array(select run_id from due where is_given_up))
      returning o.run_id),
    all_due as (
      select count(*) as runs from unnest($1::text[]) q(queue) cross join lateral (
        select from everstep.open_run
        where queue = q.queue and is_suspect = $2 and worker_id is null and paused is null and wake_at <= now()
        order by wake_at limit $3 + 1) o),
    next_due as (
      select case when (select runs from all_due) > (select count(*) from due) then now() else (
        select min(o.wake_at) from unnest($1::text[]) q(queue) cross join lateral (
          select n.wake_at from everstep.open_run n
          where n.queue = q.queue and n.is_suspect = $2 and n.worker_id is null and n.paused is null and n.wake_at > now()
          order by n.wake_at limit 1) o) end as wake_at)
    select ${ms("now()")} as now, ${finiteMs("next_due.wake_at")} as next_due_at,
      not $2 and exists (
        select from unnest($1::text[]) q(queue) join everstep.open_run n on n.queue = q.queue
        where n.is_suspect and n.worker_id is null and n.paused is null and n.wake_at <= now()) as has_due_suspects,
      (select string_agg(run_id::text, ',') from set_aside) as set_aside, taken.*
    from next_due left join (
      select c.run_id, c.wake_at, ${CLAIMED_COLUMNS},
        e.type as opening_type, e.name as opening_name, e.payload as opening_payload, e.data as opening_data,
        ${ms("e.at")} as opening_at
      from claimed c cross join lateral (select * from everstep.run where run_id = c.run_id limit 1) r
      left join lateral (
        select * from everstep.event where run_id = c.run_id and seq = 1 and c.epoch = 1 and c.events = 1 limit 1) e on true
    ) taken on true
    order by taken.wake_at`,
};

/** The first columns are the same in every row; where nothing was claimed, one row has only them. */
interface AnswerRow {
  now: number;
  next_due_at: number | null;
  has_due_suspects: boolean;
  /** Joined by commas; null when there are none. */
  set_aside: string | null;
}
type TakenRow = ClaimedRow & OpeningRow & AnswerRow;
type ClaimAnswerRow = TakenRow | (AnswerRow & { run_id: null });

function isTaken(row: ClaimAnswerRow): row is TakenRow {
  return row.run_id !== null;
}

export async function claimRuns(pool: Pool, request: ClaimRequest): Promise<ClaimAnswer> {
  const { workerId, claimId, queues, limit, suspects } = request;
  const rows = await pool.query<ClaimAnswerRow>(CLAIM, [
    [...new Set(queues)],
    suspects === "only",
    limit,
    claimId,
    workerId,
    QUARANTINE_AFTER_CRASHES,
  ]);
  const now = rows[0]?.now ?? 0;
  const nextDueAt = rows[0]?.next_due_at ?? null;
  return {
    claimed: rows.filter(isTaken).map((row) => claimedRunOf(row, openingOf(row))),
    quarantined: (rows[0]?.set_aside?.split(",") ?? []).map(runIdOf),
    nextDueInMs: nextDueAt === null ? null : Math.max(0, nextDueAt - now),
    hasDueSuspects: rows[0]?.has_due_suspects ?? false,
    now,
  };
}

const CLAIM_BLOCKED: Statement = {
  name: "everstep_claim_blocked",
  text: `
    with fit as materialized (
      select run_id from everstep.open_run where run_id = any($1::uuid[]) and blocked is not null and paused is null
      order by run_id for no key update skip locked),
    c as (
      update everstep.open_run o
      set epoch = o.epoch + 1, claim_id = $2, worker_id = $3, crash_count = o.crash_count + 1, blocked = null
      from fit where o.run_id = fit.run_id returning o.*)
    select c.run_id, ${CLAIMED_COLUMNS} from c join everstep.run r on r.run_id = c.run_id`,
};

export async function claimBlocked(
  pool: Pool,
  workerId: string,
  claimId: string,
  ids: readonly string[],
): Promise<ClaimedRun[]> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  if (known.length === 0) return [];
  const rows = await pool.query<ClaimedRow>(CLAIM_BLOCKED, [runIds(known), claimId, workerId]);
  return rows.map((row) => claimedRunOf(row, null));
}

function openingOf(row: OpeningRow): StoredEvent | null {
  if (row.opening_type === null || row.opening_at === null) return null;
  return {
    seq: 1,
    at: row.opening_at,
    type: row.opening_type,
    command: null,
    name: row.opening_name,
    payload: row.opening_payload,
    data: row.opening_data,
  };
}

function claimedRunOf(row: ClaimedRow, opening: StoredEvent | null): ClaimedRun {
  return {
    runId: runIdOf(row.run_id),
    epoch: row.epoch,
    claimId: row.claim_id,
    workflowId: row.workflow_id,
    workflow: row.workflow,
    queue: row.queue,
    // Of the row that was locked: what its run said when this statement began may have changed since.
    version: versionOfLane(row.lane),
    startedAt: row.started_at,
    deadlineAt: row.deadline_at,
    events: row.events,
    takenMail: row.taken_mail,
    newestMail: row.newest_mail,
    crashCount: row.crash_count,
    opening,
  };
}

const CLAIMS_OF: Statement = {
  name: "everstep_claims_of",
  text: "select run_id, epoch::float8 as epoch, claim_id from everstep.open_run where worker_id = $1",
};

export async function claimsOf(pool: Pool, workerId: string): Promise<Claim[]> {
  const rows = await pool.query<{ run_id: string; epoch: number; claim_id: string }>(CLAIMS_OF, [workerId]);
  return rows.map((row) => ({ runId: runIdOf(row.run_id), epoch: row.epoch, claimId: row.claim_id }));
}

/**
 * The rows of claims that still hold, locked: the beginning of every statement in which an owner lets go. The given
 * claims are the first three parameters; `given` adds columns to them.
 */
function held(given: { columns: string; names: string } = { columns: "", names: "" }): string {
  return `
    given as (select * from unnest($1::uuid[], $2::bigint[], $3::uuid[]${given.columns}) g(run_id, epoch, claim_id${given.names})),
    locked as materialized (
      select run_id, epoch, claim_id, events, newest_mail, taken_mail from everstep.open_run
      where run_id = any($1::uuid[]) order by run_id for no key update),
    held as materialized (
      select g.*, l.events as head, l.newest_mail, l.taken_mail as taken
      from given g join locked l on l.run_id = g.run_id and l.epoch = g.epoch and l.claim_id = g.claim_id)`;
}

function claimColumns(claims: readonly Claim[]): string[] {
  return [
    runIds(claims.map(({ runId }) => runId)),
    plain(claims.map(({ epoch }) => epoch)),
    plain(claims.map(({ claimId }) => claimId)),
  ];
}

const LET_GO = "worker_id = null, claim_id = null";

const PARK: Statement = {
  name: "everstep_park",
  text: `
    with ${held({ columns: ", $4::int[], $5::int[], $6::float8[]", names: ", events, taken_mail, wake_at" })},
    judged as materialized (
      select *, case when events <> head or taken_mail <> taken then 'lost' when newest_mail > taken_mail then 'mail' else 'parked' end as outcome
      from held),
    parked as (
      update everstep.open_run o
      set ${LET_GO}, crash_count = 0, wake_at = ${timeAt("coalesce(j.wake_at, 'infinity')")}
      from judged j where o.run_id = j.run_id and j.outcome = 'parked')
    select run_id, outcome from judged`,
};

export async function parkRuns(pool: Pool, requests: readonly ParkRequest[]): Promise<Map<string, ParkOutcome>> {
  const outcomes = new Map<string, ParkOutcome>(requests.map(({ claim }) => [claim.runId, "lost"]));
  if (requests.length === 0) return outcomes;
  const rows = await pool.query<{ run_id: string; outcome: ParkOutcome }>(PARK, [
    ...claimColumns(requests.map(({ claim }) => claim)),
    plain(requests.map(({ events }) => events)),
    plain(requests.map(({ takenMail }) => takenMail)),
    plain(requests.map(({ wakeAt }) => wakeAt)),
  ]);
  for (const { run_id, outcome } of rows) outcomes.set(runIdOf(run_id), outcome);
  return outcomes;
}

const RELEASE: Statement = {
  name: "everstep_release",
  text: `
    with ${held()}
    update everstep.open_run o set ${LET_GO}, crash_count = 0, wake_at = now() from held h where o.run_id = h.run_id`,
};

export async function releaseRuns(pool: Pool, claims: readonly Claim[]): Promise<void> {
  if (claims.length > 0) await pool.query(RELEASE, claimColumns(claims));
}

const BLOCK: Statement = {
  name: "everstep_block",
  text: `
    with ${held({ columns: `, ${textColumn(4)}`, names: ", reason" })}
    update everstep.open_run o set ${LET_GO}, crash_count = 0, wake_at = 'infinity', blocked = h.reason
    from held h where o.run_id = h.run_id`,
};

export async function blockRuns(
  pool: Pool,
  blocks: readonly { readonly claim: Claim; readonly reason: BlockedReason }[],
): Promise<void> {
  if (blocks.length === 0) return;
  const reasons = blocks.map(({ reason: { kind, message } }) => JSON.stringify({ kind, message }));
  await pool.query(BLOCK, [...claimColumns(blocks.map(({ claim }) => claim)), texts(reasons)]);
}

const SAVE_HEARTBEATS: Statement = {
  name: "everstep_save_heartbeats",
  text: `
    with ${held({
      columns: `, $4::int[], $5::int[], ${textColumn(6)}, $7::boolean[]`,
      names: ", command, attempt, details, is_progress",
    })},
    progressed as (
      update everstep.open_run o set crash_count = 0
      from (select distinct run_id from held where is_progress) h where o.run_id = h.run_id and o.crash_count > 0),
    saved as (
      insert into everstep.step_heartbeat as s (run_id, command, attempt, details)
      select run_id, command, attempt, details from held
      on conflict (run_id, command) do update set attempt = excluded.attempt, details = excluded.details
      where s.attempt <= excluded.attempt)
    select distinct run_id from held`,
};

export interface Heartbeat {
  readonly claim: Claim;
  readonly command: number;
  readonly attempt: number;
  readonly details: string | null;
  readonly isProgress: boolean;
}

export async function saveHeartbeats(pool: Pool, beats: readonly Heartbeat[]): Promise<Set<string>> {
  // One statement writes a row once: of several beats of a step, the last one counts.
  const latest = [...new Map(beats.map((beat) => [`${beat.claim.runId}/${beat.command}`, beat])).values()];
  if (latest.length === 0) return new Set();
  const rows = await pool.query<{ run_id: string }>(SAVE_HEARTBEATS, [
    ...claimColumns(latest.map(({ claim }) => claim)),
    plain(latest.map(({ command }) => command)),
    plain(latest.map(({ attempt }) => attempt)),
    texts(latest.map(({ details }) => details)),
    plain(latest.map(({ isProgress }) => String(isProgress))),
  ]);
  return new Set(rows.map(({ run_id }) => runIdOf(run_id)));
}
