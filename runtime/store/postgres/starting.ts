// Starts. The common case, fresh workflow ids and nothing in the way, is one statement for the whole batch that inserts
// all or nothing. Whatever has to be decided is decided one request after the other in one transaction, where every
// statement sees what those before it did and what others have committed since.

import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { type RunStatus, STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { laneOf } from "../lanes.ts";
import type { StartOutcome, StartRequest } from "../starts.ts";
import { closeFromOutside } from "./closing.ts";
import { ms, names, plain, runIds, textColumn, texts } from "./columns.ts";
import type { Pool, Row, Session } from "./connection.ts";
import { isUniqueViolation } from "./errors.ts";
import { queueOf, versionOf } from "./lanes.ts";
import { loneStartValues, START_LONE } from "./lone-start.ts";
import { lookup } from "./lookup.ts";
import { latestRun, putMail } from "./mail.ts";
import { startData, startDataValues } from "./run-data.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared, type Statement } from "./statements.ts";
import { statusOf } from "./status.ts";

// Rows go in by workflow id: two batches that collide wait for each other in one order. `conflict` is what differs
// between the batch (a collision fails the statement) and the single start (a collision inserts nothing). The tag of the
// first event is the run's own id, which no turn has.
function insertStarts(name: string, { only, conflict, answer }: Inserting, more = ""): Statement {
  return prepared({
    name,
    text: `
      with request as (
        select * from unnest($1::uuid[], $2::float8[], $3::float8[], $4::smallint[], $5::uuid[], $6::uuid[],
          ${[7, 8, 9, 10, 11, 12, 13, 14, 15, 16].map(textColumn).join(", ")})
          r(run_id, delay_ms, timeout_ms, type, claim_id, worker_id,
            workflow_id, workflow, queue, name, payload, data, mail_kind, mail_id, mail_name, mail_payload)
        where run_id is not null),
      clock as materialized (select date_trunc('milliseconds', clock_timestamp()) as at),
      head as (
        insert into everstep.open_run (run_id, workflow_id, queue, events, newest_mail, wake_at, deadline_at,
          epoch, claim_id, worker_id, crash_count)
        select run_id, workflow_id, queue, 1, case when mail_id is null then 0 else 1 end,
          at + delay_ms * interval '1 ms', at + timeout_ms * interval '1 ms',
          case when claim_id is null then 0 else 1 end, claim_id, worker_id, case when claim_id is null then 0 else 1 end
        from request, clock where ${only} order by workflow_id collate "C" ${conflict}
        returning run_id, deadline_at),
      facts as (
        insert into everstep.run (run_id, workflow_id, workflow, queue, version, status, started_at, deadline_at)
        select run_id, workflow_id, workflow, ${queueOf("queue")}, ${versionOf("queue")}, ${STATUS_CODES.running}, at, deadline_at
        from head join request using (run_id), clock),
      first_event as (
        insert into everstep.event (run_id, seq, tag, at, type, command, name, payload, data)
        select run_id, 1, run_id, at, type, null, name, payload, data from head join request using (run_id), clock),
      first_mail as (
        insert into everstep.mail (run_id, mail, mail_id, kind, name, payload, at)
        select run_id, 1, mail_id, mail_kind, coalesce(mail_name, ''), mail_payload, at
        from head join request using (run_id), clock where mail_id is not null)${more}
      ${answer}`,
  });
}

interface Inserting {
  readonly only: string;
  readonly conflict: string;
  readonly answer: string;
}

// A run id that is taken, by a start whose answer was lost and whose run has closed since, fails the statement.
const ALL: Inserting = {
  only: `not exists (
    select from request x where exists (select from everstep.open_run o where o.workflow_id = x.workflow_id offset 0))`,
  conflict: "",
  // One row: all are there, or none is.
  answer: `
    select ${ms("at")} as at, (select count(*) from head)::int as started,
      (select string_agg(run_id || '=' || ${ms("deadline_at")}, ',') from head where deadline_at is not null) as deadlines
    from clock`,
};

const ONE: Inserting = {
  only: "not exists (select from everstep.run r where r.run_id = request.run_id offset 0)",
  conflict: "on conflict do nothing",
  answer: `select run_id, ${ms("at")} as at, ${ms("deadline_at")} as deadline_at from head, clock`,
};

const START_ALL = insertStarts("everstep_start_all", ALL);
const START_ONE = insertStarts("everstep_start_one", ONE);
// When some of the runs begin with attributes or a memo.
const START_ALL_WITH_DATA = insertStarts("everstep_start_all_with_data", ALL, startData(17));
const START_ONE_WITH_DATA = insertStarts("everstep_start_one_with_data", ONE, startData(17));

function start<R extends Row>(
  on: Pick<Session, "query">,
  [plain, withData]: readonly [Statement, Statement],
  requests: readonly StartRequest[],
): Promise<R[]> {
  const values = startValues(requests);
  const data = startDataValues(requests);
  return data === null ? on.query(plain, values) : on.query(withData, [...values, ...data]);
}

function startValues(requests: readonly StartRequest[]): unknown[] {
  return [
    runIds(requests.map(({ runId }) => runId)),
    plain(requests.map(({ delayMs }) => delayMs)),
    plain(requests.map(({ timeoutMs }) => timeoutMs)),
    plain(requests.map(({ started }) => started.type)),
    plain(requests.map(({ claim }) => claim?.claimId ?? null)),
    plain(requests.map(({ claim }) => claim?.workerId ?? null)),
    names(requests.map(({ workflowId }) => workflowId)),
    names(requests.map(({ workflow }) => workflow)),
    names(requests.map(({ queue, workflow, version = null }) => laneOf(queue, { workflow, version }))),
    names(requests.map(({ started }) => started.name)),
    texts(requests.map(({ started }) => started.payload)),
    texts(requests.map(({ started }) => started.data)),
    names(requests.map(({ mail }) => mail?.kind ?? null)),
    names(requests.map(({ mail }) => mail?.mailId ?? null)),
    names(requests.map(({ mail }) => mail?.name ?? null)),
    texts(requests.map(({ mail }) => mail?.payload ?? null)),
  ];
}

export async function startRuns(pool: Pool, requests: readonly StartRequest[]): Promise<StartOutcome[]> {
  if (requests.length === 0) return [];
  if (isPlain(requests)) {
    const started = await startAll(pool, requests);
    if (started !== null) return started;
  }
  // Sorted, so that two such transactions take locks in one order. Requests of one workflow id keep theirs.
  const sorted = requests
    .map((request, place) => ({ request, place }))
    .sort((a, b) => compare(a.request.workflowId, b.request.workflowId) || a.place - b.place);
  for (let tries = 1; ; tries += 1) {
    try {
      return await pool.transaction(async (session) => {
        const outcomes: StartOutcome[] = [];
        for (const { request, place } of sorted) outcomes[place] = await startOne(session, request);
        return outcomes;
      });
    } catch (error) {
      // The same start was under way elsewhere and won. The next round finds its run.
      if (tries < 3 && isUniqueViolation(error)) continue;
      throw error;
    }
  }
}

// A reuse policy must look at closed runs after the workflow id is taken, and a request id is taken before the run is
// started: both need more than one statement.
function isPlain(requests: readonly StartRequest[]): boolean {
  return (
    new Set(requests.map(({ workflowId }) => workflowId)).size === requests.length &&
    requests.every(({ requestId, onReuse }) => requestId === null && onReuse === "allow")
  );
}

/** Null when something was in the way: then nothing has been started. */
async function startAll(pool: Pool, requests: readonly StartRequest[]): Promise<StartOutcome[] | null> {
  try {
    const carriesData = requests.some((request) => request.carriesData === true);
    const lone = carriesData ? undefined : loneStartValues(requests);
    if (lone !== undefined) {
      const [row] = await pool.query<StartedRow>(START_LONE, lone);
      return row === undefined ? null : requests.map((request) => startedNow(request, row));
    }
    const [answer] = await start<AllStartedRow>(pool, [START_ALL, START_ALL_WITH_DATA], requests);
    if (answer?.started !== requests.length) return null;
    const { at } = answer;
    const deadlines = deadlinesIn(answer);
    return requests.map((request) => startedNow(request, { at, deadline_at: deadlines?.get(request.runId) ?? null }));
  } catch (error) {
    if (isUniqueViolation(error)) return null;
    throw error;
  }
}

function deadlinesIn({ deadlines }: AllStartedRow): ReadonlyMap<string, number> | undefined {
  if (deadlines === null) return undefined;
  return new Map(
    deadlines.split(",").map((each) => {
      const [runId = "", deadlineAt] = each.split("=");
      return [runIdOf(runId), Number(deadlineAt)];
    }),
  );
}

/** As part of a transaction: all that nothing stands in the way of at once, the others one by one. */
export async function startInside(session: Session, requests: readonly StartRequest[]): Promise<StartOutcome[]> {
  const plainOnes = requests.filter(({ onReuse }) => onReuse === "allow");
  const statements = [START_ONE, START_ONE_WITH_DATA] as const;
  const rows = plainOnes.length === 0 ? [] : await start<StartedRow>(session, statements, plainOnes);
  const started = new Set(rows.map(({ run_id }) => runIdOf(run_id)));
  const outcomes: StartOutcome[] = [];
  for (const request of requests) {
    outcomes.push(started.has(request.runId) ? startedNow(request, undefined) : await decide(session, request));
  }
  return outcomes;
}

async function startOne(session: Session, request: StartRequest): Promise<StartOutcome> {
  const { requestId, runId } = request;
  if (requestId === null) return decide(session, request);
  const [known] = await session.query<RequestRow>(KEEP_REQUEST, [requestId, uuidOf(runId)]);
  if (known === undefined) {
    // Somebody else's start with this id is committed, if it had not been before we waited for it.
    const [earlier] = await session.query<RequestRow>(FIND_REQUEST, [requestId]);
    if (earlier === undefined) return startOne(session, request);
    return outcomeOf(session, "started", runIdOf(earlier.run_id));
  }
  const outcome = await decide(session, request);
  if (outcome.outcome === "refused") await session.query(FORGET_REQUEST, [requestId]);
  else if (outcome.runId !== runId) await session.query(SETTLE_REQUEST, [requestId, uuidOf(outcome.runId)]);
  return outcome;
}

interface RequestRow {
  run_id: string;
}

const KEEP_REQUEST = prepared({
  name: "everstep_keep_request",
  text: `insert into everstep.start_request (request_id, run_id) values ($1, $2)
    on conflict (request_id) do nothing returning run_id`,
});
const FIND_REQUEST = prepared({
  name: "everstep_find_request",
  text: "select run_id from everstep.start_request where request_id = $1",
});
const FORGET_REQUEST = prepared({
  name: "everstep_forget_request",
  text: "delete from everstep.start_request where request_id = $1",
});
const SETTLE_REQUEST = prepared({
  name: "everstep_settle_request",
  text: "update everstep.start_request set run_id = $2 where request_id = $1",
});

/** Each round is decided by what it finds; a round ends without an outcome when what it found has gone meanwhile. */
async function decide(session: Session, request: StartRequest): Promise<StartOutcome> {
  for (;;) {
    const outcome = await tryStart(session, request);
    if (outcome !== null) return outcome;
  }
}

async function tryStart(session: Session, request: StartRequest): Promise<StartOutcome | null> {
  const { runId, workflowId, onConflict, onReuse, mail } = request;
  const [way] = await session.query<InTheWayRow>(IN_THE_WAY, [uuidOf(runId), workflowId]);
  if (way === undefined) return insertStart(session, request);
  const found = runIdOf(way.run_id);
  if (found === runId) return outcomeOf(session, "started", runId);
  if (way.is_open) {
    if (onConflict === "fail") return outcomeOf(session, "refused", found);
    if (onConflict === "terminateExisting") {
      const reason = `Run ${runId} was started in its place.`;
      const event = toRecord({ type: "RunTerminated", reason });
      const ended = await closeFromOutside(session, [{ runId: found, status: "terminated", event, seq: null }]);
      return ended.length === 0 ? null : insertStart(session, { ...request, onReuse: "allow" });
    }
    if (mail !== null) {
      const delivered = await putMail(session, [{ to: { runId: found }, ...mail }]);
      if (delivered[0]?.outcome === "closed") return null;
    }
    return outcomeOf(session, "existing", found);
  }
  if (onReuse === "allow") return insertStart(session, request);
  if (onReuse === "reject" || way.status === STATUS_CODES.completed) return outcomeOf(session, "refused", found);
  return insertStart(session, request);
}

interface InTheWayRow {
  run_id: string;
  status: number;
  is_open: boolean;
}

// The run itself, if this start is a repeated one; else the open run of the workflow id; else the latest closed one.
const IN_THE_WAY = prepared({
  name: "everstep_in_the_way",
  text: `
    select r.run_id, r.status, exists (select from everstep.open_run o where o.run_id = r.run_id offset 0) as is_open
    from everstep.run r
    where r.run_id = coalesce(
      (select run_id from everstep.run where run_id = $1),
      (select run_id from everstep.open_run where workflow_id = $2),
      ${latestRun("workflow_id", "$2")})`,
});

// Between looking and inserting, another run of the workflow id may have been started and even closed. So a policy about
// closed runs is checked once more, now that the id is ours and nobody else can start one.
async function insertStart(session: Session, request: StartRequest): Promise<StartOutcome | null> {
  const { runId, workflowId, onReuse } = request;
  if (onReuse !== "allow") await session.raw("savepoint before_start", []);
  const [started] = await start<StartedRow>(session, [START_ONE, START_ONE_WITH_DATA], [request]);
  if (started === undefined) return null;
  if (onReuse === "allow") return startedNow(request, started);
  const [latest] = await session.query<{ status: number }>(LATEST_OTHER, [uuidOf(runId), workflowId]);
  if (latest === undefined || (onReuse === "allowIfFailed" && latest.status !== STATUS_CODES.completed))
    return startedNow(request, started);
  await session.raw("rollback to savepoint before_start", []);
  return null;
}

const LATEST_OTHER = prepared({
  name: "everstep_latest_other",
  text: `select status from everstep.run where ${lookup("workflow_id", "$2")} and run_id <> $1
    order by workflow_id desc, run_id desc limit 1`,
});

interface StartedRow extends Row {
  run_id: string;
  at: number;
  deadline_at: number | null;
}

interface AllStartedRow extends Row {
  at: number;
  started: number;
  /** `run_id=ms`, joined by commas, of those that have one; null when none has. */
  deadlines: string | null;
}

type Started = Pick<StartedRow, "at" | "deadline_at">;

function startedNow({ runId, claim }: StartRequest, row: Started | undefined): StartOutcome {
  const claimed = claim === null || row === undefined ? null : { at: row.at, deadlineAt: row.deadline_at };
  return { outcome: "started", runId, status: "running", ownerId: claim?.workerId ?? null, claimed };
}

const STATE = prepared({
  name: "everstep_start_state",
  text: `
    select r.status, o.blocked is not null as is_blocked, o.worker_id
    from everstep.run r left join everstep.open_run o on ${lookup("o.run_id", "r.run_id")} where r.run_id = $1`,
});

async function outcomeOf(session: Session, outcome: StartOutcome["outcome"], runId: string): Promise<StartOutcome> {
  type State = { status: number; is_blocked: boolean; worker_id: string | null };
  const [state] = await session.query<State>(STATE, [uuidOf(runId)]);
  const status: RunStatus = state === undefined ? "running" : statusOf(state.status, state.is_blocked);
  return { outcome, runId, status, ownerId: state?.worker_id ?? null, claimed: null };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
