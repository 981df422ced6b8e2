// How runs change hands: claimed, parked, released, blocked, rescued. The epoch rises here and nowhere else, and whoever
// lets a run go takes the claim away in the same statement.

import { invariant } from "../../../sdk/protocol/errors.ts";
import { EVENT_CODES } from "../../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { BlockedReason } from "../../../sdk/protocol/run.ts";
import {
  type Claim,
  type ClaimAnswer,
  type ClaimedRun,
  type ClaimRequest,
  MOST_EVENTS_BROUGHT,
  type ParkOutcome,
  type ParkRequest,
  QUARANTINE_AFTER_CRASHES,
} from "../claims.ts";
import { versionOfLane } from "../lanes.ts";
import { finiteMs, ms, names, plain, recordedMs, runIds, textColumn, texts, timeAt } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { eventsOf, joinedEvents } from "./joined-events.ts";
import { columnsOf, joinedRow, nullableNumber, nullableText, numberOf, textOf } from "./joined-row.ts";
import { lookup } from "./lookup.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

/** Of a claimed head `c` and its run `r`, in the order in which `claimedRunOf` reads them. */
const FACT_COLUMNS = [
  "c.run_id",
  "c.epoch",
  "c.claim_id",
  "r.workflow_id",
  "r.workflow",
  "r.queue",
  // Of the row that was locked: what its run said when this statement began may have changed since.
  "c.queue",
  recordedMs("r.started_at"),
  nullableNumber(ms("r.deadline_at")),
  "c.events",
  "c.taken_mail",
  "c.newest_mail",
  "c.crash_count",
  // Of the timer that has fired and of which nothing has come.
  nullableNumber("case when c.timer_seq = c.events then c.timer_command end"),
  nullableText("c.timer_name"),
];
const FACTS = joinedRow(FACT_COLUMNS);

/** The timer of a parked run is due, and nothing came before it. */
function fires(head: string): string {
  return `(${head}.timer_command is not null and ${head}.timer_seq = ${head}.events + 1
    and ${head}.timer_at <= (select at from clock) and ${head}.newest_mail <= ${head}.taken_mail)`;
}

// Per queue, the index open_run_due is read in its own order, from the oldest due on; now() rather than
// clock_timestamp() because only a stable bound ends an index scan. A run whose workers keep dying is set aside here.
// The timer that a run was parked for is fired here, under the lock and by a clock that is read after it, when it is due and
// no mail has come: mail has the place before it, as its owner will say. So a run that slept is woken without a commit more.
// The history comes along where it is short. It is read by the snapshot of this statement, which is older than the lock: it
// counts where the head has the epoch that the snapshot shows, so that nobody has owned the run in between, and as many events.
// A claim that appends nothing does not wait for the disk: what is recorded under it is later in the same log, so it is on the
// disk with or before that; and a claim that a crash takes back was never more than a lease.
// The setting is in the answer for what reading it does. The answer is the first row: the parts of the statement that write rule
// out a parallel plan, and what is appended comes in order.
// What remains due is counted, not looked up: every join between the sets of this statement would be a loop within a
// loop, since a plan made once knows nothing of how many runs a claim takes. Nor are the tables joined with what is due:
// a plan made for a tenth of all runs would read them whole.
export const CLAIM = prepared({
  name: "everstep_claim",
  text: `
    with due as materialized (
      select o.*, o.crash_count >= $6 as is_given_up
      from unnest($1::text[]) q(queue) cross join lateral (
        select run_id, wake_at, crash_count, events, newest_mail, taken_mail, timer_at, timer_seq, timer_command, timer_name
        from everstep.open_run
        where queue = q.queue and is_suspect = $2 and worker_id is null and paused is null and wake_at <= now()
        order by wake_at limit $3 for no key update skip locked) o
      order by o.wake_at limit $3),
    clock as materialized (
      select date_trunc('milliseconds', clock_timestamp()) as at from (select count(*) as locks from due) l where locks >= 0),
    claimed as (
      update everstep.open_run o
      set epoch = o.epoch + 1, claim_id = $4, worker_id = $5, crash_count = o.crash_count + 1,
        events = o.events + case when ${fires("o")} then 1 else 0 end,
        timer_command = case when ${fires("o")} or o.timer_seq = o.events then o.timer_command end
      where o.run_id = any(array(select run_id from due where not is_given_up))
      returning o.run_id, o.queue, o.epoch, o.claim_id, o.events, o.taken_mail, o.newest_mail, o.crash_count, o.wake_at,
        o.timer_seq, o.timer_command, o.timer_name),
    fired as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name)
      select run_id, timer_seq, $4, (select at from clock), ${EVENT_CODES.TimerFired}, timer_command, timer_name
      from due where not is_given_up and ${fires("due")}
      returning run_id),
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
    next_due as materialized (
      select case when (select runs from all_due) > (select count(*) from due) then now() else (
        select min(o.wake_at) from unnest($1::text[]) q(queue) cross join lateral (
          select n.wake_at from everstep.open_run n
          where n.queue = q.queue and n.is_suspect = $2 and n.worker_id is null and n.paused is null and n.wake_at > now()
          order by n.wake_at limit 1) o) end as wake_at)
    select json_build_object(
        'now', ${ms("now()")}, 'nextDueAt', ${finiteMs("next_due.wake_at")}, 'firedAt', (select ${ms("at")} from clock),
        'hasDueSuspects', not $2 and exists (
          select from unnest($1::text[]) q(queue) cross join lateral (
            select from everstep.open_run
            where queue = q.queue and is_suspect and worker_id is null and paused is null and wake_at <= now() limit 1) n),
        'setAside', (select coalesce(json_agg(run_id), '[]') from set_aside),
        'synchronousCommit', (
          select set_config('synchronous_commit', 'off', true) from (select count(*) as events from fired) f where f.events = 0)
      ) as answer, null as facts, null as history
    from next_due
    union all (
      select null, ${FACTS}, (
        select ${joinedEvents("e")} from everstep.event e
        where e.run_id = c.run_id and c.events <= ${MOST_EVENTS_BROUGHT}
          and (select epoch from everstep.open_run where run_id = c.run_id) = c.epoch - 1
          and not exists (select from everstep.step_heartbeat where run_id = c.run_id))
      from claimed c cross join lateral (select * from everstep.run where run_id = c.run_id limit 1) r
      order by c.wake_at)`,
});

