// One claimed run in this process: its engine, what its steps and timers are doing, and what it has to append. Decides,
// after each quiet moment of the code, what happens next. It learns of nothing but through committed events.

import { invariant, isEverstepError } from "../../sdk/protocol/errors.ts";
import {
  type Event,
  type HistoryEvent,
  placedAt,
  type StepAttemptFailed,
  type StepCompleted,
  type StepDeferred,
  type StepFailed,
  type StepReported,
  type TimerFired,
  type TimerStarted,
} from "../../sdk/protocol/event.ts";
import { type EventRecord, fromRecord, type StoredEvent, toRecord } from "../../sdk/protocol/event-record.ts";
import { CanceledFailure, TerminatedFailure, toFailure } from "../../sdk/protocol/failures.ts";
import { NO_HEADERS } from "../../sdk/protocol/headers.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { whyUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import type { BlockedReason, ClosedStatus } from "../../sdk/protocol/run.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { Outcome } from "../replay/outcome.ts";
import type { PendingChild, PendingCommand, PendingMessage, PendingStep, PendingTimer } from "../replay/pending.ts";
import { decodeReport, type StepReport } from "../store/step-report.ts";
import type { Claim, ClaimedRun, LoadedHistory, MailItem, Successor } from "../store/store.ts";
import type { Chance } from "../world/world.ts";
import { blockedReasonOf } from "./blocked-reason.ts";
import type { Committing } from "./committer.ts";
import { heard, limitOf, type ReportMail, timedOut } from "./deferred-step.ts";
import {
  type Decision,
  Outbox,
  type Outgoing,
  type SentTurn,
  sizeOf,
  type UndecidedMail,
  type UndecidedUpdate,
} from "./outbox.ts";
import { requestOf } from "./requests.ts";
import { isResumedBy, pauseIn, RunMail } from "./run-mail.ts";
import { RunTimers, type TimerHost } from "./run-timers.ts";
import type { StepExecution } from "./step-execution.ts";

/** What a live run asks of the worker around it. */
export interface RunHost extends TimerHost {
  newTag(): string;
  /** Later in the order of ids than `after`. */
  newRunId(after?: string): string;
  newSeed(): string;
  readonly chance: Chance;
  /** By the store's clock, never ahead of it. */
  storeNow(): number;
  /** The run has something to append. */
  submit(run: LiveRun): void;
  /** Delivers to the engine; `onQuiet` once the code is quiet. */
  feed(run: LiveRun, events: readonly HistoryEvent[], begins: boolean): void;
  execute(run: LiveRun, pending: PendingStep): StepExecution;
  fetchMail(run: LiveRun): void;
  /** The run keeps this much more in memory. */
  grew(bytes: number): void;
  becameQuiet(run: LiveRun): void;
  becameBusy(run: LiveRun): void;
  /** Something is due to other runs by what was just committed. */
  leftErrands(): void;
  /** A turn of the run is committed: whatever is wrong with it, it does not end its workers. */
  progressed(run: LiveRun): void;
  /** Senders of updates can learn what has become of theirs. */
  answered(run: LiveRun): void;
  /** The run's last event is committed; `successor` goes on in its place. */
  closed(run: LiveRun, status: ClosedStatus, event: StoredEvent, successor: Successor | null): void;
  /** Cannot go on: set aside with the reason. */
  block(run: LiveRun, reason: BlockedReason): void;
  /** Cannot be carried on here: forget it and make it claimable. */
  giveBack(run: LiveRun, why: string): void;
  /** No longer ours: forget it. */
  forget(run: LiveRun, why: string): void;
}

const MAX_EVENTS_PER_TURN = 1_000;

