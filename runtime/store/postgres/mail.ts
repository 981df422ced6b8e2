// The mailboxes. Sending locks the run's head first, so numbers follow each other without gaps, the close of the run is
// either before or after, and the wake-up cannot be lost: parking compares the newest number under the same lock.

import type { MailItem, MailKind, MailOutcome, MailRequest } from "../mail.ts";
import type { RunRef } from "../run-ref.ts";
import type { ToWake } from "../turns.ts";
import { names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Pool, Session } from "./connection.ts";
import { lookup } from "./lookup.ts";
import { standsStill } from "./regaining.ts";
import { runIdOf, tryUuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

/**
 * SQL for the latest of the runs that have this value in this column, which leads an index before the run id; null where
 * none has. In the order of that whole index: by the run id alone, a plan may go through all runs from the latest one on.
 */
export function latestRun(column: "workflow_id" | "first_run_id", value: string): string {
  return `(
    select l.run_id from everstep.run l where ${lookup(`l.${column}`, value)}
    order by l.${column} desc, l.run_id desc limit 1)`;
}

/** SQL for the latest run of the chain that a run belongs to; the run itself where there is no chain. */
export function latestOfChain(run: string): string {
  return `coalesce((
    select ${latestRun("first_run_id", "coalesce(m.first_run_id, m.run_id)")} from everstep.run m
    where m.run_id = ${run}), ${run})`;
}

/** SQL for the latest run of the line that a run belongs to: it goes on with a fork that was put in the place of a run. */
export function latestOfLine(run: string): string {
  return `everstep.latest_of_line(${run})`;
}

/**
 * SQL for a run of a chain that nobody has claimed. Unless it tries its predecessor again, it has been due since it was
 * made: so mail only ever shortens the waiting of those that do. It must not; who wants the run to stop does not wait.
 */
export function isToBeRetried(head: string): string {
  return `(${head}.epoch = 0 and ${head}.first_run_id is not null)`;
}

// `has_mail` looks with a fresh snapshot, after the lock: a sender we waited for has committed its mail since this
// statement began. Mail for a blocked run stays until code that fits comes to fetch it.
const SEND = prepared({
  name: "everstep_send_mail",
  text: `
    with request as (
      select * from unnest($1::uuid[], $2::int[], ${[3, 4, 5, 6, 7].map(textColumn).join(", ")}, $8::uuid[], $9::uuid[])
        r(run_id, place, workflow_id, kind, mail_id, name, payload, chain_of, line_of)
      where place is not null),
    addressed as materialized (
      select q.*, coalesce(q.run_id, o.run_id, ${latestRun("workflow_id", "q.workflow_id")},
        ${latestOfChain("q.chain_of")}, ${latestOfLine("q.line_of")}) as target
      from request q
      left join everstep.open_run o on ${lookup("o.workflow_id", "q.workflow_id")}),
    locked as materialized (
      select o.* from (select distinct target from addressed order by target) a cross join lateral (
        select run_id, first_run_id, worker_id, events, newest_mail from everstep.open_run
        where run_id = a.target for no key update) o),
    fresh as materialized (
      select a.place, a.target, l.first_run_id, l.newest_mail + row_number() over (partition by a.target order by a.place) as mail
      from (select distinct on (target, mail_id) place, target, mail_id from addressed order by target, mail_id, place) a
      join locked l on l.run_id = a.target
      where not everstep.has_mail(coalesce(l.first_run_id, l.run_id), a.mail_id)),
    stored as (
      insert into everstep.mail (run_id, mail, chain_id, mail_id, kind, name, payload, at)
      select f.target, f.mail, f.first_run_id, a.mail_id, a.kind, a.name, a.payload, clock_timestamp()
      from fresh f join addressed a on a.place = f.place),
    rung as (
      update everstep.open_run o
      set newest_mail = n.newest,
        wake_at = case
          when o.worker_id is null and o.blocked is null and not ${standsStill("o")} and (n.cancels or not ${isToBeRetried("o")})
          then least(o.wake_at, now()) else o.wake_at end
      from (
        select f.target, max(f.mail) as newest, bool_or(a.kind = 'cancel') as cancels
        from fresh f join addressed a on a.place = f.place group by f.target) n
      where ${lookup("o.run_id", "n.target")})
    select r.run_id, r.queue, l.worker_id, f.mail::int as mail,
      case when f.place is null then 0 else l.events end as events,
      case
        when r.run_id is null then 'notFound'
        when f.place is not null then 'accepted'
        when l.run_id is not null or everstep.has_mail(coalesce(r.first_run_id, r.run_id), a.mail_id) then 'duplicate'
        else 'closed'
      end as outcome
    from addressed a
    left join everstep.run r on ${lookup("r.run_id", "a.target")}
    left join locked l on l.run_id = a.target
    left join fresh f on f.place = a.place
    order by a.place`,
});

interface SentRow {
  outcome: MailOutcome["outcome"];
  run_id: string | null;
  queue: string | null;
  worker_id: string | null;
  mail: number | null;
  events: number;
}

/**
 * In order. A run that was found and closed before it was locked may have continued as new, or its workflow id may have
 * been started again: whoever is addressed by more than a run's own id is looked for until what is found is final.
 */
export async function putMail(on: Pool | Session, requests: readonly MailRequest[]): Promise<MailOutcome[]> {
  const outcomes = await sendOnce(on, requests);
  for (;;) {
    const missed = requests.flatMap(({ to }, place) =>
      outcomes[place]?.outcome === "closed" && !("runId" in to) ? [place] : [],
    );
    const again = await sendOnce(
      on,
      missed.map((place) => requests[place] as MailRequest),
    );
    const moved = missed.filter((place, index) => again[index]?.runId !== outcomes[place]?.runId);
    for (const [index, place] of missed.entries()) outcomes[place] = again[index] as MailOutcome;
    if (moved.length === 0) return outcomes;
  }
}

/** One statement: whoever was closed before it was locked is answered as closed. */
export async function sendOnce(on: Pool | Session, requests: readonly MailRequest[]): Promise<MailOutcome[]> {
  if (requests.length === 0) return [];
  const rows = await on.query<SentRow>(SEND, [
    plain(requests.map(({ to }) => ("runId" in to ? tryUuidOf(to.runId) : null))),
    plain(requests.map((_, place) => place)),
    names(requests.map(({ to }) => ("workflowId" in to ? to.workflowId : null))),
    names(requests.map(({ kind }) => kind)),
    names(requests.map(({ mailId }) => mailId)),
    names(requests.map(({ name }) => name)),
    texts(requests.map(({ payload }) => payload)),
    plain(requests.map(({ to }) => ("chainOf" in to ? tryUuidOf(to.chainOf) : null))),
    plain(requests.map(({ to }) => ("lineOf" in to ? tryUuidOf(to.lineOf) : null))),
  ]);
  return rows.map(({ outcome, run_id, queue, worker_id, mail, events }) => ({
    outcome,
    mail,
    runId: run_id === null ? null : runIdOf(run_id),
    queue,
    ownerId: worker_id,
    events,
  }));
}

/** Of mail that was put down: who is to look. */
export function whomToWake(told: readonly Pick<MailOutcome, "queue" | "ownerId">[]): ToWake {
  const queues = new Set<string>();
  const ownerIds = new Set<string>();
  for (const { queue, ownerId } of told) {
    if (ownerId !== null) ownerIds.add(ownerId);
    else if (queue !== null) queues.add(queue);
  }
  return { queues: [...queues], ownerIds: [...ownerIds] };
}

const TARGET = prepared({
  name: "everstep_find_target",
  text: `select coalesce(
    (select run_id from everstep.open_run where workflow_id = $1),
    ${latestRun("workflow_id", "$1")},
    ${latestOfChain("$2::uuid")}, ${latestOfLine("$3::uuid")}) as run_id`,
});

/** The run that is meant at this moment; null when there is none. */
export async function findTarget(on: Pool | Session, to: RunRef): Promise<string | null> {
  if ("runId" in to) return to.runId;
  const workflowId = "workflowId" in to ? to.workflowId : null;
  const chainOf = "chainOf" in to ? tryUuidOf(to.chainOf) : null;
  const lineOf = "lineOf" in to ? tryUuidOf(to.lineOf) : null;
  const [row] = await on.query<{ run_id: string | null }>(TARGET, [workflowId, chainOf, lineOf]);
  return row?.run_id == null ? null : runIdOf(row.run_id);
}

const READ = prepared({
  name: "everstep_read_mail",
  text: `
    select m.run_id, m.mail, m.mail_id, m.kind, m.name, m.payload
    from unnest($1::uuid[], $2::int[]) with ordinality b(run_id, after, place) cross join lateral (
      select * from everstep.mail m where m.run_id = b.run_id and m.mail > b.after order by m.mail limit $3) m
    order by b.place, m.mail`,
});

interface MailRow {
  run_id: string;
  mail: number;
  mail_id: string;
  kind: MailKind;
  name: string;
  payload: string | null;
}

export async function readMail(
  pool: Pool,
  boxes: readonly { readonly runId: string; readonly after: number }[],
  limit: number,
): Promise<MailItem[]> {
  if (boxes.length === 0) return [];
  const ids = runIds(boxes.map(({ runId }) => runId));
  const rows = await pool.query<MailRow>(READ, [ids, plain(boxes.map(({ after }) => after)), limit]);
  return rows.map((row) => ({
    runId: runIdOf(row.run_id),
    mail: row.mail,
    kind: row.kind,
    mailId: row.mail_id,
    name: row.name,
    payload: row.payload,
  }));
}

const WITH_MAIL = prepared({
  name: "everstep_runs_with_mail",
  text: "select run_id from everstep.open_run where worker_id = $1 and newest_mail > taken_mail",
});

export async function runsWithMail(pool: Pool, workerId: string): Promise<string[]> {
  const rows = await pool.query<{ run_id: string }>(WITH_MAIL, [workerId]);
  return rows.map(({ run_id }) => runIdOf(run_id));
}