/** The first row has only the answer; each of the others has only a run, and its history where the claim brings it. */
type ClaimRow =
  | { readonly answer: Answer }
  | {
      readonly answer: null;
      readonly facts: string;
      /** Joined; null where it is long, where steps have left heartbeats, or where somebody owned the run a moment ago. */
      readonly history: string | null;
    };

interface Answer {
  readonly now: number;
  readonly nextDueAt: number | null;
  /** The time of the timers that this claim has fired. */
  readonly firedAt: number;
  readonly hasDueSuspects: boolean;
  readonly setAside: readonly string[];
}

export async function claimRuns(pool: Pick<Pool, "query">, request: ClaimRequest): Promise<ClaimAnswer> {
  const { workerId, claimId, queues, limit, suspects } = request;
  const rows = await pool.query<ClaimRow>(CLAIM, [
    [...new Set(queues)],
    suspects === "only",
    limit,
    claimId,
    workerId,
    QUARANTINE_AFTER_CRASHES,
  ]);
  const answer = rows[0]?.answer ?? null;
  invariant(answer !== null, "a claim is answered", { claimId });
  const claimed: ClaimedRun[] = [];
  for (const row of rows) {
    if (row.answer === null) claimed.push(claimedRunOf(row.facts, row.history, answer.firedAt));
  }
  const { now, nextDueAt, hasDueSuspects, setAside } = answer;
  return {
    claimed,
    quarantined: setAside.map(runIdOf),
    nextDueInMs: nextDueAt === null ? null : Math.max(0, nextDueAt - now),
    hasDueSuspects,
    now,
  };
}

const CLAIM_BLOCKED = prepared({
  name: "everstep_claim_blocked",
  text: `
    with fit as materialized (
      select run_id from everstep.open_run where run_id = any($1::uuid[]) and blocked is not null and paused is null
      order by run_id for no key update skip locked),
    c as (
      update everstep.open_run o
      set epoch = o.epoch + 1, claim_id = $2, worker_id = $3, crash_count = o.crash_count + 1, blocked = null
      from fit where ${lookup("o.run_id", "fit.run_id")} returning o.*)
    select ${FACTS} as facts from c join everstep.run r on ${lookup("r.run_id", "c.run_id")}`,
});

export async function claimBlocked(
  pool: Pool,
  workerId: string,
  claimId: string,
  ids: readonly string[],
): Promise<ClaimedRun[]> {
  const known = ids.filter((id) => tryUuidOf(id) !== null);
  if (known.length === 0) return [];
  const rows = await pool.query<{ facts: string }>(CLAIM_BLOCKED, [runIds(known), claimId, workerId]);
  return rows.map(({ facts }) => claimedRunOf(facts, null, 0));
}

function claimedRunOf(facts: string, found: string | null, firedAt: number): ClaimedRun {
  const [
    uuid = "",
    epoch,
    claimId = "",
    workflowId = "",
    workflow = "",
    queue = "",
    lane = "",
    startedAt,
    deadlineAt = "",
    eventCount,
    takenMail,
    newestMail,
    crashCount,
    timer = "",
    timerName = "",
  ] = columnsOf(facts, FACT_COLUMNS.length);
  const events = Number(eventCount);
  const command = numberOf(timer);
  const fired = command === null ? null : firedEvent(events, firedAt, command, textOf(timerName));
  return {
    runId: runIdOf(uuid),
    epoch: Number(epoch),
    claimId,
    workflowId,
    workflow,
    queue,
    version: versionOfLane(lane),
    startedAt: Number(startedAt),
    deadlineAt: numberOf(deadlineAt),
    events,
    takenMail: Number(takenMail),
    newestMail: Number(newestMail),
    crashCount: Number(crashCount),
    history: found === null ? null : historyOf(found, events, fired),
    hasFired: fired !== null,
  };
}

