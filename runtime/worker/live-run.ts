// One claimed run in this process: its engine, what its steps and timers are doing, and what it has to append. Decides,
// after each quiet moment of the code, what happens next. Whatever it does rests on committed events: the code may see one
// event before it is committed, and what it says to it goes into the same turn, but nothing is done about it until then.

import { invariant } from "../../sdk/protocol/errors.ts";
import { type Event, type HistoryEvent, placedAt } from "../../sdk/protocol/event.ts";
import type { EventRecord } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { Outcome } from "../replay/outcome.ts";
import type { Claim, ClaimedRun, LoadedHistory } from "../store/claims.ts";
import type { MailItem } from "../store/mail.ts";
import { blockedReasonOf } from "./blocked-reason.ts";
import type { Committing } from "./committing.ts";
import { cutWaits } from "./cut-waits.ts";
import { judgeReport, judgeUpdate } from "./mail-decisions.ts";
import { Outbox, type Outgoing, type SentTurn, type UndecidedMail } from "./outbox.ts";
import { RunCommands } from "./run-commands.ts";
import { endOf } from "./run-end.ts";
import type { RunHost } from "./run-host.ts";
import { isResumedBy, moveIn, pauseIn, RunMail } from "./run-mail.ts";
import { none, withOneMore } from "./short-list.ts";
import { readHistory, unreadable } from "./stored-history.ts";
import { type DrawnRetry, drawnRetry } from "./succession.ts";

const MAX_EVENTS_PER_TURN = 1_000;
/** What is decided by the run alone, whatever else comes: mail waits for its place in the history. */
const SEEN_AHEAD: ReadonlySet<Event["type"]> = new Set(["StepCompleted", "StepFailed", "TimerFired"]);

export class LiveRun implements Committing {
  readonly runId: string;
  readonly claim: Claim;
  readonly facts: ClaimedRun;
  readonly engine: RunEngine;
  readonly #host: RunHost;
  readonly #outbox = new Outbox();
  readonly #commands: RunCommands;
  readonly #mail: RunMail;
  #exclusive: (() => void)[] = none();
  #events = 0;
  #takenMail: number;
  #isOpen = false;
  #isMailAnnounced = false;
  #isTurnSent = false;
  #isBusyWithCode = true;
  #isLive = false;
  #restored: LoadedHistory["heartbeats"] = none();
  /** What the claim has appended, until the code sees it. */
  #fired: HistoryEvent | undefined;
  #isClosing = false;
  // Drawn once, when the code has failed and may be tried again. Null: there is no time left for that.
  #drawnRetry: DrawnRetry | null | undefined;
  #isOurs = true;
  // Handing over because the run is paused: it may be told to go on while its last steps are under way.
  #isPausing = false;
  // Handing over because the run is of another version now: what this code comes to from here on is not said any more.
  #isMoving = false;
  #isFrozen = false;
  /** The event that the code has seen and that is not committed; it is the first that is. When it happened is decided. */
  #seen: Event | undefined;
  #seenAt = 0;
  #saysSeenAlone = false;
  #lastAt = 0;
  #bytes = 0;

  constructor(facts: ClaimedRun, engine: RunEngine, host: RunHost) {
    this.runId = facts.runId;
    this.claim = { runId: facts.runId, epoch: facts.epoch, claimId: facts.claimId };
    this.facts = facts;
    this.engine = engine;
    this.#host = host;
    this.#takenMail = facts.takenMail;
    this.#commands = new RunCommands(this, host, this.#outbox);
    this.#mail = new RunMail(facts.takenMail);
  }

  // ---------------------------------------------------------------- state, for those who look after many runs

  get isOurs(): boolean {
    return this.#isOurs;
  }

  /** Nobody had it before, and nothing has come of it. */
  get isNew(): boolean {
    return this.facts.epoch === 1 && this.facts.events === 1;
  }

  /** Roughly what the run keeps in memory, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Only step bodies are under way: nothing that is on its way to the store would tell that the run is lost. */
  get onlyWaitsForSteps(): boolean {
    return (
      this.#isOurs && this.#isLive && this.#commands.stepsUnderWay > 0 && !this.#isTurnSent && this.#outbox.size === 0
    );
  }

