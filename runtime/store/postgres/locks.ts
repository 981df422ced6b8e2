// The queues of locks and semaphores, changed at the end of a transaction that has its heads locked already: heads first,
// then keys, in one order each. For a grant no head is waited for: who can be told at once is, the others by errands.

import type { ListedLock } from "../../../sdk/protocol/listed-lock.ts";
import { answerMail } from "../errands.ts";
import {
  grantAnswer,
  grantErrand,
  type ListLocksRequest,
  type LockGrant,
  type LockHandOver,
  type LockRelease,
  type LockRequest,
} from "../locks.ts";
import type { MailItem } from "../mail.ts";
import type { AppendAnswer } from "../turns.ts";
import { ms, names, plain, runIds, textColumn } from "./columns.ts";
import type { Pool, Row, Session } from "./connection.ts";
import { keepErrands } from "./kin.ts";
import { lookup } from "./lookup.ts";
import { sendOnce, whomToWake } from "./mail.ts";
import { noteRegained } from "./regaining.ts";
import { runIdOf, uuidOf } from "./run-id.ts";
import { prepared } from "./statements.ts";

/** Beside that of the errands. */
const LOCK_SPACE = 0x65766574;

// Few enough for the lock table of Postgres, whatever a transaction brings; keys that share one wait for each other's
// transactions, no longer. What the runs have cannot change any more: their heads are locked, or gone.
const LOCK_KEYS = prepared({
  name: "everstep_lock_keys",
  text: `
    select pg_advisory_xact_lock($1::int, bucket) from (
      select distinct hashtext(key) & 255 as bucket from (
        select key from unnest(${textColumn(2)}, $3::int[]) q(key, place) where place is not null
        union all
        select l.key from unnest($4::uuid[]) r(run_id) join everstep.lock_request l on ${lookup("l.run_id", "r.run_id")}) asked
      order by bucket) buckets`,
});

// In a statement of its own, so that it sees what those have committed who had the keys before. What asks for a key that
// nobody else is at is granted here; the other keys are answered, to be looked at.
const CHANGE = prepared({
  name: "everstep_change_locks",
  text: `
    with released as (
      delete from everstep.lock_request l using unnest($1::uuid[], $2::int[]) r(run_id, command)
      where ${lookup("l.run_id", "r.run_id")} and (r.command is null or l.command = r.command) returning l.id, l.key),
    request as (
      select *, count(*) over (partition by key) = 1
        and not exists (select from everstep.lock_request l where l.key = q.key offset 0) as is_alone
      from unnest(${textColumn(3)}, $4::uuid[], $5::int[], $6::int[], $7::int[], $8::int[], $9::int[])
        q(key, run_id, command, permits, capacity, regains, place)
      where place is not null),
    asked as (
      insert into everstep.lock_request
        (key, run_id, command, permits, capacity, is_regained, requested_at, token, granted_at)
      select key, run_id, command, permits, capacity, regains > 0, clock_timestamp(),
        case when is_alone then nextval('everstep.fencing_token') end, case when is_alone then clock_timestamp() end
      from (select * from request order by place) r
      returning key, run_id, command, is_regained, token)
    select key, run_id, command, is_regained, token::float8 as token from asked
    union all
    select distinct r.key, null::uuid, null::int, null::boolean, null::float8 from released r
    where exists (
      select from everstep.lock_request l
      where l.key = r.key and l.token is null and l.id not in (select id from released) offset 0)`,
});

const GRANTS_AT_ONCE = 500;

