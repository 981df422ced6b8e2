// One run's history as the witness has seen it grow, and what each new event must be: the rules of a single history,
// checked at the commit that breaks them. Kept apart from the store: it trusts nothing that the store says twice.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { isClosing } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Probes } from "./probes.ts";

export class Chronicle {
  readonly runId: string;
  readonly events: HistoryEvent[] = [];
  /** Failed attempts by command, and when the next one may begin. */
  readonly failures = new Map<number, { readonly attempts: number; readonly nextAt: number }>();
  readonly #stored: StoredEvent[] = [];
  /** Which event ended a step or a timer, by command. */
  readonly outcomes = new Map<number, number>();
  /** Which event tells that an attempt has handed off, by "command/attempt". */
  readonly handOffs = new Map<string, number>();
  readonly #dueAt = new Map<number, number>();
  readonly #signalIds = new Set<string>();
  readonly #probes: Probes;
  readonly #refused: Set<number>;
  readonly #told = new Set<string>();
  readonly #updates = new Map<string, "accepted" | "completed">();
  #mail = 0;

  /** `refused`: mail that the events which a fork shares have passed over. */
  constructor(runId: string, probes: Probes, refused: readonly number[] = []) {
    this.runId = runId;
    this.#probes = probes;
    this.#refused = new Set(refused);
  }

  /** Mail that was refused by the time of this event. */
  refusedBy(seq: number): number[] {
    const taken = Math.max(0, ...this.events.slice(0, seq).map(mailOf));
    return [...this.#refused].filter((mail) => mail < taken);
  }

  /** The mail that an event tells of; none is 0. */
  mailOf(seq: number): number {
    const event = this.events[seq - 1];
    return event === undefined ? 0 : mailOf(event);
  }

  get length(): number {
    return this.events.length;
  }

  get closing(): HistoryEvent | undefined {
    const last = this.events.at(-1);
    return last !== undefined && isClosing(last) ? last : undefined;
  }

  /** This mail is a refused update: no event tells of it. */
  refuse(mail: number): void {
    this.#refused.add(mail);
    this.#probes.hit("update: refused");
  }

  /** Takes the whole history as it is now. Answers the new events, and says what is wrong with them. */
  absorb(stored: readonly StoredEvent[], complain: (what: string) => void): HistoryEvent[] {
    if (stored.length < this.#stored.length) complain(`lost events: ${stored.length} after ${this.#stored.length}`);
    this.#stored.forEach((event, index) => {
      if (stored[index] !== event) complain(`event ${event.seq} changed after it was committed`);
    });
    const fresh = stored.slice(this.#stored.length).map((record) => this.#take(record, complain));
    return fresh.filter((event): event is HistoryEvent => event !== undefined);
  }

  #take(record: StoredEvent, complain: (what: string) => void): HistoryEvent | undefined {
    const event = fromRecord(record);
    const last = this.events.at(-1);
    this.#stored.push(record);
    if (event === undefined) {
      complain(`event ${record.seq} is of unknown type ${record.type}`);
      return undefined;
    }
    if (event.seq !== this.events.length + 1) complain(`event ${event.seq} follows event ${this.events.length}`);
    if (last !== undefined && isClosing(last)) complain(`${event.type} follows the end, ${last.type}`);
    if (last !== undefined && event.at < last.at) complain(`event ${event.seq} is before the one before it`);
    if ((event.type === "RunStarted") !== (event.seq === 1)) complain(`${event.type} is event ${event.seq}`);
    this.#check(event, complain);
    this.events.push(event);
    return event;
  }