  get head(): { readonly events: number; readonly takenMail: number } {
    return { events: this.#events, takenMail: this.#takenMail };
  }

  /** The code is quiet, at a state that the committed history leads to: queries may be asked. */
  get isReadable(): boolean {
    return this.#isOurs && this.#isLive && !this.#isBusyWithCode && !this.#commands.hasOpenMarks && !this.isAhead;
  }

  /** Nothing to append, nothing under way: the run only waits on what the store can wake it for. */
  get isQuiet(): boolean {
    return (
      this.#isOurs &&
      this.#isLive &&
      !this.#isBusyWithCode &&
      !this.#isFrozen &&
      !this.#isTurnSent &&
      !this.#isClosing &&
      !this.#mail.isReading &&
      this.#outbox.size === 0 &&
      this.#commands.stepsUnderWay === 0 &&
      this.#exclusive.length === 0
    );
  }

  /** The code is ahead of the committed history: what it asks for is not begun. */
  get isAhead(): boolean {
    return this.#seen !== undefined;
  }

  /** When the earliest timer or retry of this run is due, by the store's clock. */
  get nextDueAt(): number | null {
    return this.#commands.nextDueAt;
  }

  get nextWaking(): RunCommands["nextWaking"] {
    return this.#commands.nextWaking;
  }

  // ---------------------------------------------------------------- beginning

  /** Replays the loaded history and goes on from there. */
  open(history: LoadedHistory): void {
    const read = readHistory(this.facts.workflowId, history);
    if ("blocked" in read) return this.#host.block(this, read.blocked);
    const { events, bytes } = read;
    this.#grow(bytes);
    this.#isOpen = true;
    this.#events = events.length;
    this.#lastAt = events.at(-1)?.at ?? 0;
    this.#restored = history.heartbeats;
    // Nobody's code has seen this run: what ours does with it is new from the first line.
    if (this.isNew) this.engine.goLive();
    const isUntouched = !events.some((event) => this.engine.mustBeginBefore(event));
    const hasMail = this.facts.newestMail > this.facts.takenMail || this.#isMailAnnounced;
    // Signals that are there before the first line are delivered before it: the main function waits for them.
    if (isUntouched && hasMail) this.#mail.holdFirstLine();
    // No code has seen that the timer fired: it is shown to the code once that is where its last owner left it.
    if (this.facts.hasFired) this.#fired = firedTimer(events);
    this.#host.feed(this, this.#fired === undefined ? events : events.slice(0, -1), !this.#mail.isEarly);
    if (hasMail) this.wantMail();
  }

  /** True when the run is blocked by a payload that it cannot read. */
  #isBlockedBy(payload: Payload, where: string): boolean {
    const blocked = unreadable(payload, this.facts.workflowId, where);
    if (blocked !== undefined) this.#host.block(this, blocked);
    return blocked !== undefined;
  }

  // ---------------------------------------------------------------- after each quiet moment of the code

  /** Called by the worker when the code is quiet. Bound once, because it is handed on for every event. */
  readonly quieted = (): void => this.#quieted();

