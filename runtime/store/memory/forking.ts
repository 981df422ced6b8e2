// A run made of the first events of another.

import { terminationRecord } from "../acted-by.ts";
import type { ForkOutcome, ForkRequest, SharedChild } from "../forks.ts";
import type { LockGrant, LockRequest } from "../locks.ts";
import type { MailItem } from "../mail.ts";
import type { Locks } from "./locks.ts";
import type { RunTable } from "./run-table.ts";
import { closeFromOutside, STORE_TAG } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";

/** What is kept of children and parents, and passes to a fork in the place of its source. */
interface KinKeeper {
  passOn(source: StoredRun, fork: string, children: readonly SharedChild[]): void;
}

interface Forked {
  readonly outcome: ForkOutcome;
  /** What the fork has, to be told. */
  readonly grants: readonly LockGrant[];
}

export function forkRun(
  table: RunTable,
  keepers: { readonly locks: Locks; readonly kin: KinKeeper },
  request: ForkRequest,
  now: number,
): Forked {
  const { locks, kin } = keepers;
  const { sourceId, runId, workflowId, terminates, actor } = request;
  const source = table.get(sourceId);
  if (table.get(runId) !== undefined) return { outcome: { outcome: "forked", runId }, grants: [] };
  if (source === undefined) return { outcome: { outcome: "notFound", runId: sourceId }, grants: [] };
  const latest = table.find({ workflowId });
  const isFreed = latest === source && terminates !== null;
  if (latest?.closed === null && !isFreed) {
    return { outcome: { outcome: "refused", runId: latest.runId }, grants: [] };
  }
  const requests = (request.locks ?? []).map((lock): LockRequest => ({ ...lock, runId }));
  const { placed, grants } =
    terminates === null ? NONE_PLACED : locks.handOver({ from: sourceId, to: runId }, requests, now);
  if (terminates !== null && source.closed === null) {
    kin.passOn(source, runId, request.children ?? []);
    closeFromOutside(table, source, "terminated", terminationRecord(terminates, actor), now);
  }
  const fork = insertFork(table, source, request, now);
  if (terminates !== null) table.putInPlaceOf(sourceId, fork);
  for (const { seq, at, ...record } of request.anew?.events ?? source.history.slice(0, request.at)) {
    table.append(fork, [seq === request.at ? (request.edited ?? record) : record], STORE_TAG, at);
  }
  table.append(fork, [request.forked], STORE_TAG, now);
  table.keepData(fork, request.data);
  const others = requests.filter((each) => !placed.includes(each));
  return { outcome: { outcome: "forked", runId }, grants: [...grants, ...locks.change([], others, now)] };
}

const NONE_PLACED = { placed: [], grants: [] };

function insertFork(table: RunTable, source: StoredRun, request: ForkRequest, now: number): StoredRun {
  const { runId, workflowId, at, takenMail, locks = [], timeoutMs } = request;
  const awaitedLocks = locks.filter(({ isRegained }) => isRegained).length;
  const fork = table.insert({
    runId,
    firstRunId: runId,
    workflowId,
    workflow: source.workflow,
    queue: source.queue,
    attempt: source.attempt,
    version: request.version ?? null,
    startedAt: now,
    deadlineAt: timeoutMs === null ? null : now + timeoutMs,
    timeoutMs,
    forkedFrom: Object.freeze({ runId: source.runId, event: at }),
    history: [],
    tags: [],
    mailbox: [],
    mailIds: new Set(),
    refusals: new Map(),
    heartbeats: new Map(),
    data: new Map(),
    head: Object.freeze({
      epoch: 0,
      claimId: null,
      ownerId: null,
      takenMail: 0,
      wakeAt: awaitedLocks > 0 ? null : now,
      timer: null,
      crashCount: 0,
      awaitedLocks,
      blocked: null,
      paused: null,
    }),
    closed: null,
  });
  copyMail(table, source, fork, request);
  table.change(fork, { takenMail });
  return fork;
}

// What was taken keeps its place. Some of it may be gone: passed on to the run that goes on where the source has ended.
function copyMail(table: RunTable, source: StoredRun, fork: StoredRun, request: ForkRequest): void {
  const { takenMail, anew } = request;
  const byId = new Map(anew?.mail.map((item) => [item.mailId, item]));
  const items = source.mailbox.filter((item) => item !== null);
  const byPlace = new Map(items.map((item) => [item.mail, item]));
  for (let place = 1; place <= takenMail; place += 1) {
    const item = byPlace.get(place);
    if (item === undefined) {
      fork.mailbox.push(null);
      continue;
    }
    const { payload, refusal } = byId.get(item.mailId) ?? { ...item, refusal: source.refusals.get(place) ?? null };
    table.putMail(fork, { ...item, payload });
    if (refusal !== null) fork.refusals.set(place, refusal);
  }
  for (const item of items.filter((each) => each.mail > takenMail && isKept(each, request))) {
    table.putMail(fork, { ...item, payload: (byId.get(item.mailId) ?? item).payload });
  }
}

// Who waits for the end of the source waits for that of the fork, which has to know before it ends.
function isKept({ mail, kind }: MailItem, request: ForkRequest): boolean {
  const { keepsSignals, seenMail = Number.POSITIVE_INFINITY, terminates } = request;
  return kind === "signal" ? keepsSignals && mail <= seenMail : kind === "adopt" && terminates !== null;
}