/** Null when these are not all: the run is loaded by itself. */
function historyOf(found: string, count: number, fired: StoredEvent | null): readonly StoredEvent[] | null {
  const history = eventsOf(found);
  // What the claim has written itself it cannot see.
  if (fired !== null && history.length === count - 1) history.push(fired);
  return history.length === count ? history : null;
}

function firedEvent(seq: number, at: number, command: number, name: string | null): StoredEvent {
  return { seq, at, type: EVENT_CODES.TimerFired, command, name, payload: null, data: null };
}

const CLAIMS_OF = prepared({
  name: "everstep_claims_of",
  text: "select run_id, epoch::float8 as epoch, claim_id from everstep.open_run where worker_id = $1",
});

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

const PARK = prepared({
  name: "everstep_park",
  text: `
    with ${held({
      columns: `, $4::int[], $5::int[], $6::float8[], $7::int[], ${textColumn(8)}`,
      names: ", events, taken_mail, wake_at, timer_command, timer_name",
    })},
    judged as materialized (
      select *, case when events <> head or taken_mail <> taken then 'lost' when newest_mail > taken_mail then 'mail' else 'parked' end as outcome
      from held),
    parked as (
      update everstep.open_run o
      set ${LET_GO}, crash_count = 0, wake_at = ${timeAt("coalesce(j.wake_at, 'infinity')")},
        timer_at = ${timeAt("j.wake_at")}, timer_seq = o.events + 1, timer_command = j.timer_command, timer_name = j.timer_name
      from judged j where ${lookup("o.run_id", "j.run_id")} and j.outcome = 'parked')
    select run_id, outcome from judged`,
});

export async function parkRuns(pool: Pool, requests: readonly ParkRequest[]): Promise<Map<string, ParkOutcome>> {
  const outcomes = new Map<string, ParkOutcome>(requests.map(({ claim }) => [claim.runId, "lost"]));
  if (requests.length === 0) return outcomes;
  const rows = await pool.query<{ run_id: string; outcome: ParkOutcome }>(PARK, [
    ...claimColumns(requests.map(({ claim }) => claim)),
    plain(requests.map(({ events }) => events)),
    plain(requests.map(({ takenMail }) => takenMail)),
    plain(requests.map(({ wakeAt }) => wakeAt)),
    plain(requests.map(({ timer }) => timer?.command ?? null)),
    names(requests.map(({ timer }) => timer?.name ?? null)),
  ]);
  for (const { run_id, outcome } of rows) outcomes.set(runIdOf(run_id), outcome);
  return outcomes;
}

const RELEASE = prepared({
  name: "everstep_release",
  text: `
    with ${held()}
    update everstep.open_run o set ${LET_GO}, crash_count = 0, wake_at = now() from held h where ${lookup("o.run_id", "h.run_id")}`,
});

export async function releaseRuns(pool: Pool, claims: readonly Claim[]): Promise<void> {
  if (claims.length > 0) await pool.query(RELEASE, claimColumns(claims));
}

const BLOCK = prepared({
  name: "everstep_block",
  text: `
    with ${held({ columns: `, ${textColumn(4)}`, names: ", reason" })}
    update everstep.open_run o set ${LET_GO}, crash_count = 0, wake_at = 'infinity', blocked = h.reason
    from held h where ${lookup("o.run_id", "h.run_id")}`,
});

export async function blockRuns(
  pool: Pool,
  blocks: readonly { readonly claim: Claim; readonly reason: BlockedReason }[],
): Promise<void> {
  if (blocks.length === 0) return;
  const reasons = blocks.map(({ reason: { kind, message } }) => JSON.stringify({ kind, message }));
  await pool.query(BLOCK, [...claimColumns(blocks.map(({ claim }) => claim)), texts(reasons)]);
}

const SAVE_HEARTBEATS = prepared({
  name: "everstep_save_heartbeats",
  text: `
    with ${held({
      columns: `, $4::int[], $5::int[], ${textColumn(6)}, $7::boolean[]`,
      names: ", command, attempt, details, is_progress",
    })},
    progressed as (
      update everstep.open_run o set crash_count = 0
      from (select distinct run_id from held where is_progress) h where ${lookup("o.run_id", "h.run_id")} and o.crash_count > 0),
    saved as (
      insert into everstep.step_heartbeat as s (run_id, command, attempt, details)
      select run_id, command, attempt, details from held
      on conflict (run_id, command) do update set attempt = excluded.attempt, details = excluded.details
      where s.attempt <= excluded.attempt)
    select distinct run_id from held`,
});

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