// The head of each queue, as far as it fits: added up in order, below the smallest capacity so far.
const GRANT = prepared({
  name: "everstep_grant_locks",
  text: `
    with held as materialized (
      select q.key, l.permits, l.capacity
      from unnest(${textColumn(1)}, $2::int[]) q(key, place) cross join lateral (
        select coalesce(sum(permits), 0) as permits, min(capacity) as capacity
        from everstep.lock_request where key = q.key and token is not null) l
      where place is not null),
    line as (
      select w.id, h.key,
        h.permits + sum(w.permits) over before <= least(h.capacity, min(w.capacity) over before) as fits
      from held h cross join lateral (
        select id, permits, capacity from everstep.lock_request w
        where w.key = h.key and w.token is null order by id limit ${GRANTS_AT_ONCE}) w
      window before as (partition by h.key order by w.id)),
    next as (select id, key, bool_and(fits) over (partition by key order by id) as is_next from line),
    numbered as materialized (
      select id, key, nextval('everstep.fencing_token') as token
      from (select id, key from next where is_next order by id) ordered)
    update everstep.lock_request l set token = n.token, granted_at = clock_timestamp()
    from numbered n where ${lookup("l.key", "n.key")} and ${lookup("l.id", "n.id")}
    returning l.run_id, l.command, l.key, l.is_regained, l.token::float8 as token`,
});

// The place stays, and so do the permits: nobody who waits is concerned. What was held is held from here on by another run, and
// that is a grant.
const HAND_OVER = prepared({
  name: "everstep_hand_over_locks",
  text: `
    update everstep.lock_request l set run_id = $2::uuid, is_regained = a.regains > 0,
      token = case when l.token is not null then nextval('everstep.fencing_token') end,
      granted_at = case when l.token is not null then clock_timestamp() end
    from (
      select $1::uuid as run_id, a.*
      from unnest($3::int[], ${textColumn(4)}, $5::int[], $6::int[]) a(command, key, regains, place)
      where place is not null offset 0) a
    where ${lookup("l.run_id", "a.run_id")} and ${lookup("l.command", "a.command")} and ${lookup("l.key", "a.key")}
    returning l.run_id, l.command, l.key, l.is_regained, l.token::float8 as token`,
});

interface GrantedRow {
  key: string;
  run_id: string;
  command: number;
  is_regained: boolean;
  token: number;
}

/**
 * With all heads locked that the transaction locks. Answers what is granted by it: to be told in the same transaction.
 * `handOver`: from a run that lets go of all that it has.
 */
export async function changeLocks(
  session: Session,
  releases: readonly LockRelease[],
  asked: readonly LockRequest[] = [],
  handOver: LockHandOver | null = null,
): Promise<LockGrant[]> {
  if (releases.length + asked.length === 0) return [];
  const releasing = runIds(releases.map(({ runId }) => runId));
  const taken = await session.query(LOCK_KEYS, [
    LOCK_SPACE,
    names(asked.map(({ key }) => key)),
    plain(asked.map((_, place) => place)),
    releasing,
  ]);
  // Nothing is asked for, and the runs had nothing: most runs that are ended from outside.
  if (taken.length === 0) return [];
  const handedOver = handOver === null ? [] : await handOverIn(session, handOver, asked);
  const requests = asked.filter(
    ({ runId, command }) => runId !== handOver?.to || !handedOver.some((row) => row.command === command),
  );
  type ChangedRow = { [Column in keyof GrantedRow]: GrantedRow[Column] | null } & { key: string };
  const changed = await session.query<ChangedRow>(CHANGE, [
    releasing,
    plain(releases.map(({ command }) => command)),
    names(requests.map(({ key }) => key)),
    runIds(requests.map(({ runId }) => runId)),
    plain(requests.map(({ command }) => command)),
    plain(requests.map(({ permits }) => permits)),
    plain(requests.map(({ capacity }) => capacity)),
    plain(requests.map(({ isRegained }) => (isRegained === true ? 1 : 0))),
    plain(requests.map((_, place) => place)),
  ]);
  const granted = [...handedOver, ...changed].filter((row): row is GrantedRow => row.token !== null);
  const open = [...new Set(changed.filter(({ token }) => token === null).map(({ key }) => key))];
  if (open.length > 0) granted.push(...(await grantIn(session, open)));
  return granted
    .map(({ run_id, command, key, is_regained, token }) => {
      return { runId: runIdOf(run_id), command, key, fencingToken: token, isRegained: is_regained };
    })
    .sort((a, b) => a.fencingToken - b.fencingToken);
}

type HandedRow = Omit<GrantedRow, "token"> & { readonly token: number | null };

