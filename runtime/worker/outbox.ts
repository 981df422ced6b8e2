// What a run has to append, in order, until it is committed.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { Event, StepReported } from "../../sdk/protocol/event.ts";
import { type EventRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { Claim } from "../store/claims.ts";
import type { Errand } from "../store/errands.ts";
import type { LockChanges, LockRelease, LockRequest } from "../store/locks.ts";
import type { AppendTurn, RefusedUpdate, Successor, TurnEffects } from "../store/turns.ts";
import type { RepairMail } from "./cut-waits.ts";
import type { ReportMail } from "./deferred-step.ts";
import { none, withOneMore } from "./short-list.ts";

export interface Outgoing {
  readonly event: Event;
  /** For TimerFired: when the timer is due, by the store's clock. */
  readonly notBefore?: number;
  readonly close?: ClosedStatus;
  /** For RunContinued: the run that follows, started with this event. */
  readonly successor?: Successor;
  /** What the event asks of another run. */
  readonly errand?: Errand;
  /** What the event does to the queue of a key; a release by the number of the command that asked. */
  readonly lock?: { readonly request: LockRequest } | { readonly release: number };
  /** With `close`: the store keeps places in queues for the run. */
  readonly hasLocks?: boolean;
  /** With `close`: other runs have to be told, or to be dealt with. */
  readonly hasKin?: boolean;
}

/** An update at its place in the order, before anybody has decided whether the run takes it. */
export interface UndecidedUpdate {
  readonly updateId: string;
  readonly name: string;
  readonly mail: number;
  readonly input: Payload;
}

/** Mail that becomes an event, or none, only when all that comes before it has been seen. */
export type UndecidedMail = UndecidedUpdate | ReportMail | RepairMail;

/** What was decided: events, or why an update is refused. */
export type Decision = { readonly events: readonly Event[] } | { readonly refusal: UpdateRefusal };

type Entry = Outgoing | { readonly undecided: UndecidedMail } | { readonly refused: RefusedUpdate };

/** A turn on its way, with the events it is made of. Frozen: it is sent again as it is, or not at all. */
export interface SentTurn {
  readonly turn: AppendTurn;
  readonly events: readonly Event[];
  readonly entries: readonly Entry[];
  readonly bytes: number;
}

export class Outbox {
  #waiting: Entry[] = none();
  #undecided = 0;

  get size(): number {
    return this.#waiting.length;
  }

  /** There is something that needs no decision first. */
  get canBeTaken(): boolean {
    const [first] = this.#waiting;
    return first !== undefined && !("undecided" in first);
  }

  /** The one event that there is to append; undefined when there is more, or something else. */
  get only(): Outgoing | undefined {
    const [entry] = this.#waiting;
    return this.#waiting.length === 1 && entry !== undefined && "event" in entry ? entry : undefined;
  }

  push(outgoing: Outgoing): void {
    this.#waiting = withOneMore(this.#waiting, outgoing);
  }

  /** Puts what a turn had before the end of the run back to where it was: the store did not take it with that end. */
  putBack({ entries }: SentTurn): void {
    this.#waiting = [...entries.filter((entry) => !("close" in entry)), ...this.#waiting];
  }

  /** Nothing that comes after it is taken before it is decided. */
  pushUndecided(undecided: UndecidedMail): void {
    this.#undecided++;
    this.#waiting = withOneMore<Entry>(this.#waiting, { undecided });
  }

  /** The mail to decide on now: nothing that is still to come before it can make a difference. */
  nextUndecided(): UndecidedMail | undefined {
    if (this.#undecided === 0) return undefined;
    for (const entry of this.#waiting) {
      if ("undecided" in entry) return entry.undecided;
      if ("event" in entry && changesRun(entry.event)) return undefined;
    }
    return undefined;
  }

  decide(undecided: UndecidedMail, decision: Decision): void {
    const { mail } = undecided;
    const decided: Entry[] =
      "events" in decision
        ? decision.events.map((event) => ({ event }))
        : [{ refused: { mail, refusal: decision.refusal } }];
    this.#undecided--;
    this.#waiting = this.#waiting.flatMap((entry) =>
      "undecided" in entry && entry.undecided === undecided ? decided : [entry],
    );
  }

  /**
   * Leaves mail that is not decided on, and all mail behind it, to the mailbox it is in. Answers the place there of the
   * first; null when there was none.
   */
  leaveUndecided(): number | null {
    if (this.#undecided === 0) return null;
    const first = this.#waiting.findIndex((entry) => "undecided" in entry);
    const entry = this.#waiting[first];
    if (entry === undefined || !("undecided" in entry)) return null;
    this.#waiting = this.#waiting.filter(
      (entry, place) => place < first || ("event" in entry && !("mail" in entry.event)),
    );
    this.#undecided = 0;
    return entry.undecided.mail;
  }

  /**
   * Forgets what was to be said about a command that was answered or taken back. That mail came is kept: the mailbox is read
   * once, and its order is part of the history.
   */
  forget(command: number): void {
    this.#waiting = this.#waiting.flatMap((entry) => {
      if (!("event" in entry && "command" in entry.event && entry.event.command === command)) return [entry];
      const ignored = ignoredReport(entry.event);
      if (ignored !== undefined) return [{ event: ignored }];
      return "mail" in entry.event && entry.event.mail !== undefined ? [entry] : [];
    });
  }

  /** Takes back an end that is not on its way yet, because something comes before it. True when there was one. */
  withdrawClose(): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter((entry) => !("close" in entry));
    return this.#waiting.length < before;
  }

  take(
    claim: Claim,
    head: { readonly events: number; readonly takenMail: number },
    tag: string,
    at: number | null,
    most: number,
  ): SentTurn {
    const taken = this.#cut(at === null ? most : Math.min(most, this.#dueBy(at)));
    let events: Event[] = none();
    let records: EventRecord[] = none();
    let refusals: readonly RefusedUpdate[] = NO_REFUSALS;
    let takenMail = head.takenMail;
    // The store's own clock has the last word: nothing is in a history before it has happened.
    let notBefore = at;
    let close: ClosedStatus | null = null;
    let bytes = 0;
    for (const entry of taken) {
      if (close !== null) invariant(false, "nothing follows the end of a run", { runId: claim.runId });
      if ("undecided" in entry) invariant(false, "mail is decided on before it is sent", { runId: claim.runId });
      if ("refused" in entry) {
        refusals = [...refusals, entry.refused];
        takenMail = Math.max(takenMail, entry.refused.mail);
        continue;
      }
      const { event, notBefore: due } = entry;
      if ("mail" in event && event.mail !== undefined) takenMail = Math.max(takenMail, event.mail);
      if (due !== undefined) notBefore = Math.max(notBefore ?? due, due);
      close = entry.close ?? null;
      const record = toRecord(event);
      bytes += sizeOf(record);
      events = withOneMore(events, event);
      records = withOneMore(records, record);
    }
    const effects = effectsOf(taken, claim.runId);
    const turn: AppendTurn = {
      claim,
      tag,
      base: head.events,
      events: records,
      at,
      refusals,
      takenMail,
      notBefore,
      close,
      effects,
    };
    return { turn, events, entries: taken, bytes };
  }

  /** How much comes before what is due only later: a turn whose time is decided cannot tell of it. */
  #dueBy(at: number): number {
    const waiting = this.#waiting;
    for (let place = 0; place < waiting.length; place++) {
      const entry = waiting[place] as Entry;
      if ("event" in entry && entry.notBefore !== undefined && entry.notBefore > at) return place;
    }
    return waiting.length;
  }

  /** What comes before the first mail that is not decided on. All that one item of mail led to stays together. */
  #cut(most: number): Entry[] {
    const stop = this.#undecided === 0 ? -1 : this.#waiting.findIndex((entry) => "undecided" in entry);
    let end = stop < 0 ? most : Math.min(most, stop);
    while (this.#waiting.length > end && isOfOneMail(this.#waiting[end - 1], this.#waiting[end])) end++;
    if (this.#waiting.length > end) return this.#waiting.splice(0, end);
    const all = this.#waiting;
    this.#waiting = none();
    return all;
  }
}

