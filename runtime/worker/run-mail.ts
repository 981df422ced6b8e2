// What a live run knows of its mailbox: how far it has read, whether it is reading, and whether what it reads comes before
// its first line.

import type { Event, StepReported, UpdateAccepted } from "../../sdk/protocol/event.ts";
import { actedBy } from "../store/acted-by.ts";
import { type Answer, eventOfAnswer } from "../store/errands.ts";
import type { MailItem } from "../store/mail.ts";
import { updateIdOf } from "../store/mail-id.ts";
import { requestIdOf } from "../store/repair-request.ts";
import { reportIdOf } from "../store/step-report.ts";
import type { CutEvent } from "./cut-waits.ts";
import type { UndecidedMail } from "./outbox.ts";

/** Most mail is events as they are; on an update, a report on a step or a repair request the run has to decide. */
export type ReadMail =
  | { readonly event: Exclude<Extract<Event, { mail: number }>, UpdateAccepted | StepReported | CutEvent> }
  | { readonly undecided: UndecidedMail };

export class RunMail {
  #known: number;
  #requests = 0;
  #isReading = false;
  #isEarly = false;
  #isLeft = false;

  /** `taken`: the position that is in the history already. */
  constructor(taken: number) {
    this.#known = taken;
  }

  /** The newest item that was read. */
  get known(): number {
    return this.#known;
  }

  /** How often mail was announced. */
  get requests(): number {
    return this.#requests;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** The main function has not begun and waits for the signals that are there before its first line. */
  get isEarly(): boolean {
    return this.#isEarly;
  }

  holdFirstLine(): void {
    this.#isEarly = true;
  }

  /** True when there was something to hold. */
  releaseFirstLine(): boolean {
    const wasEarly = this.#isEarly;
    this.#isEarly = false;
    return wasEarly;
  }

  /** There is mail that this owner has left in the mailbox for the next one. */
  get isLeft(): boolean {
    return this.#isLeft;
  }

  leave(): void {
    this.#isLeft = true;
  }

  /** What was read from this item on is still in the mailbox, and will be read again. */
  rewindTo(mail: number): void {
    this.#known = Math.min(this.#known, mail - 1);
  }

  /** This owner goes on after all. */
  stay(): void {
    this.#isLeft = false;
  }

  /** There may be more. True when reading has to begin; false when it is under way and will see it. */
  announce(): boolean {
    this.#requests++;
    const begins = !this.#isReading;
    this.#isReading = true;
    return begins;
  }

  endReading(): void {
    this.#isReading = false;
  }

  /** What is new among `items`, in order. What is decided on is for code that has begun: all that comes after it, too. */
  read(items: readonly MailItem[]): ReadMail[] {
    const news: ReadMail[] = [];
    for (const item of items) {
      if (item.mail <= this.#known) continue;
      this.#known = item.mail;
      news.push(this.#newsOf(item));
    }
    return news;
  }

  #newsOf({ mail, kind, name, mailId, payload }: MailItem): ReadMail {
    switch (kind) {
      case "cancel":
        return { event: { type: "CancelRequested", mail, reason: name, ...actedBy(payload) } };
      case "pause":
        return { event: { type: "RunPaused", mail, reason: name, ...actedBy(payload) } };
      case "resume":
        return { event: { type: "RunResumed", mail, ...actedBy(payload) } };
      case "unblock":
        return { event: { type: "RunUnblocked", mail, kind: name, ...actedBy(payload) } };
      case "adopt":
        return { event: { type: "RunAdopted", mail, by: name } };
      case "move":
        return { event: { type: "RunMoved", mail, version: name === "" ? null : name, ...actedBy(payload) } };
      case "signal":
        return { event: { type: "SignalReceived", name, signalId: mailId, mail, payload, isEarly: this.#isEarly } };
      case "answer":
        return { event: eventOfAnswer(JSON.parse(payload ?? "{}") as Answer, mail) };
      case "update":
        this.#isEarly = false;
        return { undecided: { updateId: updateIdOf(mailId), name, mail, input: payload } };
      case "stepReport":
        this.#isEarly = false;
        return { undecided: { mail, reportId: reportIdOf(mailId), name, report: payload } };
      case "retryNow":
      case "skipSleep":
        this.#isEarly = false;
        return { undecided: { mail, requestId: requestIdOf(mailId), request: kind, waits: payload } };
    }
  }
}

/** Where `items` leave the run paused: the place of the pause that no resume follows; -1 where they do not. */
export function pauseIn(items: readonly MailItem[]): number {
  const last = items.findLastIndex(({ kind }) => kind === "pause" || kind === "resume");
  return items[last]?.kind === "pause" ? last : -1;
}

/** Where `items` give the run to another version than this one, in the end: the place of the last move; -1 where they do not. */
export function moveIn(items: readonly MailItem[], version: string | null): number {
  const last = items.findLastIndex(({ kind }) => kind === "move");
  return last < 0 || items[last]?.name === (version ?? "") ? -1 : last;
}

/** `items` tell a paused run to go on. */
export function isResumedBy(items: readonly MailItem[]): boolean {
  return items.findLast(({ kind }) => kind === "pause" || kind === "resume")?.kind === "resume";
}