export class LiveRun implements Committing {
  readonly runId: string;
  readonly claim: Claim;
  readonly facts: ClaimedRun;
  readonly engine: RunEngine;
  readonly #host: RunHost;
  readonly #outbox = new Outbox();
  readonly #steps = new Map<number, StepExecution>();
  readonly #timers: RunTimers;
  readonly #mail: RunMail;
  /** Commands of which something is decided and not yet committed: nothing more may be decided until then. */
  readonly #decided = new Set<number>();
  readonly #exclusive: (() => void)[] = [];
  #events = 0;
  #takenMail: number;
  #isOpen = false;
  #isMailAnnounced = false;
  #isTurnSent = false;
  #isBusyWithCode = true;
  #isLive = false;
  #restored: LoadedHistory["heartbeats"] = [];
  // Timers and retries become due only by what is committed: their start, or the failed attempt before.
  #toArm: number[] = [];
  // A patch is decided when its mark is committed. Until then nothing that may hang on it has begun, and nobody is told of
  // it: whoever claims the run instead may go the other way.
  #openMarks = 0;
  #held: number[] = [];
  #isClosing = false;
  #isOurs = true;
  #isHandingOver = false;
  // Handing over because the run is paused: it may be told to go on while its last steps are under way.
  #isPausing = false;
  #mustArmAll = false;
  #isFrozen = false;
  #bytes = 0;

  constructor(facts: ClaimedRun, engine: RunEngine, host: RunHost) {
    this.runId = facts.runId;
    this.claim = { runId: facts.runId, epoch: facts.epoch, claimId: facts.claimId };
    this.facts = facts;
    this.engine = engine;
    this.#host = host;
    this.#takenMail = facts.takenMail;
    this.#timers = new RunTimers(host);
    this.#mail = new RunMail(facts.takenMail);
  }

  // ---------------------------------------------------------------- state, for those who look after many runs

  get isOurs(): boolean {
    return this.#isOurs;
  }

  /** Roughly what the run keeps in memory, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Only step bodies are under way: nothing that is on its way to the store would tell that the run is lost. */
  get onlyWaitsForSteps(): boolean {
    return this.#isOurs && this.#isLive && this.#steps.size > 0 && !this.#isTurnSent && this.#outbox.size === 0;
  }

  get head(): { readonly events: number; readonly takenMail: number } {
    return { events: this.#events, takenMail: this.#takenMail };
  }

  /** The code is quiet, at a state that the committed history leads to: queries may be asked. */
  get isReadable(): boolean {
    return this.#isOurs && this.#isLive && !this.#isBusyWithCode && this.#openMarks === 0;
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
      this.#steps.size === 0 &&
      this.#exclusive.length === 0
    );
  }

  /** When the earliest timer or retry of this run is due, by the store's clock. */
  get nextDueAt(): number | null {
    return this.#timers.nextDueAt;
  }

  // ---------------------------------------------------------------- beginning

  /** Replays the loaded history and goes on from there. */
  open(history: LoadedHistory): void {
    const events = this.#read(history);
    if (events === undefined) return;
    this.#isOpen = true;
    this.#events = events.length;
    this.#restored = history.heartbeats;
    // Nobody's code has seen this run: what ours does with it is new from the first line.
    if (this.facts.opening !== null) this.engine.goLive();
    const isUntouched = !events.some((event) => this.engine.mustBeginBefore(event));
    const hasMail = this.facts.newestMail > this.facts.takenMail || this.#isMailAnnounced;
    // Signals that are there before the first line are delivered before it: the main function waits for them.
    if (isUntouched && hasMail) this.#mail.holdFirstLine();
    this.#host.feed(this, events, !this.#mail.isEarly);
    if (hasMail) this.wantMail();
  }