function handOverIn(
  session: Session,
  { from, to }: LockHandOver,
  asked: readonly LockRequest[],
): Promise<(HandedRow & Row)[]> {
  const own = asked.filter(({ runId }) => runId === to);
  return session.query<HandedRow & Row>(HAND_OVER, [
    uuidOf(from),
    uuidOf(to),
    plain(own.map(({ command }) => command)),
    names(own.map(({ key }) => key)),
    plain(own.map(({ isRegained }) => (isRegained === true ? 1 : 0))),
    plain(own.map((_, place) => place)),
  ]);
}

async function grantIn(session: Session, keys: readonly string[]): Promise<GrantedRow[]> {
  const granted: GrantedRow[] = [];
  for (;;) {
    const rows = await session.query<GrantedRow & Row>(GRANT, [names(keys), plain(keys.map((_, place) => place))]);
    granted.push(...rows);
    if (rows.length < GRANTS_AT_ONCE) return granted;
  }
}

// Not waited for: whoever has a head locked may wait for a key of ours.
const LOCK_FREE_HEADS = prepared({
  name: "everstep_lock_free_heads",
  text: `
    select run_id from everstep.open_run where run_id = any($1::uuid[])
    order by run_id for no key update skip locked`,
});

/** `locked`: runs whose heads this transaction has locked. */
export async function tellGranted(
  session: Session,
  grants: readonly LockGrant[],
  locked: ReadonlySet<string>,
): Promise<Pick<AppendAnswer, "mail" | "toWake">> {
  if (grants.length === 0) return {};
  const others = [...new Set(grants.map(({ runId }) => runId).filter((runId) => !locked.has(runId)))];
  const free = new Set<string>();
  if (others.length > 0) {
    const rows = await session.query<{ run_id: string }>(LOCK_FREE_HEADS, [runIds(others)]);
    for (const { run_id } of rows) free.add(runIdOf(run_id));
  }
  const reached = grants.filter(({ runId }) => locked.has(runId) || free.has(runId));
  const regained = reached.filter(({ isRegained }) => isRegained);
  const queues = await noteRegained(session, regained);
  const requests = reached
    .filter(({ isRegained }) => !isRegained)
    .map((grant) => {
      const { asker, answer } = grantAnswer(grant);
      return { to: { runId: asker.runId }, ...answerMail(asker, answer) };
    });
  const sent = await sendOnce(session, requests);
  await keepErrands(session, grants.filter((grant) => !reached.includes(grant)).map(grantErrand));
  const mail = requests.flatMap(({ to: { runId }, ...item }, index): MailItem[] => {
    const place = sent[index]?.mail ?? null;
    return place === null || !locked.has(runId) ? [] : [{ ...item, runId, mail: place }];
  });
  const woken = sent.filter((_, index) => free.has(requests[index]?.to.runId ?? ""));
  return { mail, toWake: whomToWake([...woken, ...queues.map((queue) => ({ queue, ownerId: null }))]) };
}

const LIST = prepared({
  name: "everstep_list_locks",
  text: `
    select l.key, l.run_id, r.workflow_id, r.workflow, l.command, l.permits, l.capacity, l.token::float8 as token,
      ${ms("l.requested_at")} as requested_at, ${ms("l.granted_at")} as granted_at
    from everstep.lock_request l join everstep.run r on ${lookup("r.run_id", "l.run_id")}
    where $1::text is null or l.key = $1 order by l.key, l.id limit $2`,
});

interface LockRow {
  key: string;
  run_id: string;
  workflow_id: string;
  workflow: string;
  command: number;
  permits: number;
  capacity: number;
  token: number | null;
  requested_at: number;
  granted_at: number | null;
}

export async function listLocks(pool: Pool, { key, limit }: ListLocksRequest): Promise<ListedLock[]> {
  const rows = await pool.query<LockRow & Record<string, unknown>>(LIST, [key, limit]);
  return rows.map((row) => ({
    key: row.key,
    runId: runIdOf(row.run_id),
    workflowId: row.workflow_id,
    workflow: row.workflow,
    command: row.command,
    permits: row.permits,
    capacity: row.capacity,
    fencingToken: row.token,
    requestedAt: row.requested_at,
    grantedAt: row.granted_at,
  }));
}
