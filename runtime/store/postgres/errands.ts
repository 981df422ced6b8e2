// Errands, done: one kind after the other, each kind in transactions of its own, so that locks of heads are always taken
// in the order of run ids. One doer at a time per kind keeps the order of each sender.

import { isEverstepError } from "../../../sdk/protocol/errors.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import {
  adoptionMail,
  answerErrand,
  answerMail,
  childAnswer,
  childStart,
  type Errand,
  mailAnswer,
  type StartErrand,
} from "../errands.ts";
import type { MailRequest } from "../mail.ts";
import type { RunRef } from "../run-ref.ts";
import type { StartOutcome } from "../starts.ts";
import type { ErrandsAnswer } from "../store.ts";
import { closeFromOutside } from "./closing.ts";
import { names, plain, textColumn } from "./columns.ts";
import type { Pool, Session } from "./connection.ts";
import { findFollowed, followChildren } from "./following.ts";
import { type LockedHead, lockHeads } from "./heads.ts";
import { keepErrands, keepKin } from "./kin.ts";
import { lookup } from "./lookup.ts";
import { findTarget, sendOnce, whomToWake } from "./mail.ts";
import { noteRegained } from "./regaining.ts";
import { runIdOf } from "./run-id.ts";
import { startInside } from "./starting.ts";
import { prepared } from "./statements.ts";
import { readVersions } from "./versions.ts";

interface Due<Kind extends Errand["do"] = Errand["do"]> {
  readonly id: number;
  readonly errand: Errand & { readonly do: Kind };
}

/** What one transaction has done: these errands, and whom it concerns. */
interface Done {
  readonly ids: readonly number[];
  readonly queues?: readonly string[];
  readonly ownerIds?: readonly string[];
  readonly closedIds?: readonly string[];
}

const DOERS = { start: doStarts, mail: doMail, terminate: doTerminations, regain: doRegains } as const;
// By its place each has a lock: new ones come last.
const KINDS = ["start", "mail", "terminate", "regain"] as const;

