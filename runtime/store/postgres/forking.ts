// A run made of the first events of another. What is copied never changes, so nothing of the source is locked; a source that
// ends with it is closed first, and its mail read after that, when nobody can send it any more. Who waits for the end of
// that one waits for the fork's, which has to know before it ends: so mail that says so comes along. What comes along in
// another form follows piece by piece, seen by nobody before the commit. Locks come last: the fork steps into the places of a
// source that it replaces, and waits in the queues for the rest.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { terminationRecord } from "../acted-by.ts";
import type { ForkOutcome, ForkRequest } from "../forks.ts";
import { grantErrand, type LockRequest } from "../locks.ts";
import { endFromOutside } from "./closing.ts";
import { storableName } from "./columns.ts";
import { Abort, type Pool, type Session } from "./connection.ts";
import { keepErrands } from "./kin.ts";
import { laneOf } from "./lanes.ts";
import { changeLocks, tellGranted } from "./locks.ts";
import { passOnKin } from "./passing-on.ts";
import { forkedDataValues, startData } from "./run-data.ts";
import { runIdOf, tryUuidOf, uuidOf } from "./run-id.ts";
import { putAnew } from "./shared-anew.ts";
import { prepared } from "./statements.ts";

// The events keep their times, so that the code sees the same clock, and timers the times at which they are due.
const FORK = prepared({
  name: "everstep_fork_run",
  text: `
    with source as materialized (select workflow, queue, attempt from everstep.run where run_id = $1::uuid),
    clock as materialized (select date_trunc('milliseconds', clock_timestamp()) as at),
    kept as materialized (
      select mail_id, kind, name, payload, at, $6::int + row_number() over (order by mail) as mail
      from everstep.mail
      where run_id = $1::uuid and mail > $6::int and (
        kind = 'signal' and $7::boolean and ($23::int is null or mail <= $23::int) or kind = 'adopt' and $25::boolean)),
    head as (
      insert into everstep.open_run (run_id, workflow_id, queue, events, newest_mail, taken_mail, awaited_locks, wake_at,
        deadline_at)
      select $2::uuid, $3::text, ${laneOf("queue", "workflow", "$22::text")}, $4::int + 1, $6::int + (select count(*) from kept), $6::int, $14::int,
        case when $14::int > 0 then 'infinity' else at end, at + $5::float8 * interval '1 ms'
      from source, clock on conflict do nothing
      returning run_id, deadline_at),
    facts as (
      insert into everstep.run (run_id, workflow_id, workflow, queue, version, status, started_at, deadline_at, attempt,
        forked_from, forked_event, replaces)
      select run_id, $3::text, workflow, queue, $22::text, ${STATUS_CODES.running}, at, deadline_at, attempt, $1::uuid, $4::int,
        nullif($25::boolean, false)
      from head, source, clock),
    shared as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
      select head.run_id, e.seq, $8::uuid, e.at, coalesce(edit.type, e.type), e.command, e.name,
        case when edit.type is null then e.payload else edit.payload end,
        case when edit.type is null then e.data else edit.data end
      from head join everstep.event e on e.run_id = $1::uuid and e.seq <= $4::int and not $24::boolean
      left join (select $9::smallint as type, $10::text as payload, $11::text as data) edit on e.seq = $4::int),
    forked as (
      insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
      select run_id, $4::int + 1, $8::uuid, at, $12::smallint, null, null, null, $13::text from head, clock),
    taken_mail as (
      insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at, refusal)
      select head.run_id, m.mail, m.mail_id, m.kind, m.name, m.payload, m.at, m.refusal
      from head join everstep.mail m on m.run_id = $1::uuid and m.mail <= $6::int),
    kept_mail as (
      insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at)
      select head.run_id, k.mail, k.mail_id, k.kind, k.name, k.payload, k.at from head, kept k)${startData(15)}
    select run_id from head`,
});