  #read({ events: stored, heartbeats }: LoadedHistory): HistoryEvent[] | undefined {
    const events: HistoryEvent[] = [];
    for (const { details } of heartbeats) if (this.#isBlockedBy(details, "a heartbeat")) return undefined;
    for (const record of stored) {
      if (this.#isBlockedBy(record.payload, `event ${record.seq}`)) return undefined;
      const event = fromRecord(record);
      if (event === undefined) {
        const message = `Run ${this.facts.workflowId} has an event of a type (${record.type}, seq ${record.seq}) that this release does not know. Deploy the release that wrote it, or a newer one.`;
        this.#host.block(this, { kind: "divergence", message });
        return undefined;
      }
      if (event.type === "StepAttemptFailed" && this.#isBlockedBy(event.heartbeat, `event ${event.seq}`))
        return undefined;
      this.#grow(sizeOf(record));
      events.push(event);
    }
    return events;
  }

  /** A payload that is no value here blocks the run, wherever it is: nothing may be built on it, and none written of it. */
  #isBlockedBy(payload: Payload, where: string): boolean {
    const why = whyUnreadable(payload);
    if (why === undefined) return false;
    const message = `Run ${this.facts.workflowId}, ${where}: ${why}`;
    this.#host.block(this, { kind: "unreadablePayload", message });
    return true;
  }

  // ---------------------------------------------------------------- after each quiet moment of the code

  /** Called by the worker when the code is quiet. Bound once, because it is handed on for every event. */
  readonly quieted = (): void => this.#quieted();

  #quieted(): void {
    if (!this.#isOurs) return;
    this.#isBusyWithCode = false;
    const { broken } = this.engine;
    if (broken !== undefined) return this.#host.block(this, blockedReasonOf(broken));
    if (!this.engine.hasBegun) return this.#lookAround();
    this.#mark();
    if (this.#isLive) this.#followChanges();
    else this.#goLive();
    for (const ended of this.engine.takeEndedUpdates()) this.#push({ type: "UpdateCompleted", ...ended });
    this.#arm();
    this.#lookAround();
  }

  #mark(): void {
    for (const mark of this.engine.takeMarks()) {
      this.#openMarks++;
      this.#push(mark);
    }
  }

  #goLive(): void {
    this.#isLive = true;
    this.engine.goLive();
    this.engine.takeChanges();
    for (const { command, attempt, details } of this.#restored) this.engine.restoreHeartbeat(command, attempt, details);
    this.#restored = [];
    for (const entry of this.engine.data.entries) this.#push(entry);
    for (const pending of this.engine.pendingCommands()) {
      if (pending.kind === "RunStep") this.#takeUp(pending);
      else if (pending.kind !== "StartTimer") this.#request(pending);
      else if (pending.fireAt === null) this.#startTimer(pending);
      else this.#awaitTimer(pending, pending.fireAt);
    }
  }

  #followChanges(): void {
    const changes = this.engine.takeChanges();
    const [only] = changes;
    if (changes.length === 1 && only?.type === "asked") return this.#begin(only.pending);
    const withdrawn = new Set(changes.map((change) => (change.type === "withdrawn" ? change.pending : undefined)));
    for (const change of changes) {
      if (change.type === "entered") {
        this.#push(change.entry);
        continue;
      }
      const { type, pending } = change;
      if (type === "withdrawn") this.#withdraw(pending.command);
      // Told to cancel, and answered by an event of the same turn: there is nothing left to decide.
      else if (withdrawn.has(pending) || this.engine.pendingCommand(pending.command) !== pending) continue;
      else this.#begin(pending);
    }
  }