const NO_REFUSALS: readonly RefusedUpdate[] = [];

/** The mailbox counts as taken up to an item with the first event that it led to. */
function isOfOneMail(left: Entry | undefined, right: Entry | undefined): boolean {
  const mail = mailOf(left);
  return mail !== undefined && mail === mailOf(right);
}

function mailOf(entry: Entry | undefined): number | undefined {
  return entry !== undefined && "event" in entry && "mail" in entry.event ? entry.event.mail : undefined;
}

/** Null for what concerns no other run: that is appended by the fastest way. */
function effectsOf(taken: readonly Entry[], runId: string): TurnEffects | null {
  if (!taken.some(concernsOthers)) return null;
  const outgoing = taken.filter((entry) => "event" in entry);
  const last = outgoing.at(-1);
  const locks = lockChangesOf(outgoing, runId);
  return {
    errands: outgoing.flatMap(({ errand }) => errand ?? []),
    successor: last?.successor ?? null,
    ...(locks !== null && { locks }),
    ...(last?.hasKin === false && { isWithoutKin: true }),
  };
}

function concernsOthers(entry: Entry): boolean {
  if (!("event" in entry)) return false;
  const { errand, successor, hasKin, lock, hasLocks } = entry;
  return errand !== undefined || successor !== undefined || hasKin === true || lock !== undefined || hasLocks === true;
}

/** Null for none. What a closing run lets go of is all that it has. */
function lockChangesOf(outgoing: readonly Outgoing[], runId: string): LockChanges | null {
  const requests: LockRequest[] = [];
  const releases: LockRelease[] = [];
  for (const { lock, hasLocks } of outgoing) {
    if (lock !== undefined && "request" in lock) requests.push(lock.request);
    else if (lock !== undefined) releases.push({ runId, command: lock.release });
    if (hasLocks === true) releases.push({ runId, command: null });
  }
  return requests.length + releases.length === 0 ? null : { requests, releases };
}

/** What is left of an event that mail led to; undefined when none did. */
function ignoredReport(event: Event): StepReported | undefined {
  if (!("reportId" in event) || event.mail === undefined || event.reportId === undefined) return undefined;
  const { command, name, attempt, mail, reportId } = event;
  return { type: "StepReported", command, name, attempt, mail, reportId, report: "ignored", details: null };
}

/** What the code learns of, or what changes what a step waits for: all other events are said by the run, or noted for it. */
function changesRun({ type }: Event): boolean {
  return type !== "UpdateCompleted" && type !== "TimerStarted";
}

// What a row weighs besides its texts, roughly: good enough to bound a batch and the memory of a run.
const ROW_BYTES = 64;

export function sizeOf(record: EventRecord): number {
  return (record.payload?.length ?? 0) + (record.data?.length ?? 0) + ROW_BYTES;
}