const EXISTING = prepared({
  name: "everstep_fork_existing",
  text: `
    select (select run_id from everstep.run where run_id = $1::uuid) as forked,
      (select run_id from everstep.run where run_id = $2::uuid) as source,
      (select run_id from everstep.open_run where workflow_id = $3::text) as in_the_way`,
});

type ExistingRow = { forked: string | null; source: string | null; in_the_way: string | null };

export async function forkRun(pool: Pool, request: ForkRequest): Promise<ForkOutcome> {
  const { sourceId, runId } = request;
  if (tryUuidOf(sourceId) === null) return { outcome: "notFound", runId: sourceId };
  for (;;) {
    try {
      return await pool.transaction((session) => forkIn(session, request));
    } catch (error) {
      if (error instanceof ForkRefused) return { outcome: "refused", runId: error.inTheWay };
      if (!(error instanceof OthersMoved)) throw error;
    }
  }

  async function forkIn(session: Session, fork: ForkRequest): Promise<ForkOutcome> {
    const look = () => session.query<ExistingRow>(EXISTING, [uuidOf(runId), uuidOf(sourceId), fork.workflowId]);
    const [before] = await look();
    if (before?.forked != null) return { outcome: "forked", runId };
    if (before?.source == null) return { outcome: "notFound", runId: sourceId };
    if (fork.terminates !== null) {
      if (!(await passOnKin(session, fork))) throw new Abort(new OthersMoved());
      const event = terminationRecord(fork.terminates, fork.actor);
      await endFromOutside(session, [{ runId: sourceId, status: "terminated", event, seq: null }]);
    }
    const forked = await session.query(FORK, forkValues(fork));
    if (forked.length > 0) {
      await putAnew(session, fork);
      await takePlaces(session, fork);
      return { outcome: "forked", runId };
    }
    const [after] = await look();
    if (after?.forked != null) return { outcome: "forked", runId };
    // What was in the way may have ended by now, and the source may have been deleted.
    throw new Abort(after?.in_the_way == null ? new OthersMoved() : new ForkRefused(runIdOf(after.in_the_way)));
  }
}

async function takePlaces(session: Session, { sourceId, runId, locks = [], terminates }: ForkRequest): Promise<void> {
  const releases = terminates === null ? [] : [{ runId: sourceId, command: null }];
  const requests = locks.map((lock): LockRequest => ({ ...lock, runId }));
  const handOver = terminates === null ? null : { from: sourceId, to: runId };
  const grants = await changeLocks(session, releases, requests, handOver);
  const own = grants.filter((grant) => grant.runId === runId);
  await tellGranted(session, own, new Set([runId]));
  await keepErrands(session, grants.filter((grant) => !own.includes(grant)).map(grantErrand));
}

function forkValues(fork: ForkRequest): unknown[] {
  const {
    sourceId,
    runId,
    workflowId,
    version = null,
    at,
    edited,
    forked,
    takenMail,
    keepsSignals,
    data,
    timeoutMs,
    seenMail = null,
    anew,
    terminates,
  } = fork;
  return [
    uuidOf(sourceId),
    uuidOf(runId),
    storableName(workflowId),
    at,
    timeoutMs,
    takenMail,
    keepsSignals,
    // One turn, as far as anybody asks: nobody has ever owned the run.
    uuidOf(runId),
    edited?.type ?? null,
    edited?.payload ?? null,
    edited?.data ?? null,
    forked.type,
    forked.data,
    (fork.locks ?? []).filter(({ isRegained }) => isRegained).length,
    ...forkedDataValues(runId, data),
    version,
    seenMail,
    anew !== undefined,
    terminates !== null,
  ];
}

/** Rolls back what the transaction has done so far. */
class ForkRefused extends Error {
  override readonly name = "ForkRefused";
  readonly inTheWay: string;

  constructor(inTheWay: string) {
    super("The workflow id has an open run.");
    this.inTheWay = inTheWay;
  }
}

/** So does this. Then the transaction is begun anew. */
class OthersMoved extends Error {
  override readonly name = "OthersMoved";

  constructor() {
    super("Other runs have changed between two statements.");
  }
}
