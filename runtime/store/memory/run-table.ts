// All runs, and the orders they are looked up in. Every change of a run goes through here, so that no index can lag
// behind the run it points at and no change can break what a store promises: gap-free histories, epochs that never
// fall, and closed for good.

import { invariant } from "../../../sdk/protocol/errors.ts";
import { isClosingCode } from "../../../sdk/protocol/event.ts";
import type { EventRecord, StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../../sdk/protocol/update-refusal.ts";
import { SUSPECT_FROM_CRASHES } from "../claims.ts";
import type { RunEnd } from "../errands.ts";
import { laneOf } from "../lanes.ts";
import type { MailItem } from "../mail.ts";
import { changesIn, type DataChange, hasChanges } from "../run-data.ts";
import type { RunRef } from "../run-ref.ts";
import { OrderedHeap } from "./ordered-heap.ts";
import { type Head, headOf, type StoredRun } from "./stored-run.ts";

/** Runs that nobody owns or has paused, and that have a time to wake. */
interface DueRuns {
  readonly sound: OrderedHeap<StoredRun>;
  readonly suspect: OrderedHeap<StoredRun>;
}

export class RunTable {
  readonly #runs = new Map<string, StoredRun>();
  #inOrder: StoredRun[] = [];
  #started = 0;
  readonly #byWorkflowId = new Map<string, StoredRun[]>();
  readonly #openByWorkflowId = new Map<string, StoredRun>();
  readonly #byOwner = new Map<string, Set<StoredRun>>();
  readonly #blocked = new Set<StoredRun>();
  /** By run id: the fork that was put in its place last. */
  readonly #heirs = new Map<string, StoredRun>();
  readonly #due = new Map<string, DueRuns>();
  readonly #deadlines = new OrderedHeap<StoredRun>((a, b) => isBefore(a, a.deadlineAt, b, b.deadlineAt));

  get(runId: string): StoredRun | undefined {
    return this.#runs.get(runId);
  }

  /** By workflow id: the open run, else the latest. */
  find(ref: RunRef): StoredRun | undefined {
    if ("runId" in ref) return this.#runs.get(ref.runId);
    if ("workflowId" in ref) {
      return this.#openByWorkflowId.get(ref.workflowId) ?? this.#byWorkflowId.get(ref.workflowId)?.at(-1);
    }
    if ("chainOf" in ref) return this.#latestOfChain(ref.chainOf);
    let latest = this.#latestOfChain(ref.lineOf);
    for (let next = this.#heirs.get(latest?.runId ?? ref.lineOf); next; next = this.#heirs.get(latest?.runId ?? "")) {
      latest = this.#latestOfChain(next.runId);
    }
    return latest;
  }

  #latestOfChain(runId: string): StoredRun | undefined {
    const member = this.#runs.get(runId);
    return member && this.chainOf(member).at(-1);
  }

  /** The fork is in the place of the run, and of every fork that was there before. */
  putInPlaceOf(runId: string, fork: StoredRun): void {
    this.#heirs.set(runId, fork);
  }

  isInPlaceOfAnother({ runId, forkedFrom }: StoredRun): boolean {
    return forkedFrom !== null && this.#heirs.get(forkedFrom.runId)?.runId === runId;
  }

  /** The runs that continued one another, of which this is one, from the first. */
  chainOf(member: StoredRun): readonly StoredRun[] {
    return this.started(member.workflowId).filter(({ firstRunId }) => firstRunId === member.firstRunId);
  }

  /** In the order of starting. */
  started(workflowId?: string): readonly StoredRun[] {
    return workflowId === undefined ? this.#inOrder : (this.#byWorkflowId.get(workflowId) ?? []);
  }

  ownerIds(): string[] {
    return [...this.#byOwner.keys()].sort();
  }

  /** A copy: what the caller does to the runs does not disturb its walk. */
  ownedBy(ownerId: string): StoredRun[] {
    return [...(this.#byOwner.get(ownerId) ?? [])].sort((a, b) => a.ordinal - b.ordinal);
  }

  blocked(): readonly StoredRun[] {
    return [...this.#blocked];
  }

  /** The run of these lanes that is due before all others, be that now or later. */
  nextDue(lanes: readonly string[], kind: keyof DueRuns): StoredRun | undefined {
    let next: StoredRun | undefined;
    for (const lane of lanes) {
      const run = this.#due.get(lane)?.[kind].first;
      if (run !== undefined && (next === undefined || isDueBefore(run, next))) next = run;
    }
    return next;
  }

  nextDeadline(): StoredRun | undefined {
    return this.#deadlines.first;
  }

  insert(run: Omit<StoredRun, "ordinal">): StoredRun {
    return this.#insertAt(this.#inOrder.length, run);
  }

  /** Among those that were started here, where its run id says. */
  insertStartedElsewhere(run: Omit<StoredRun, "ordinal">): StoredRun {
    const next = this.#inOrder.findIndex(({ runId }) => runId > run.runId);
    return this.#insertAt(next === -1 ? this.#inOrder.length : next, run);
  }

  #insertAt(place: number, run: Omit<StoredRun, "ordinal">): StoredRun {
    const { runId, workflowId, closed } = run;
    invariant(!this.#runs.has(runId), "a run id is given once", { runId });
    invariant((closed === null) === (run.head !== null), "a run is open or closed", { runId });
    if (closed === null) {
      invariant(!this.#openByWorkflowId.has(workflowId), "a workflow id has one open run", { runId, workflowId });
    }
    const stored: StoredRun = { ...run, ordinal: this.#inOrder[place]?.ordinal ?? this.#started };
    // All of those behind move by one, so no order that is kept by ordinal changes.
    for (const later of this.#inOrder.slice(place)) later.ordinal += 1;
    this.#started += 1;
    this.#runs.set(runId, stored);
    this.#inOrder.splice(place, 0, stored);
    const siblings = this.#byWorkflowId.get(workflowId) ?? [];
    const older = siblings.findLastIndex(({ ordinal }) => ordinal < stored.ordinal);
    siblings.splice(older + 1, 0, stored);
    this.#byWorkflowId.set(workflowId, siblings);
    if (closed === null) {
      this.#openByWorkflowId.set(workflowId, stored);
      if (stored.deadlineAt !== null) this.#deadlines.add(stored);
      this.#index(stored);
    }
    return stored;
  }

  change(run: StoredRun, change: Partial<Head>): void {
    const before = headOf(run);
    const after: Head = { ...before, ...change };
    const { runId } = run;
    invariant(after.epoch >= before.epoch, "an epoch never falls", { runId, before, after });
    invariant(after.takenMail >= before.takenMail, "mail is taken once", { runId, before, after });
    invariant(after.takenMail <= run.mailbox.length, "mail is taken after it came", { runId, after });
    invariant((after.ownerId === null) === (after.claimId === null), "who owns has a claim", { runId, after });
    const isHeld = after.ownerId !== null || after.blocked !== null;
    invariant(after.ownerId === null || after.blocked === null, "nobody owns a blocked run", { runId, after });
    invariant(!isHeld || after.wakeAt === null, "only a run nobody holds is due", { runId, after });
    const isStill = after.awaitedLocks > 0;
    invariant(after.awaitedLocks >= 0, "a lock is regained once", { runId, after });
    invariant(!isStill || (!isHeld && after.wakeAt === null), "a run that awaits locks is not due", { runId, after });
    this.#unindex(run);
    run.head = Object.freeze(after);
    this.#index(run);
  }

  /** To the lane of another version. */
  move(run: StoredRun, version: string | null): void {
    this.#unindex(run);
    run.version = version;
    this.#index(run);
  }

  append(run: StoredRun, records: readonly EventRecord[], tag: string, at: number): void {
    headOf(run);
    for (const { type, command, name, payload, data } of records) {
      const last = run.history.at(-1);
      const seq = run.history.length + 1;
      invariant((last?.seq ?? 0) + 1 === seq, "a history has no gaps", { runId: run.runId, seq });
      invariant(last === undefined || !isClosingCode(last.type), "nothing follows the end", { runId: run.runId, seq });
      run.history.push(Object.freeze({ seq, at, type, command, name, payload, data }));
      run.tags.push(tag);
    }
    if (hasChanges(records)) this.keepData(run, changesIn(records));
  }

  /** Beside the history that says so. */
  keepData(run: StoredRun, changes: readonly DataChange[]): void {
    for (const { kind, name, rows } of changes) {
      if (rows.length === 0) run.data.delete(`${kind} ${name}`);
      else run.data.set(`${kind} ${name}`, rows);
    }
  }

  /** Told of every run that has ended. */
  onClose: (run: StoredRun, end: RunEnd) => void = () => {};

  /** The run's last event has ended it. */
  close(run: StoredRun, status: ClosedStatus, at: number): void {
    const last = run.history.at(-1);
    invariant(run.closed === null, "a run is closed once", { runId: run.runId });
    invariant(last !== undefined && isClosingCode(last.type), "a closing event ends a run", { runId: run.runId });
    this.#unindex(run);
    if (run.deadlineAt !== null) this.#deadlines.remove(run);
    this.#openByWorkflowId.delete(run.workflowId);
    run.closed = Object.freeze({ status, at });
    run.head = null;
    this.onClose(run, { runId: run.runId, status, event: recordOf(last), seq: last.seq });
  }

  /** As if they had never been. */
  remove(runs: ReadonlySet<StoredRun>): void {
    if (runs.size === 0) return;
    this.#inOrder = this.#inOrder.filter((run) => !runs.has(run));
    for (const run of runs) {
      invariant(run.closed !== null, "an open run is never deleted", { runId: run.runId });
      this.#runs.delete(run.runId);
      if (run.forkedFrom !== null && this.#heirs.get(run.forkedFrom.runId) === run)
        this.#heirs.delete(run.forkedFrom.runId);
      const siblings = (this.#byWorkflowId.get(run.workflowId) ?? []).filter((other) => other !== run);
      if (siblings.length === 0) this.#byWorkflowId.delete(run.workflowId);
      else this.#byWorkflowId.set(run.workflowId, siblings);
    }
  }

  putMail(run: StoredRun, item: Omit<MailItem, "mail" | "runId">): void {
    invariant(run.closed === null, "a closed run takes no mail", { runId: run.runId });
    const { kind, mailId, name, payload } = item;
    const mail = run.mailbox.length + 1;
    run.mailIds.add(mailId);
    run.mailbox.push(Object.freeze({ runId: run.runId, mail, kind, mailId, name, payload }));
  }

  /** Keeps why an update was not taken, with its mail. */
  refuse(run: StoredRun, mail: number, refusal: UpdateRefusal): void {
    const { runId } = run;
    invariant(run.mailbox[mail - 1]?.kind === "update", "what is refused is an update", { runId, mail });
    invariant(mail <= headOf(run).takenMail, "what is refused is out of the mailbox", { runId, mail });
    run.refusals.set(mail, refusal);
  }

  /** Makes a run due by now that nobody holds, and that has the locks it stood still for. */
  wake(run: StoredRun, now: number): void {
    const { ownerId, blocked, awaitedLocks, wakeAt } = headOf(run);
    if (ownerId !== null || blocked !== null || awaitedLocks > 0) return;
    if (wakeAt === null || wakeAt > now) this.change(run, { wakeAt: now });
  }

  #index(run: StoredRun): void {
    const { ownerId, blocked, paused, wakeAt } = headOf(run);
    if (ownerId !== null) addTo(this.#byOwner, ownerId, run);
    if (blocked !== null) this.#blocked.add(run);
    if (wakeAt !== null && paused === null) this.#dueLike(run).add(run);
  }

  #unindex(run: StoredRun): void {
    const { ownerId, blocked, paused, wakeAt } = headOf(run);
    if (ownerId !== null) removeFrom(this.#byOwner, ownerId, run);
    if (blocked !== null) this.#blocked.delete(run);
    if (wakeAt !== null && paused === null) this.#dueLike(run).remove(run);
  }

  #dueLike(run: StoredRun): OrderedHeap<StoredRun> {
    const lane = laneOf(run.queue, run);
    let due = this.#due.get(lane);
    if (due === undefined) {
      due = { sound: new OrderedHeap(isDueBefore), suspect: new OrderedHeap(isDueBefore) };
      this.#due.set(lane, due);
    }
    return headOf(run).crashCount >= SUSPECT_FROM_CRASHES ? due.suspect : due.sound;
  }
}

function recordOf({ type, command, name, payload, data }: StoredEvent): EventRecord {
  return { type, command, name, payload, data };
}

function isDueBefore(a: StoredRun, b: StoredRun): boolean {
  return isBefore(a, headOf(a).wakeAt, b, headOf(b).wakeAt);
}

// Equal times keep the order of starting, so that the same calls always give the same answers.
function isBefore(a: StoredRun, aAt: number | null, b: StoredRun, bAt: number | null): boolean {
  invariant(aAt !== null && bAt !== null, "what is ordered by time has one", { runIds: [a.runId, b.runId] });
  return aAt === bAt ? a.ordinal < b.ordinal : aAt < bAt;
}

function addTo(sets: Map<string, Set<StoredRun>>, key: string, run: StoredRun): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([run]));
  else set.add(run);
}

function removeFrom(sets: Map<string, Set<StoredRun>>, key: string, run: StoredRun): void {
  const set = sets.get(key);
  set?.delete(run);
  if (set?.size === 0) sets.delete(key);
}