  #begin(pending: PendingCommand): void {
    if (pending.kind === "RunStep") this.#takeUp(pending);
    else if (pending.kind === "StartTimer") this.#startTimer(pending);
    else this.#request(pending);
  }

  /** Starts a step's next attempt, now or when it is due; or ends it when the run was canceled. */
  #takeUp(pending: PendingStep): void {
    const { command, nextAttemptAt, cancelRequested } = pending;
    const underWay = this.#steps.get(command);
    if (this.#decided.has(command)) return;
    if (cancelRequested !== null) {
      if (underWay !== undefined) return underWay.abort(cancelRequested);
      this.#timers.cancel(command);
      return this.#push(stepFailed(pending, cancelRequested));
    }
    if (underWay !== undefined) return;
    if (pending.deferral !== null) return this.#awaitReport(pending);
    if (nextAttemptAt === null || this.#host.msUntil(nextAttemptAt) === 0) return this.#execute(pending);
    this.#timers.set(command, nextAttemptAt, () => this.#execute(pending));
  }

  #execute(pending: PendingStep): void {
    if (this.#isHandingOver) return;
    if (this.#openMarks > 0) {
      this.#held.push(pending.command);
      return;
    }
    this.#host.becameBusy(this);
    const execution = this.#host.execute(this, pending);
    this.#steps.set(pending.command, execution);
    execution.start();
  }

  /** Its body is not run again: what ends the attempt is mail, or the first of its limits. */
  #awaitReport(pending: PendingStep): void {
    const { command } = pending;
    this.#timers.cancel(command);
    const limit = limitOf(pending);
    if (limit === null) return;
    this.#timers.set(command, limit.atMs, () => {
      this.#push(timedOut(pending, limit.failure(), this.#now()), limit.atMs);
    });
  }

  #now(): { readonly now: number; readonly chance: Chance } {
    return { now: this.#host.storeNow(), chance: this.#host.chance };
  }

  #startTimer(pending: PendingTimer): void {
    this.#push({ type: "TimerStarted", command: pending.command, name: pending.name, due: pending.due });
  }

  /** Asks another run for something; that it was asked for is in the history, and done after that. */
  #request(pending: PendingChild | PendingMessage): void {
    const isRequested = pending.kind === "StartChild" ? pending.childRunId !== null : pending.isRequested;
    if (!isRequested)
      this.#pushOutgoing(requestOf(pending, { ...this.facts, headers: this.engine.headers }, this.#host));
  }

  #awaitTimer(pending: PendingTimer, fireAt: number): void {
    const fired: Event = { type: "TimerFired", command: pending.command, name: pending.name };
    this.#timers.set(pending.command, fireAt, () => this.#push(fired, fireAt));
  }

  #arm(): void {
    if (this.#isHandingOver) return;
    if (this.#mustArmAll) this.#toArm = [...this.engine.pendingCommands()].map(({ command }) => command);
    this.#mustArmAll = false;
    if (this.#toArm.length === 0) return;
    const commands = this.#toArm;
    this.#toArm = [];
    for (const command of commands) {
      const pending = this.engine.pendingCommand(command);
      if (pending === undefined || this.#decided.has(command)) continue;
      const isDeferred = pending.kind === "RunStep" && pending.deferral !== null;
      // A heartbeat moves the limit of an attempt that waits.
      if (this.#timers.has(command) && !isDeferred) continue;
      if (pending.kind === "RunStep") this.#takeUp(pending);
      else if (pending.kind === "StartTimer" && pending.fireAt !== null) this.#awaitTimer(pending, pending.fireAt);
    }
  }

  #withdraw(command: number): void {
    this.#timers.cancel(command);
    this.#outbox.forget(command);
    this.#decided.delete(command);
    const execution = this.#steps.get(command);
    if (execution === undefined) return;
    this.#steps.delete(command);
    const { workflowId } = this.facts;
    const why =
      this.engine.outcome === undefined
        ? new CanceledFailure(`run ${workflowId} no longer waits for this step`)
        : new TerminatedFailure(`run ${workflowId} ended while this step was under way`);
    execution.discard(why);
  }

  // ---------------------------------------------------------------- steps

  /** A step ended for good, or an attempt of it failed. */
  stepEnded(command: number, event: Event): void {
    if (!this.#steps.delete(command) || !this.#isOurs) return;
    this.#push(event);
    this.#lookAround();
  }

  /** A step stopped because its worker stops: it is made again elsewhere, as the attempt it was. */
  stepHandedOver(command: number): void {
    if (this.#steps.delete(command) && this.#isOurs) this.#lookAround();
  }

  /** A transaction step committed its own turn. */
  stepCommitted(command: number, sent: SentTurn, at: number): void {
    this.#steps.delete(command);
    if (this.#isOurs) this.committed(sent, at);
  }

  /** Resolves when no turn of this run is on its way, and keeps others from being sent until `leaveExclusive`. */
  async enterExclusive(): Promise<void> {
    if (this.#isTurnSent) await new Promise<void>((resolve) => this.#exclusive.push(resolve));
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
    if (!this.#isOpen || this.#mail.isReading || this.#isHandingOver || !isNext) return this.wantMail();
    if (this.#isBlockedBy(item.payload, `mail ${item.mail}`)) return;
    this.#takeIn([item]);
  }

  get mail(): { readonly known: number; readonly requests: number } {
    return this.#mail;
  }

  /** Mail was read; true when it should be read again because more was announced meanwhile, or the page was full. */
  mailArrived(items: readonly MailItem[], requestsSeen: number, wasFullPage: boolean): boolean {
    if (this.#isPausing && isResumedBy(items)) this.#carryOn();
    if (this.#isHandingOver) return this.#leaveMail();
    if (this.#isContinuing) {
      this.#mail.endReading();
      this.#lookAround();
      return false;
    }
    for (const { mail, payload } of items) if (this.#isBlockedBy(payload, `mail ${mail}`)) return false;
    const wasEarly = this.#mail.isEarly;
    this.#takeIn(items);
    if (this.#isHandingOver) return this.#leaveMail();
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

  /** Up to where the run is paused: what comes after that waits for its being resumed. */
  #takeIn(items: readonly MailItem[]): void {
    const pause = pauseIn(items);
    for (const read of this.#mail.read(pause < 0 ? items : items.slice(0, pause + 1))) {
      if ("event" in read) this.#push(read.event);
      else this.#pushUndecided(read.undecided);
    }
    if (pause < 0 || !this.#isOurs) return;
    this.#isPausing = true;
    this.#leave();
  }

  /** It waits for all that came before it, and what comes after waits for it: it is decided on in `takeTurn`. */
  #pushUndecided(undecided: UndecidedMail): void {
    this.#host.becameBusy(this);
    this.#withdrawClose();
    this.#outbox.pushUndecided(undecided);
    if (!this.#isBusyWithCode) this.#lookAround();
  }

  /** The code has decided to go on as another run: the mail that this one has not taken is for that one. */
  get #isContinuing(): boolean {
    return this.engine.outcome?.type === "continued";
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
    this.#decideMail();
    if (!this.#isOurs) return undefined;
    if (!this.#outbox.canBeTaken) return undefined;
    this.#isTurnSent = true;
    return this.#outbox.take(this.claim, this.head, this.#host.newTag(), MAX_EVENTS_PER_TURN);
  }

  /**
   * Decides on the updates and reports that are next. Here and nowhere else: nothing can come between the state that is
   * looked at and the turn that says what was decided, so an update is handled in just the state it was accepted in, and a
   * report ends the attempt it is for or none.
   */
  #decideMail(): void {
    if (this.#isBusyWithCode || !this.#isLive) return;
    for (let next = this.#outbox.nextUndecided(); next !== undefined; next = this.#outbox.nextUndecided()) {
      invariant(!this.#isContinuing, "mail is not decided on by a run that continues", { runId: this.runId });
      invariant(this.engine.deliveredEvents === this.#events, "mail is decided on by all of the history", {
        runId: this.runId,
      });
      const decision = "report" in next ? this.#decideReport(next) : this.#decideUpdate(next);
      if (decision === undefined) return;
      this.#outbox.decide(next, decision);
    }
  }

  #decideUpdate(update: UndecidedUpdate): Decision {
    const refusal = this.engine.judgeUpdate(update);
    if (refusal !== null) return { refusal };
    const { updateId, name, mail, input } = update;
    return { event: { type: "UpdateAccepted", name, updateId, mail, input } };
  }

  /** Undefined: it cannot be read, and the run is blocked until it can. */
  #decideReport(mail: ReportMail): Decision | undefined {
    let report: StepReport;
    try {
      report = decodeReport(mail.report);
    } catch (error) {
      if (!isEverstepError(error)) throw error;
      this.#host.block(this, blockedReasonOf(error));
      return undefined;
    }
    const { command } = report;
    const event = heard(mail, report, this.engine.pendingCommand(command), this.#now());
    if (isDecision(event)) {
      // Whatever else was about to end the attempt comes after this.
      this.#outbox.forget(command);
      this.#timers.cancel(command);
      this.#decided.add(command);
    }
    return { event };
  }

  committed(sent: SentTurn, at: number): void {
    const { turn, events, bytes } = sent;
    this.#takenMail = turn.takenMail;
    this.#grow(bytes);
    this.#host.progressed(this);
    if (turn.effects !== null) this.#host.leftErrands();
    if (turn.close !== null) {
      this.#events += events.length;
      const last = turn.events.at(-1) as EventRecord;
      const closing = { ...last, seq: this.#events, at };
      return this.#host.closed(this, turn.close, closing, turn.effects?.successor ?? null);
    }
    const { runId } = this;
    if (turn.base !== this.#events) invariant(false, "turns are committed in order", { runId, base: turn.base });
    const delivered: HistoryEvent[] = [];
    let hasAnswers = turn.refusals.length > 0;
    for (const event of events) {
      delivered.push(placedAt(event, ++this.#events, at));
      if (isToArm(event)) this.#toArm.push(event.command);
      if (event.type === "UpdateAccepted" || event.type === "UpdateCompleted") hasAnswers = true;
      if (isDecision(event)) this.#decided.delete(event.command);
      if (event.type === "PatchMarked") this.#openMarks--;
    }
    if (hasAnswers) this.#host.answered(this);
    if (events.length === 0) return this.#turnSettled();
    if (this.#openMarks === 0 && this.#held.length > 0) this.#toArm.push(...this.#held.splice(0));
    this.#feed(delivered);
    this.#turnSettled();
  }

  mailBeforeClose(): void {
    this.#isClosing = false;
    this.#turnSettled();
    this.wantMail();
  }

  lost(): void {
    this.#host.forget(this, "another worker owns it, or it was closed");
  }

  giveBack(why: string): void {
    if (this.#isOurs) this.#host.giveBack(this, why);
  }

  rejected(error: Error): void {
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
    const next = this.#exclusive.shift();
    if (next !== undefined) return next();
    this.#isTurnSent = false;
    this.#lookAround();
  }

  #push(event: Event, notBefore?: number): void {
    if (isDecision(event)) this.#decided.add(event.command);
    this.#pushOutgoing(notBefore === undefined ? { event } : { event, notBefore });
  }

  #pushOutgoing(outgoing: Outgoing): void {
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
    if (this.#mail.isLeft || this.#isClosing || this.#outbox.size > 0 || this.#isTurnSent || this.#mail.isReading)
      return;
    invariant(this.engine.deliveredEvents === this.#events, "a run ends knowing all of its history", {
      runId: this.runId,
    });
    this.#isClosing = true;
    if (outcome.type === "continued") return this.#outbox.push(this.#continuation(outcome.next));
    const unread = this.engine.unreadSignals();
    const event: Event =
      outcome.type === "completed"
        ? { type: "RunCompleted", result: outcome.result, unread }
        : { type: outcome.type === "failed" ? "RunFailed" : "RunCanceled", failure: outcome.failure, unread };
    this.#outbox.push({ event, close: outcome.type, hasKin: this.engine.hasKin });
  }

  #continuation({ workflow, input, queue, timeoutMs }: NextRun & { readonly workflow: string }): Outgoing {
    const { facts, runId } = this;
    const nextRunId = this.#host.newRunId(runId);
    const ownTimeoutMs = facts.deadlineAt === null ? null : facts.deadlineAt - facts.startedAt;
    const { parent, data, headers } = this.engine;
    const { attributes, memo } = data.carried;
    const continues = { previousRunId: runId, firstRunId: this.engine.continues?.firstRunId ?? runId };
    return {
      event: { type: "RunContinued", nextRunId, workflow, input },
      close: "continuedAsNew",
      successor: {
        runId: nextRunId,
        workflow,
        queue: queue ?? facts.queue,
        started: toRecord({
          type: "RunStarted",
          workflow,
          input,
          seed: this.#host.newSeed(),
          attributes,
          memo,
          ...(headers !== NO_HEADERS && { headers }),
          continues,
          ...(parent && { parent }),
        }),
        carriesData: attributes !== null || memo !== null,
        timeoutMs: timeoutMs === undefined ? ownTimeoutMs : timeoutMs,
        passedOn: this.engine.mailToPassOn(),
      },
    };
  }

  /** Nothing happens by itself from here: say what there is to send, or that there is nothing. */
  #lookAround(): void {
    if (!this.#isOurs || this.#isFrozen || this.#isBusyWithCode) return;
    const { outcome } = this.engine;
    // Updates are never decided on by code that goes on as another run: with all that came after them, they pass to it.
    if (this.#isContinuing) this.#outbox.leaveUndecided();
    if (outcome !== undefined) this.#close(outcome);
    if (this.#outbox.size > 0 && !this.#isTurnSent) return this.#host.submit(this);
    if (this.isQuiet || this.canBeReleased) this.#host.becameQuiet(this);
  }

  // ---------------------------------------------------------------- leaving

  /** Sends nothing until `thaw`, so that the run can be parked as it is. False when it is not quiet. */
  freeze(): boolean {
    if (!this.isQuiet) return false;
    this.#isFrozen = true;
    this.#timers.hold();
    return true;
  }

  thaw(): void {
    this.#isFrozen = false;
    this.#timers.release();
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

  /** Lets go because it was told to stand still, and not because its worker stops. */
  get isPausing(): boolean {
    return this.#isPausing;
  }

  #leave(): void {
    this.#isHandingOver = true;
    this.#timers.cancelAll();
    const left = this.#outbox.leaveUndecided();
    if (left !== null) this.#mail.rewindTo(left);
    // A run that stands still does not end either: what its code comes to is found again, and said, once it goes on.
    if (left !== null || this.#isPausing) this.#mail.leave();
  }

  /** Resumed before it was let go of. */
  #carryOn(): void {
    this.#isHandingOver = false;
    this.#isPausing = false;
    this.#mail.stay();
    this.#mustArmAll = true;
    if (!this.#isBusyWithCode && this.#isLive) this.#arm();
  }

  get canBeReleased(): boolean {
    const isAtRest = !this.#isBusyWithCode && !this.#isTurnSent && this.#outbox.size === 0;
    return this.#isHandingOver && isAtRest && this.#steps.size === 0;
  }

  /** Tells steps under way to stop; they are waited for. */
  abortSteps(reason: Error): void {
    for (const execution of this.#steps.values()) execution.abort(reason);
  }

  /** Forgets everything at once: the right to write is gone or was given back. */
  drop(explain: () => Error): void {
    this.#isOurs = false;
    this.#timers.cancelAll();
    if (this.#steps.size > 0) {
      const reason = explain();
      for (const execution of this.#steps.values()) execution.discard(reason);
      this.#steps.clear();
    }
    for (const leave of this.#exclusive.splice(0)) leave();
  }
}

function stepFailed(pending: PendingStep, error: Error): Event {
  return {
    type: "StepFailed",
    command: pending.command,
    name: pending.ask.name,
    failure: toFailure(error),
    attempt: pending.deferral?.attempt ?? Math.max(1, pending.failedAttempts),
    inputHash: pending.ask.inputHash,
  };
}

/** After it there is something to wait for, or another time to wait until. */
function isToArm(event: Event): event is TimerStarted | StepAttemptFailed | StepDeferred | StepReported {
  return ARMING.has(event.type) && !(event.type === "StepReported" && event.report === "ignored");
}

const ARMING: ReadonlySet<Event["type"]> = new Set([
  "TimerStarted",
  "StepAttemptFailed",
  "StepDeferred",
  "StepReported",
]);

function isDecision(event: Event): event is StepCompleted | StepFailed | StepAttemptFailed | StepDeferred | TimerFired {
  return DECISIONS.has(event.type);
}

const DECISIONS: ReadonlySet<Event["type"]> = new Set([
  "StepCompleted",
  "StepFailed",
  "StepAttemptFailed",
  "StepDeferred",
  "TimerFired",
]);