  #quieted(): void {
    if (!this.#isOurs) return;
    this.#isBusyWithCode = false;
    const { broken } = this.engine;
    // What comes after a fired timer is fed after it.
    if (this.#isMoving && (this.#fired === undefined || broken !== undefined)) return this.#lookAround();
    // What a step came to is kept, whatever the code makes of it.
    if (broken !== undefined && this.isAhead) return this.#lookAround();
    if (broken !== undefined) return this.#host.block(this, blockedReasonOf(broken));
    if (!this.engine.hasBegun) return this.#lookAround();
    if (this.#fired !== undefined) return this.#showFired(this.#fired);
    this.#commands.mark();
    this.#commands.beginHeld();
    if (this.#isLive) this.#commands.followChanges();
    else this.#goLive();
    for (const ended of this.engine.takeEndedUpdates()) this.#push({ type: "UpdateCompleted", ...ended });
    this.#commands.letLocksGo();
    this.#commands.arm();
    this.#lookAround();
  }

  #goLive(): void {
    this.#isLive = true;
    this.engine.goLive();
    this.engine.takeChanges();
    for (const { command, attempt, details } of this.#restored) this.engine.restoreHeartbeat(command, attempt, details);
    this.#restored = none();
    for (const entry of this.engine.data.entries) this.#push(entry);
    this.#commands.takeUpAll();
  }

  /** The code is where its last owner left it. What it does with this event is new. */
  #showFired(fired: HistoryEvent): void {
    this.#fired = undefined;
    this.engine.goLive();
    this.#feed([fired]);
  }

  // ---------------------------------------------------------------- steps

  /** A step ended for good, or an attempt of it failed. */
  stepEnded(command: number, event: Event): void {
    if (!this.#commands.left(command) || !this.#isOurs) return;
    this.#commands.push(event);
    this.#lookAround();
  }

  /** A step stopped because its worker stops: it is made again elsewhere, as the attempt it was. */
  stepHandedOver(command: number): void {
    if (this.#commands.left(command) && this.#isOurs) this.#lookAround();
  }

  /** A transaction step committed its own turn. */
  stepCommitted(command: number, sent: SentTurn, at: number): void {
    this.#commands.left(command);
    if (this.#isOurs) this.committed(sent, at);
  }

  /** Resolves when no turn of this run is on its way, and keeps others from being sent until `leaveExclusive`. */
  async enterExclusive(): Promise<void> {
    if (this.#isTurnSent || this.isAhead) {
      await new Promise<void>((resolve) => {
        this.#exclusive = withOneMore(this.#exclusive, resolve);
      });
    }
    this.#isTurnSent = true;
  }

  leaveExclusive(): void {
    this.#turnSettled();
  }

  // ---------------------------------------------------------------- mail

  /** There may be mail beyond what this run has seen. */
  wantMail(): void {
    if (!this.#isOurs || this.#isContinuing) return;
    // What comes before the history is read is looked for then: it may belong before the first line.
    if (!this.#isOpen) {
      this.#isMailAnnounced = true;
      return;
    }
    if (!this.#mail.announce()) return;
    this.#host.becameBusy(this);
    this.#host.fetchMail(this);
  }

  /** Mail that is stored, for a run that is executed where it was sent. What it does not follow on is read as ever. */
  receive(item: MailItem): void {
    if (this.#isContinuing) return;
    const isNext = item.mail === this.#mail.known + 1;
    if (!this.#isOpen || this.#mail.isReading || this.#commands.isHandingOver || !isNext) return this.wantMail();
    if (this.#isBlockedBy(item.payload, `mail ${item.mail}`)) return;
    this.#takeIn([item]);
  }

  get mail(): { readonly known: number; readonly requests: number } {
    return this.#mail;
  }

  /** Mail was read; true when it should be read again because more was announced meanwhile, or the page was full. */
  mailArrived(items: readonly MailItem[], requestsSeen: number, wasFullPage: boolean): boolean {
    if (this.#isPausing && isResumedBy(items)) this.#carryOn();
    if (this.#commands.isHandingOver) return this.#leaveMail();
    if (this.#isContinuing) {
      this.#mail.endReading();
      this.#lookAround();
      return false;
    }
    for (const { mail, payload } of items) if (this.#isBlockedBy(payload, `mail ${mail}`)) return false;
    const wasEarly = this.#mail.isEarly;
    this.#takeIn(items);
    if (this.#commands.isHandingOver) return this.#leaveMail();
    // What is read after the first page that is not full, or after an update, came later. The commit of the early signals
    // begins the run; without any (an earlier owner took them) nothing else does.
    if (!wasFullPage) this.#mail.releaseFirstLine();
    const begins = wasEarly && !this.#mail.isEarly;
    if (begins && !this.#outbox.canBeTaken && !this.#isTurnSent) this.#feed([]);
    if (this.#isOurs && (wasFullPage || this.#mail.requests > requestsSeen)) return true;
    this.#mail.endReading();
    this.#lookAround();
    return false;
  }

  /** Up to where the run is paused or moved: what comes after that waits for its being resumed, or for its next owner. */
  #takeIn(items: readonly MailItem[]): void {
    const pause = pauseIn(items);
    const move = moveIn(items, this.facts.version);
    const last = pause < 0 || move < 0 ? Math.max(pause, move) : Math.min(pause, move);
    for (const read of this.#mail.read(last < 0 ? items : items.slice(0, last + 1))) {
      if ("event" in read) this.#push(read.event);
      else this.#pushUndecided(read.undecided);
    }
    if (last < 0 || !this.#isOurs) return;
    this.#isPausing = last === pause;
    this.#isMoving = last === move;
    this.#leave();
  }

  /** It waits for all that came before it, and what comes after waits for it: it is decided on in `takeTurn`. */
  #pushUndecided(undecided: UndecidedMail): void {
    this.#host.becameBusy(this);
    this.#withdrawClose();
    this.#outbox.pushUndecided(undecided);
    if (!this.#isBusyWithCode) this.#lookAround();
  }

  /** Another run goes on in the place of this one: the mail that this one has not taken is for that one. */
  get #isContinuing(): boolean {
    return this.engine.outcome?.type === "continued" || this.#retry !== null;
  }

  get #retry(): DrawnRetry | null {
    const { retrying } = this.engine;
    if (retrying === undefined) return null;
    if (this.#drawnRetry === undefined) this.#drawnRetry = drawnRetry(retrying, this.facts, this.#host);
    return this.#drawnRetry;
  }

  #leaveMail(): false {
    this.#mail.leave();
    this.#mail.endReading();
    this.#lookAround();
    return false;
  }

  // ---------------------------------------------------------------- committing

  takeTurn(): SentTurn | undefined {
    if (!this.#isOurs || this.#isFrozen || this.#isTurnSent || this.#outbox.size === 0) return undefined;
    // What the code says to what it has seen belongs into the same turn.
    if (this.isAhead && this.#isBusyWithCode) return undefined;
    this.#decideMail();
    if (!this.#isOurs) return undefined;
    if (!this.#outbox.canBeTaken) return undefined;
    this.#isTurnSent = true;
    const at = this.isAhead ? this.#seenAt : null;
    const most = this.isAhead && this.#saysSeenAlone ? 1 : MAX_EVENTS_PER_TURN;
    return this.#outbox.take(this.claim, this.head, this.#host.newTag(), at, most);
  }

  /**
   * Decides on the updates, reports and repair requests that are next. Here and nowhere else: nothing can come between the
   * state that is looked at and the turn that says what was decided, so an update is handled in just the state it was
   * accepted in, a report ends the attempt it is for or none, and a wait ends once.
   */
  #decideMail(): void {
    if (this.#isBusyWithCode || !this.#isLive) return;
    for (let next = this.#outbox.nextUndecided(); next !== undefined; next = this.#outbox.nextUndecided()) {
      invariant(!this.#isContinuing, "mail is not decided on by a run that continues", { runId: this.runId });
      invariant(this.engine.deliveredEvents === this.#events, "mail is decided on by all of the history", {
        runId: this.runId,
      });
      const decision = this.#judge(next);
      if ("blocked" in decision) return this.#host.block(this, decision.blocked);
      if ("events" in decision) for (const event of decision.events) this.#commands.endedByMail(event);
      this.#outbox.decide(next, decision);
    }
  }

  #judge(mail: UndecidedMail): ReturnType<typeof judgeReport> {
    if ("report" in mail) return judgeReport(mail, this.engine, this.#host);
    if ("updateId" in mail) return judgeUpdate(mail, this.engine);
    return { events: cutWaits(mail, (command) => this.#commands.waitingForTime(command)) };
  }

  committed(sent: SentTurn, at: number): void {
    const { turn, events, bytes } = sent;
    this.#takenMail = turn.takenMail;
    this.#grow(bytes);
    this.#host.progressed(this);
    if (turn.effects !== null) this.#host.leftErrands();
    if (turn.close !== null) {
      this.#events += events.length;
      const { type, command, name, payload, data } = turn.events.at(-1) as EventRecord;
      const closing = { seq: this.#events, at, type, command, name, payload, data };
      return this.#host.closed(this, turn.close, closing, turn.effects?.successor ?? null);
    }
    const { runId } = this;
    if (turn.base !== this.#events) invariant(false, "turns are committed in order", { runId, base: turn.base });
    const seen = this.#seen;
    if (seen !== undefined && events[0] !== seen)
      invariant(false, "what the code has seen is committed first", { runId });
    this.#seen = undefined;
    this.#lastAt = at;
    let unseen: HistoryEvent[] = none();
    let hasAnswers = turn.refusals.length > 0;
    for (const event of events) {
      this.#events++;
      if (event !== seen) unseen = withOneMore(unseen, placedAt(event, this.#events, at));
      this.#commands.noteCommitted(event);
      if (event.type === "UpdateAccepted" || event.type === "UpdateCompleted") hasAnswers = true;
    }
    if (hasAnswers) this.#host.answered(this);
    if (events.length > 0) this.#goOn(unseen);
    this.#turnSettled();
  }

  /** With the events that the code has not seen; where there are none it has said what it says already. */
  #goOn(unseen: readonly HistoryEvent[]): void {
    if (unseen.length > 0) return this.#feed(unseen);
    const { broken } = this.engine;
    if (broken !== undefined) return this.#host.block(this, blockedReasonOf(broken));
    this.#commands.beginHeld();
    this.#commands.arm();
  }

  mailBeforeClose(sent: SentTurn): void {
    this.#isClosing = false;
    this.#outbox.putBack(sent);
    this.wantMail();
    this.#turnSettled();
  }

  lost(): void {
    this.#host.forget(this, "another worker owns it, or it was closed");
  }

  giveBack(why: string): void {
    if (this.#isOurs) this.#host.giveBack(this, why);
  }

  rejected(error: Error, sent: SentTurn): void {
    // It may be for what the code said to what it had seen: that a step has ended is kept all the same.
    if (this.isAhead && sent.events.length > 1) {
      this.#isClosing = false;
      this.#saysSeenAlone = true;
      this.#outbox.putBack(sent);
      return this.#turnSettled();
    }
    const message = `Run ${this.facts.workflowId}: what it had to append was rejected (${error.message}).`;
    this.#host.block(this, { kind: "unreadablePayload", message });
  }

  #grow(bytes: number): void {
    this.#bytes += bytes;
    this.#host.grew(bytes);
  }

  #feed(events: readonly HistoryEvent[]): void {
    this.#isBusyWithCode = true;
    this.#host.becameBusy(this);
    // Not before all early signals are committed: at replay they all come before the first line.
    this.#host.feed(this, events, !this.#mail.isEarly);
  }

  #turnSettled(): void {
    // What the code has seen has the next place in the history.
    if (!this.isAhead && this.#exclusive.length > 0) return this.#exclusive.shift()?.();
    this.#isTurnSent = false;
    this.#lookAround();
  }

  #push(event: Event): void {
    this.say({ event });
  }

  /** Has an event appended to the history. */
  say(outgoing: Outgoing): void {
    this.#host.becameBusy(this);
    this.#withdrawClose();
    this.#outbox.push(outgoing);
    if (!this.#isBusyWithCode) this.#lookAround();
  }

  /** An end that is not on its way yet comes after what is pushed now, or not at all. */
  #withdrawClose(): void {
    if (this.#isClosing && this.#outbox.withdrawClose()) this.#isClosing = false;
  }

  #close(outcome: Outcome): void {
    // A run that goes on as another may have to stay as it is for long, when it is paused: it says what it has seen before.
    const seen = this.isAhead && !this.#isContinuing && !this.#saysSeenAlone ? 1 : 0;
    if (this.#mail.isLeft || this.#isClosing || this.#outbox.size > seen || this.#isTurnSent || this.#mail.isReading)
      return;
    invariant(this.engine.deliveredEvents === this.#events + seen, "a run ends knowing all of its history", {
      runId: this.runId,
    });
    this.#isClosing = true;
    this.#outbox.push(endOf(outcome, this.#retry, this, this.#host));
  }

  /** Nothing happens by itself from here: say what there is to send, or that there is nothing. */
  #lookAround(): void {
    if (!this.#isOurs || this.#isFrozen || this.#isBusyWithCode) return;
    const { outcome } = this.engine;
    // Updates are never decided on by code that goes on as another run: with all that came after them, they pass to it.
    if (this.#isContinuing) this.#outbox.leaveUndecided();
    if (outcome !== undefined) this.#close(outcome);
    if (this.#outbox.size > 0 && !this.#isTurnSent) return this.#seeAhead() ? undefined : this.#host.submit(this);
    if (this.isQuiet || this.canBeReleased) this.#host.becameQuiet(this);
  }

  /**
   * Shows the code the one event that there is to append, at a time that is decided here. True when it did: the run is
   * submitted when the code is quiet.
   */
  #seeAhead(): boolean {
    const outgoing = this.#outbox.only;
    if (outgoing === undefined || this.isAhead || !SEEN_AHEAD.has(outgoing.event.type)) return false;
    if (!this.#isLive || this.engine.outcome !== undefined) return false;
    // Its worker died before it came any further, maybe of what the code does next: what the step came to is kept first.
    if (this.facts.crashCount > 1) return false;
    if (this.#commands.isHandingOver || this.#commands.hasOpenMarks) return false;
    const now = Math.max(Math.floor(this.#host.storeNow()), outgoing.notBefore ?? 0);
    // The store's clock was set back: the commit has the time that there is.
    if (!Number.isFinite(now) || now < this.#lastAt) return false;
    this.#seen = outgoing.event;
    this.#seenAt = now;
    this.#feed([placedAt(outgoing.event, this.#events + 1, this.#seenAt)]);
    return true;
  }

  // ---------------------------------------------------------------- leaving

  /** Sends nothing until `thaw`, so that the run can be parked as it is. False when it is not quiet. */
  freeze(): boolean {
    if (!this.isQuiet) return false;
    this.#isFrozen = true;
    this.#commands.hold();
    return true;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#commands.release();
    this.#lookAround();
  }

  /**
   * From here on nothing new begins: what is under way is finished, committed and shown to the code, so that the run is
   * left with what its code says to it, be that its end or the mark of a patch. Then it may be released.
   */
  handOver(): void {
    this.#isPausing = false;
    this.#leave();
  }

  /** What it lets go for. */
  get whyLeaving(): string {
    if (this.#isMoving) return "it is of another version now";
    return this.#isPausing ? "it is paused" : "this worker stops";
  }

  #leave(): void {
    this.#commands.handOver();
    const left = this.#outbox.leaveUndecided();
    if (left !== null) this.#mail.rewindTo(left);
    // A run that stands still does not end either: what its code comes to is found again, and said, once it goes on. How a run
    // ends that was moved is for the other code to say.
    if (left !== null || this.#isPausing || this.#isMoving) this.#mail.leave();
  }

  /** Resumed before it was let go of. */
  #carryOn(): void {
    this.#isPausing = false;
    this.#mail.stay();
    this.#commands.carryOn();
    if (!this.#isBusyWithCode && this.#isLive) this.#commands.arm();
  }

  get canBeReleased(): boolean {
    const isAtRest = !this.#isBusyWithCode && !this.#isTurnSent && this.#outbox.size === 0;
    return this.#commands.isHandingOver && isAtRest && this.#commands.stepsUnderWay === 0;
  }

  /** Tells steps under way to stop; they are waited for. */
  abortSteps(reason: Error): void {
    this.#commands.abort(reason);
  }

  /** Forgets everything at once: the right to write is gone or was given back. */
  drop(explain: () => Error): void {
    this.#isOurs = false;
    this.#commands.drop(explain);
    const entering = this.#exclusive;
    this.#exclusive = none();
    for (const enter of entering) enter();
  }
}

function firedTimer(events: readonly HistoryEvent[]): HistoryEvent | undefined {
  const last = events.at(-1);
  if (last?.type !== "TimerFired") invariant(false, "what a claim appends is that a timer fired", { last: last?.type });
  return last;
}