export async function runErrands(pool: Pool, limit: number): Promise<ErrandsAnswer> {
  const answer = { done: 0, isBusy: false, rejected: [], queues: [], ownerIds: [], closedIds: [] };
  const total: Mutable<ErrandsAnswer> = answer;
  // Without any lock, because mostly there is nothing.
  const due = await pool.query<{ what: Errand["do"] }>(DUE_KINDS, [[...KINDS]]);
  for (const kind of KINDS.filter((each) => due.some(({ what }) => what === each))) {
    add(total, await runKind(pool, kind, limit));
  }
  return total;
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

function add(total: Mutable<ErrandsAnswer>, part: ErrandsAnswer): void {
  total.done += part.done;
  total.isBusy ||= part.isBusy;
  total.rejected = [...total.rejected, ...part.rejected];
  total.queues = [...new Set([...total.queues, ...part.queues])];
  total.ownerIds = [...new Set([...total.ownerIds, ...part.ownerIds])];
  total.closedIds = [...total.closedIds, ...part.closedIds];
}

const NOTHING: ErrandsAnswer = { done: 0, isBusy: false, rejected: [], queues: [], ownerIds: [], closedIds: [] };

async function runKind(pool: Pool, kind: Errand["do"], limit: number): Promise<ErrandsAnswer> {
  try {
    return await pool.transaction((session) => runSome(session, kind, limit));
  } catch (error) {
    if (!isEverstepError(error, "STORE_REJECTED")) throw error;
    if (limit > 1) return runKind(pool, kind, 1);
    // It would stand in the way of all others for ever.
    const rows = await pool.query<{ body: string }>(REJECT, [kind, error.message]);
    return { ...NOTHING, rejected: rows.map(({ body }) => `${error.message}: ${body.slice(0, SHOWN_LENGTH)}`) };
  }
}

const SHOWN_LENGTH = 500;

async function runSome(session: Session, kind: Errand["do"], limit: number): Promise<ErrandsAnswer> {
  const [lock] = await session.query<{ is_ours: boolean }>(LOCK, [LOCK_SPACE, KINDS.indexOf(kind)]);
  if (lock?.is_ours !== true) return { ...NOTHING, isBusy: true };
  const rows = await session.query<{ id: number; body: string }>(DUE, [kind, limit]);
  const due = rows.map(({ id, body }): Due => ({ id, errand: JSON.parse(body) as Errand }));
  if (due.length === 0) return NOTHING;
  const { ids, queues = [], ownerIds = [], closedIds = [] } = await DOERS[kind](session, due as Due<never>[]);
  await session.query(FORGET, [plain(ids)]);
  return { done: ids.length, isBusy: false, rejected: [], queues, ownerIds, closedIds };
}

/** "ever" and a bit: beside the lock of the migrations. */
const LOCK_SPACE = 0x65766573;
const LOCK = prepared({
  name: "everstep_lock_errands",
  text: "select pg_try_advisory_xact_lock($1::int, $2::int) as is_ours",
});
const DUE_KINDS = prepared({
  name: "everstep_due_errand_kinds",
  text: `select k.what from unnest($1::text[]) k(what)
    where exists (select from everstep.errand e where e.what = k.what and e.rejected is null offset 0)`,
});
const DUE = prepared({
  name: "everstep_due_errands",
  text: `
    select e.id::float8 as id, e.body from everstep.errand e
    where ${lookup("e.what", "$1")} and e.rejected is null order by e.what, e.id limit $2`,
});
const FORGET = prepared({
  name: "everstep_forget_errands",
  text: "delete from everstep.errand where id = any($1::bigint[])",
});
const REJECT = prepared({
  name: "everstep_reject_errand",
  text: `update everstep.errand set rejected = $2
    where id = (
      select id from everstep.errand where ${lookup("what", "$1")} and rejected is null order by what, id limit 1)
    returning body`,
});

// ---------------------------------------------------------------- starts

// The open runs in whose place others are to be started, or which are to stand for them, are locked with the parents: all
// heads of a transaction are locked in one order.
const FIND_IN_THE_WAY = prepared({
  name: "everstep_find_in_the_way",
  text: `
    select o.run_id
    from unnest(${textColumn(1)}, $2::int[]) q(workflow_id, place)
    join everstep.open_run o on ${lookup("o.workflow_id", "q.workflow_id")}
    where place is not null`,
});

async function lockConcerned(session: Session, due: readonly Due<"start">[]): Promise<Map<string, LockedHead>> {
  const parentIds = due.map(({ errand }) => errand.asker.runId);
  const contested = due.flatMap(({ errand: { child } }) => (child.onConflict === undefined ? [] : child.workflowId));
  const inTheWay =
    contested.length === 0
      ? []
      : await session.query<{ run_id: string }>(FIND_IN_THE_WAY, [
          names(contested),
          plain(contested.map((_, place) => place)),
        ]);
  const followed = await findFollowed(session, due.map(startOf));
  return lockHeads(session, [
    ...new Set([
      ...parentIds,
      ...inTheWay.map(({ run_id }) => runIdOf(run_id)),
      ...[...followed.values()].map(({ runId }) => runId),
    ]),
  ]);
}

function startOf({ errand }: Due<"start">): StartErrand {
  return errand;
}

// With the parent's head locked, its end is either before, and seen here, or after, and then sees the child.
async function doStarts(session: Session, all: readonly Due<"start">[]): Promise<Done> {
  const due = untilEnding(all);
  const heads = await lockConcerned(session, due);
  const following = await followChildren(session, due.map(startOf), heads);
  const wanted = due.filter(
    ({ errand }) => !following.settled.has(errand) && (heads.has(errand.asker.runId) || errand.policy === "abandon"),
  );
  const decided = await decideVersions(session, wanted, heads);
  const startable = decided.flatMap(({ errand, start }) => ("type" in start ? [] : [{ errand, start }]));
  const requests = startable.map(({ start }) => start);
  const outcomes = await startInside(session, requests);
  const started = requests.filter((_, place) => outcomes[place]?.outcome === "started");
  for (const { runId, workflowId } of started) heads.set(runId, { runId, chainId: runId, workflowId });
  const done = startable.map(({ errand }, place) => ({ errand, outcome: outcomes[place] as StartOutcome }));
  // One that was started since the heads were locked: next time it is locked, too.
  const isLate = ({ outcome }: (typeof done)[number]) => outcome.outcome === "existing" && !heads.has(outcome.runId);
  const late = new Set([...following.late, ...done.filter(isLate).map(({ errand }) => errand)]);
  const waiting = done.filter(({ errand }) => heads.has(errand.asker.runId) && !late.has(errand));
  await keepKin(
    session,
    waiting.flatMap(({ errand: { asker: parent, policy }, outcome: { outcome, runId } }) => {
      const childRunId = heads.get(runId)?.chainId;
      if (outcome === "refused" || childRunId === undefined) return [];
      return { childRunId, parent, policy: outcome === "existing" ? "abandon" : policy };
    }),
  );
  const adoptions = waiting.filter(({ outcome }) => outcome.outcome === "existing");
  const refused = decided.flatMap(({ errand: { asker }, start }) =>
    "type" in start && heads.has(asker.runId) ? [{ to: { runId: asker.runId }, ...answerMail(asker, start) }] : [],
  );
  const told = await sendOnce(session, [
    ...following.mail,
    ...refused,
    ...adoptions.map(({ errand, outcome }) => ({ to: { runId: outcome.runId }, ...adoptionMail(errand.asker) })),
    ...waiting.map(({ errand: { asker, child }, outcome }): MailRequest => {
      return { to: { runId: asker.runId }, ...answerMail(asker, childAnswer(asker, child, outcome)) };
    }),
  ]);
  const replaced = new Set(
    started.filter(({ onConflict }) => onConflict === "terminateExisting").map(({ workflowId }) => workflowId),
  );
  const own = new Set(started.map(({ runId }) => runId));
  const closedIds = [...heads.values()]
    .filter(({ runId, workflowId }) => replaced.has(workflowId) && !own.has(runId))
    .map(({ runId }) => runId);
  const ids = due.filter(({ errand }) => !late.has(errand)).map(({ id }) => id);
  return { ids, closedIds, ...whomToWake([...told, ...started.map(({ queue }) => ({ queue, ownerId: null }))]) };
}

/** What ends another run is done by itself: that may be the parent of a child that is to be started after it. */
function untilEnding(due: readonly Due<"start">[]): readonly Due<"start">[] {
  const ending = due.findIndex(({ errand: { child } }) => child.onConflict === "terminateExisting");
  return ending < 0 ? due : due.slice(0, Math.max(1, ending));
}

/** The start that each errand is, of the version that it gets; or what is told of it where there is none. */
async function decideVersions(session: Session, due: readonly Due<"start">[], heads: Map<string, LockedHead>) {
  const asked = due.flatMap(({ errand: { child, version } }) => (version === undefined ? [] : child.workflow));
  const versions = await readVersions(session, asked);
  return due.map(({ errand }) => {
    const { asker, child } = errand;
    const isOwn = heads.get(asker.runId)?.workflowId === child.workflowId;
    return { errand, start: childStart(errand, isOwn, versions.get(child.workflow)) };
  });
}

// ---------------------------------------------------------------- mail

async function doMail(session: Session, due: readonly Due<"mail">[]): Promise<Done> {
  const sent = await sendOnce(
    session,
    due.map(({ errand: { to, mail } }) => ({ to, ...mail })),
  );
  const done: Due<"mail">[] = [];
  const replies: Errand[] = [];
  const late = new Set<string>();
  for (const [place, one] of due.entries()) {
    const outcome = sent[place];
    if (outcome === undefined) continue;
    const { to, asker } = one.errand;
    const key = JSON.stringify(to);
    // Its receiver went on as another run just now: next time it is found. What follows from the same sender waits, too.
    if (late.has(key) || (outcome.outcome === "closed" && (await hasMoved(session, to, outcome.runId)))) {
      late.add(key);
      continue;
    }
    done.push(one);
    if (asker !== null) replies.push(answerErrand(asker, mailAnswer(asker, to, outcome)));
  }
  await keepErrands(session, replies);
  return { ids: idsOf(done), ...whomToWake(sent) };
}

async function hasMoved(session: Session, to: RunRef, runId: string | null): Promise<boolean> {
  return !("runId" in to) && (await findTarget(session, to)) !== runId;
}

// ---------------------------------------------------------------- ends

async function doTerminations(session: Session, due: readonly Due<"terminate">[]): Promise<Done> {
  const targets: { one: Due<"terminate">; runId: string }[] = [];
  const ids: number[] = [];
  for (const one of due) {
    const runId = await findTarget(session, one.errand.to);
    if (runId === null) ids.push(one.id);
    else targets.push({ one, runId });
  }
  const ends = new Map(
    targets.map(({ one, runId }) => {
      const event = toRecord({ type: "RunTerminated", reason: one.errand.reason });
      return [runId, { runId, status: "terminated", event, seq: null } as const];
    }),
  );
  const closedIds = await closeFromOutside(session, [...ends.values()]);
  const closed = new Set(closedIds);
  for (const { one, runId } of targets) {
    if (closed.has(runId) || !(await hasMoved(session, one.errand.to, runId))) ids.push(one.id);
  }
  return { ids, closedIds };
}

// ---------------------------------------------------------------- locks of forks

async function doRegains(session: Session, due: readonly Due<"regain">[]): Promise<Done> {
  return {
    ids: idsOf(due),
    queues: await noteRegained(
      session,
      due.map(({ errand: { grant } }) => grant),
    ),
  };
}

function idsOf(due: readonly Due[]): number[] {
  return due.map(({ id }) => id);
}