  #check(event: HistoryEvent, complain: (what: string) => void): void {
    switch (event.type) {
      case "StepAttemptFailed": {
        const before = this.failures.get(event.command)?.attempts ?? 0;
        if (this.outcomes.has(event.command)) complain(`an attempt of ${event.name} failed after the step had ended`);
        if (event.attempt !== before + 1) complain(`attempt ${event.attempt} of ${event.name} after ${before} failed`);
        this.failures.set(event.command, { attempts: event.attempt, nextAt: event.at + event.delayMs });
        this.#probes.hit("step: attempt failed, tried again");
        return this.#checkReport(event, complain);
      }
      case "StepCompleted":
      case "StepFailed": {
        const before = this.failures.get(event.command)?.attempts ?? 0;
        if (this.outcomes.has(event.command)) complain(`the outcome of ${event.name} is recorded twice`);
        this.outcomes.set(event.command, event.seq);
        // A canceled step may end between two attempts: with the one that failed last.
        const isAttempt = event.attempt === before + 1 || (event.type === "StepFailed" && event.attempt === before);
        if (!isAttempt) complain(`${event.name} ended with attempt ${event.attempt} after ${before} failed`);
        if (event.type === "StepFailed") this.#probes.hit("step: failed for good");
        return this.#checkReport(event, complain);
      }
      case "StepDeferred": {
        const before = this.failures.get(event.command)?.attempts ?? 0;
        const which = `${event.command}/${event.attempt}`;
        if (this.outcomes.has(event.command)) complain(`${event.name} hands off after it had ended`);
        if (this.handOffs.has(which)) complain(`attempt ${event.attempt} of ${event.name} hands off twice`);
        if (event.attempt !== before + 1)
          complain(`attempt ${event.attempt} of ${event.name} hands off after ${before} failed`);
        this.handOffs.set(which, event.seq);
        this.#probes.hit("step: handed off");
        return;
      }
      case "StepReported":
        this.#probes.hit(`step: report ${event.report === "ignored" ? "ignored" : "of life"}`);
        return this.#checkMail(event.mail, complain);
      case "StepRetried": {
        const { attempts = 0, nextAt = 0 } = this.failures.get(event.command) ?? {};
        if (this.outcomes.has(event.command)) complain(`${event.name} is retried after it had ended`);
        if (event.attempt !== attempts + 1)
          complain(`attempt ${event.attempt} of ${event.name} after ${attempts} failed`);
        this.failures.set(event.command, { attempts, nextAt: Math.min(nextAt, event.at) });
        this.#probes.hit("repair: step retried");
        return this.#checkRequest(event.mail, complain);
      }
      case "RequestIgnored":
        this.#probes.hit("repair: came too late");
        return this.#checkRequest(event.mail, complain);
      case "TimerStarted":
        if (this.#dueAt.has(event.command)) complain(`timer ${event.name} (${event.command}) is started twice`);
        this.#dueAt.set(event.command, "atMs" in event.due ? event.due.atMs : event.at + event.due.afterMs);
        return;
      case "TimerSkipped":
        if (!this.#dueAt.has(event.command)) complain(`timer ${event.name} (${event.command}) skipped without a start`);
        if (this.outcomes.has(event.command)) complain(`timer ${event.name} (${event.command}) skipped after its end`);
        this.outcomes.set(event.command, event.seq);
        this.#probes.hit("repair: timer skipped");
        return this.#checkRequest(event.mail, complain);
      case "TimerFired": {
        const dueAt = this.#dueAt.get(event.command);
        if (dueAt === undefined) complain(`timer ${event.name} (${event.command}) fired without a start`);
        else if (event.at < dueAt) complain(`timer ${event.name} fired ${dueAt - event.at} ms early`);
        if (this.outcomes.has(event.command)) complain(`timer ${event.name} (${event.command}) fired twice`);
        this.outcomes.set(event.command, event.seq);
        return;
      }
      case "SignalReceived":
        if (this.#signalIds.has(event.signalId)) complain(`signal ${event.signalId} is delivered twice`);
        this.#signalIds.add(event.signalId);
        if (event.isEarly) this.#probes.hit("signal: before the first line");
        return this.#checkMail(event.mail, complain);
      case "UpdateAccepted":
        if (this.#updates.has(event.updateId)) complain(`update ${event.updateId} is accepted twice`);
        this.#updates.set(event.updateId, "accepted");
        return this.#checkMail(event.mail, complain);
      case "UpdateCompleted":
        if (this.#updates.get(event.updateId) !== "accepted") complain(`update ${event.updateId} ends out of turn`);
        this.#updates.set(event.updateId, "completed");
        return;
      case "ChildStarted":
      case "ChildStartFailed":
      case "ChildEnded": {
        const what = `${event.type === "ChildEnded" ? "end" : "start"} of child ${event.command}`;
        if (this.#told.has(what)) complain(`the ${what} is told twice`);
        this.#told.add(what);
        this.#probes.hit(`child: ${event.type}`);
        return this.#checkMail(event.mail, complain);
      }
      case "RunForked":
        // It asks again for what was to be completed from outside, and may not count failed attempts, or start a child anew.
        this.handOffs.clear();
        if (event.retried !== null) {
          this.failures.delete(event.retried);
          for (const what of ["start", "end"]) this.#told.delete(`${what} of child ${event.retried}`);
        }
        this.#probes.hit(event.isEdited ? "fork: with another result" : "fork: as it was");
        return;
      case "RunContinued":
        this.#probes.hit(event.retry === undefined ? "run: continued" : "run: tried again");
        return;
      case "ExternalDelivered":
      case "ExternalFailed":
      case "RunAdopted":
      case "RunMoved":
        this.#probes.hit("run: moved");
        return this.#checkMail(event.mail, complain);
      case "RunPaused":
      case "RunResumed":
      case "RunUnblocked":
      case "CancelRequested":
      case "LockGranted":
        return this.#checkMail(event.mail, complain);
      case "RunCompleted":
      case "RunFailed":
      case "RunCanceled":
        if (event.unread.length > 0) this.#probes.hit("close: with unread signals");
    }
  }

  /** An attempt that was ended from outside. */
  #checkReport({ mail }: { readonly mail?: number }, complain: (what: string) => void): void {
    if (mail === undefined) return;
    this.#probes.hit("step: ended from outside");
    this.#checkMail(mail, complain);
  }

  /** One request may end several waits: an event for each, one after the other. */
  #checkRequest(mail: number, complain: (what: string) => void): void {
    const last = this.events.at(-1);
    const isMore =
      last !== undefined && (last.type === "StepRetried" || last.type === "TimerSkipped") && last.mail === mail;
    if (!isMore) this.#checkMail(mail, complain);
  }

  #checkMail(mail: number, complain: (what: string) => void): void {
    if (this.#refused.has(mail)) complain(`mail ${mail} was refused and is taken`);
    while (this.#refused.has(this.#mail + 1)) this.#mail++;
    if (mail !== this.#mail + 1) complain(`mail ${mail} is taken after mail ${this.#mail}`);
    this.#mail = mail;
  }
}

function mailOf(event: HistoryEvent): number {
  return "mail" in event ? (event.mail ?? 0) : 0;
}
