// One run, replayed. History in, commands out. Events are delivered one at a time, in log order, and the code runs to
// quiescence between two of them, live and at replay alike: so which promise settles first never depends on how events
// were batched. Pure: no I/O, no clock, no driver. Whoever drives it must let every promise reaction run (`afterDrain`)
// after `begin`, `deliver` and each `settle` that answers true.

import { EverstepError, invariant } from "../../sdk/protocol/errors.ts";
import type {
  CompensationBegun,
  Continuation,
  HistoryEvent,
  ParentRun,
  PatchMarked,
  RunStarted,
  UnreadSignal,
} from "../../sdk/protocol/event.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import { NO_HEADERS, type RunHeaders } from "../../sdk/protocol/headers.ts";
import type { NoteLevel } from "../../sdk/protocol/notes.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { PendingHandler } from "../../sdk/protocol/pending-work.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type {
  ChildAsk,
  PendingChild as ChildHandle,
  LockAsk,
  PendingLock as LockHandle,
  MessageAsk,
  PendingCondition,
  RunContext,
  SignalHandler,
  SignalLimit,
  SignalMessage,
  StepAsk,
  TimerAsk,
  PendingTimer as TimerHandle,
  UpdateHandler,
} from "../../sdk/workflow/run-context.ts";
import type { AskingHooks } from "./asking-hooks.ts";
import { Commands } from "./commands.ts";
import { Compensations } from "./compensations.ts";
import { Conditions } from "./conditions.ts";
import { payloadLength } from "./event-length.ts";
import { waitsForNothingKnown } from "./foreign-wait.ts";
import { Handlers } from "./handlers.ts";
import type { HandlersUnderWay } from "./handlers-under-way.ts";
import { Kin } from "./kin.ts";
import { Locks } from "./locks.ts";
import { differenceFrom, type EndEvent, type Outcome } from "./outcome.ts";
import { Patches } from "./patches.ts";
import type { Change, PendingCommand } from "./pending.ts";
import { ENTRY_KINDS, RunData } from "./run-data.ts";
import { mutedLog, runInfo } from "./run-info.ts";
import { type FailedRun, failedRun } from "./run-retry.ts";
import {
  childAsking,
  continuationAsking,
  dataAsking,
  lockAsking,
  messageAsking,
  noteAsking,
  stepAsking,
  timerAsking,
} from "./shown-asks.ts";
import { Steps } from "./steps.ts";
import { Timers } from "./timers.ts";
import type { AskedUpdate, EndedUpdate } from "./updates.ts";
import { type CodeOptions, WorkflowCode } from "./workflow-code.ts";

export interface EngineOptions extends CodeOptions {
  readonly log: WorkflowLog;
  /** Remembers where in the code each command was asked for. Costs a stack trace per command: for diagnosis. */
  readonly recordsCallSites?: boolean;
}

/** Nothing in these is for code to see. */
const BEFORE_CODE: ReadonlySet<HistoryEvent["type"]> = new Set([
  "RunStarted",
  "RunPaused",
  "RunResumed",
  "RunUnblocked",
  "RunAdopted",
  "RunForked",
  "RunMoved",
]);
const NONE: readonly never[] = [];
const noop = () => {};
const notGranted = (): number => {
  throw new EverstepError("INVARIANT_BROKEN", "What is canceled before it is asked for is not granted.");
};

export class RunEngine implements RunContext {
  readonly #options: EngineOptions;
  readonly #code: WorkflowCode;
  readonly #commands: Commands;
  readonly #steps: Steps;
  // Each made when it is asked for: most runs have a use for few of them, and there are very many runs.
  #timers: Timers | undefined;
  #kin: Kin | undefined;
  #handlers: Handlers | undefined;
  #locks: Locks | undefined;
  #conditions: Conditions | undefined;
  #patches: Patches | undefined;
  #compensations: Compensations | undefined;
  readonly #data: RunData;
  #started: (RunStarted & HistoryEvent) | undefined;
  #delivered = 0;
  /** The last event that is for code to see: where it begins hangs on no other, and a replay may begin it behind others. */
  #seen = 1;
  #deliveredBytes = 0;
  /** Where cancel requests are in the mailbox that came when the code had ended. */
  #lateCancels: number[] | undefined;
  #isAdopted = false;
  #retrying: FailedRun | undefined;
  #isReplaying = true;

  constructor(options: EngineOptions) {
    const { run } = options;
    this.#options = options;
    this.#code = new WorkflowCode(options, this, (outcome) => this.#letGo(outcome));
    this.#commands = new Commands(run.workflowId, options.recordsCallSites === true);
    this.#steps = new Steps(run.workflowId, this.#commands, this.#code);
    this.#data = new RunData(this.#commands);
  }

  // Most runs never look.
  #info: WorkflowInfo | undefined;
  #log: WorkflowLog | undefined;

  get info(): WorkflowInfo {
    this.#info ??= runInfo(this.#options.workflow, this.#options.run, this);
    return this.#info;
  }

  get log(): WorkflowLog {
    this.#log ??= mutedLog(this.#options.log, () => !this.#isReplaying || this.#code.isReadOnly);
    return this.#log;
  }

  get data(): RunData {
    return this.#data;
  }

  /** As its first event has it: a fork began when its source did. */
  get startedAt(): number {
    return this.#started?.at ?? this.#options.run.startedAt;
  }

  /** What the run was started with. */
  get headers(): RunHeaders {
    return this.#started?.headers ?? NO_HEADERS;
  }

  /** How long the chain may go on from the start of this run. */
  get chainTimeoutMs(): number | undefined {
    return this.#started?.chainTimeoutMs;
  }

  get isReplaying(): boolean {
    return this.#isReplaying;
  }

  // ---------------------------------------------------------------- the driver's side

  /** How the main function ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#code.outcome;
  }

  /** Why this run cannot go on as it is: divergence, foreign wait, unreadable payload. */
  get broken(): EverstepError | undefined {
    return this.#code.broken;
  }

  get hasBegun(): boolean {
    return this.#code.hasBegun;
  }

  get deliveredEvents(): number {
    return this.#delivered;
  }

  get deliveredBytes(): number {
    return this.#deliveredBytes;
  }

  /** The run's place in a chain; undefined in the first run. */
  get continues(): Continuation | undefined {
    return this.#started?.continues;
  }

  /** The run that started this one as its child. */
  get parent(): ParentRun | undefined {
    return this.#started?.parent;
  }

  /** The run above all of its parents; undefined where it has none. */
  get root(): ParentRun | undefined {
    return this.#started?.root ?? this.parent;
  }

  /** What the run was started with. To be asked once its first event is delivered. */
  get started(): RunStarted {
    const { runId } = this.#options.run;
    invariant(this.#started !== undefined, "a history begins with the start of its run", { runId });
    return this.#started;
  }

  /** The code has failed, and its policy is for trying it again, if there is time for that. */
  get retrying(): FailedRun | undefined {
    return this.#retrying;
  }

  /** A run that has not started this one waits for its end. */
  get isAwaited(): boolean {
    return this.#isAdopted || this.continues?.isAwaited === true;
  }

  /** The end of this run matters to another: its parent, who waits for it, or a child that it has started. */
  get hasKin(): boolean {
    return this.parent !== undefined || this.isAwaited || this.#kin?.hasChildren === true;
  }

  /** Locks that the run has asked for; undefined when it never did. */
  get locks(): Locks | undefined {
    return this.#locks;
  }

  /** From here on, what the code does is new: lines are logged, patches are marked, commands are to be carried out. */
  goLive(): void {
    this.#isReplaying = false;
  }

  /** True when the next event may only be delivered after `begin`: all that code could see, but the signals before it. */
  mustBeginBefore(event: HistoryEvent): boolean {
    if (this.#code.hasBegun || BEFORE_CODE.has(event.type)) return false;
    return event.type !== "SignalReceived" || !event.isEarly;
  }

  /** To be called with a history before its first event is delivered: what it decides later is looked up earlier. */
  foresee(events: readonly HistoryEvent[]): void {
    for (const event of events) {
      if (event.type === "PatchMarked") this.#askedPatches.foresee(event);
      else if (event.type === "ChildRequested") this.#askedKin.foresee(event);
    }
  }

  /** Calls the main function, up to its first wait. */
  begin(): void {
    this.#code.begin(this.#started?.input ?? null);
  }

  /** Applies one event. True when code may run now: then drain, and `settle`. */
  deliver(event: HistoryEvent): boolean {
    if (this.#code.broken !== undefined) return false;
    try {
      const { seq } = event;
      const delivered = this.#delivered;
      if (seq !== delivered + 1) {
        invariant(false, "events are delivered in order, without gaps", { runId: this.info.runId, seq, delivered });
      }
      this.#delivered = event.seq;
      if (!BEFORE_CODE.has(event.type)) this.#seen = event.seq;
      this.#deliveredBytes += payloadLength(event);
      return this.#apply(event);
    } catch (error) {
      this.#code.breakOff(error);
      return false;
    }
  }

  /**
   * After a drain: wakes the first condition that holds. True when it did, and the code must drain again; false when the
   * run is quiet.
   */
  settle(): boolean {
    const code = this.#code;
    const conditions = this.#conditions;
    if (conditions !== undefined && code.goesOn && conditions.wakeOne((holds) => code.readOnly(holds) === true)) {
      return true;
    }
    code.endTurn();
    if (code.goesOn && !this.#waitsForSomething) {
      code.breakOff(waitsForNothingKnown(this.#options.run, this.#commands.asked.describeLast()));
    }
    return false;
  }

  /** What the code asked for, took back or was told to cancel since the last look. */
  takeChanges(): readonly Change[] {
    return this.#commands.takeChanges();
  }

  /**
   * Patches that were answered with yes just now, and what has begun to be undone. To be recorded before all that was asked
   * for since the last look.
   */
  takeMarks(): readonly (PatchMarked | CompensationBegun)[] {
    const marks = this.#patches?.takeFresh() ?? NONE;
    return this.#compensations === undefined ? marks : [...marks, ...this.#compensations.takeFresh()];
  }

  /** Everything asked for and not answered, in the order of asking. */
  pendingCommands(): IterableIterator<PendingCommand> {
    return this.#commands.all();
  }

  pendingCommand(command: number): PendingCommand | undefined {
    return this.#commands.get(command);
  }

  /** Signals that were delivered and that nobody took. */
  unreadSignals(): UnreadSignal[] {
    return this.#handlers?.signals.unread() ?? [];
  }

  /** Mail that is in the history and for the run that follows this one. */
  mailToPassOn(): number[] {
    return [...(this.#handlers?.mailNotBegunOn() ?? NONE), ...(this.#lateCancels ?? NONE)].sort((a, b) => a - b);
  }

  /** What a quiet run waits for besides its commands. */
  get waits(): { readonly signals: string[]; readonly conditions: number } {
    return { signals: this.#handlers?.signals.awaited ?? [], conditions: this.#conditions?.count ?? 0 };
  }

  /** Heartbeat details that were kept outside the history. */
  restoreHeartbeat(command: number, attempt: number, details: Payload): void {
    this.#steps.restoreHeartbeat(command, attempt, details);
  }

  /** Answers from the state as it is, or throws QUERY_UNKNOWN, QUERY_FAILED. */
  query(name: string, input: Payload): Payload {
    return this.#askedHandlers.query(name, input);
  }

  /** Whether the run, as it is now, takes an update. Null: it does. Leaves no trace in the run. */
  judgeUpdate(update: AskedUpdate): UpdateRefusal | null {
    return this.#askedHandlers.judgeUpdate(update);
  }

  /** Updates whose handlers have ended since the last look, for the history to tell. */
  takeEndedUpdates(): readonly EndedUpdate[] {
    return this.#handlers?.takeEndedUpdates() ?? NONE;
  }

  /** Handlers of signals and updates that have begun and not ended. */
  get handlersUnderWay(): HandlersUnderWay {
    return this.#askedHandlers.underWay;
  }

  /** Those of them that the run should not close around. */
  get missedHandlers(): readonly PendingHandler[] {
    return this.#handlers?.underWay.missed() ?? NONE;
  }

  /** A promise of this run's code was rejected with nobody there to handle it: the run fails, as a process would. */
  rejectedUnhandled(reason: unknown): void {
    this.#code.rejectedUnhandled(reason);
  }

  // ---------------------------------------------------------------- the code's side

  now(): number {
    return this.#code.now;
  }

  random(): number {
    return this.#code.random.float();
  }

  randomUUID(): string {
    return this.#code.random.uuid();
  }

  askStep(ask: StepAsk, scope: CancelScope): Promise<unknown> {
    this.#code.refuseToAsk(`step "${ask.name}"`);
    const asking = this.#asking;
    if (asking === undefined) return this.#askStep(ask, scope);
    return asking.around(stepAsking(this.info, ask), (asked) => this.#askStep(asked, scope));
  }

  #askStep(ask: StepAsk, scope: CancelScope): Promise<unknown> {
    return this.#code.insteadIn(scope, ask) ?? this.#steps.ask(ask, scope);
  }

  askTimer(ask: TimerAsk, scope: CancelScope): TimerHandle {
    this.#code.refuseToAsk(ask.name);
    const asking = this.#asking;
    if (asking === undefined) return this.#askTimer(ask, scope);
    return asking.around(timerAsking(this.info, ask), (asked) => this.#askTimer(asked, scope));
  }

  #askTimer(ask: TimerAsk, scope: CancelScope): TimerHandle {
    const instead = this.#code.insteadIn(scope, ask);
    return instead === undefined ? this.#askedTimers.ask(ask, scope) : { fired: instead, withdraw: noop };
  }

  askChild(ask: ChildAsk, scope: CancelScope): ChildHandle {
    this.#code.refuseToAsk("startChild()");
    const asking = this.#asking;
    if (asking === undefined) return this.#askChild(ask, scope);
    return asking.around(childAsking(this.info, ask), (asked) => this.#askChild(asked, scope));
  }

  #askChild(ask: ChildAsk, scope: CancelScope): ChildHandle {
    const instead = this.#code.insteadIn(scope, ask);
    if (instead === undefined) return this.#askedKin.askChild(ask, scope);
    return { workflowId: ask.workflowId ?? "", started: instead, ended: instead, endedInTurn: this.#code.turns };
  }

  askMessage(ask: MessageAsk, scope: CancelScope): Promise<void> {
    this.#code.refuseToAsk(ask.name);
    const asking = this.#asking;
    if (asking === undefined) return this.#askMessage(ask, scope);
    return asking.around(messageAsking(this.info, ask), (asked) => this.#askMessage(asked, scope));
  }

  #askMessage(ask: MessageAsk, scope: CancelScope): Promise<void> {
    return this.#code.insteadIn(scope, ask) ?? this.#askedKin.askMessage(ask, scope);
  }

  askLock(ask: LockAsk, scope: CancelScope): LockHandle {
    this.#code.refuseToAsk(`lock "${ask.key}"`);
    const asking = this.#asking;
    if (asking === undefined) return this.#askLock(ask, scope);
    return asking.around(lockAsking(this.info, ask), (asked) => this.#askLock(asked, scope));
  }

  askContinueAsNew(next: NextRun): NextRun {
    const asking = this.#asking;
    return asking === undefined ? next : asking.around(continuationAsking(this.info, next), (asked) => asked);
  }

  #askLock(ask: LockAsk, scope: CancelScope): LockHandle {
    const instead = this.#code.insteadIn(scope, ask);
    if (instead !== undefined) return { granted: instead, token: notGranted, release: noop };
    return this.#askedLocks.ask(ask, scope);
  }

  waitUntil(predicate: () => boolean, scope: CancelScope): PendingCondition {
    this.#code.refuseToAsk("condition()");
    const instead = this.#code.insteadIn(scope);
    if (instead !== undefined) return { held: instead, isHeldNow: false, withdraw: noop };
    if (this.#code.readOnly(predicate) === true) return { held: Promise.resolve(), isHeldNow: true, withdraw: noop };
    this.#conditions ??= new Conditions();
    const { held, withdraw } = this.#conditions.add(() => this.#code.inContext(predicate), scope);
    return { held, isHeldNow: false, withdraw };
  }

  takeSignal(name: string): SignalMessage | undefined {
    return this.#handlers?.signals.take(name);
  }

  takeFirstSignal(names: ReadonlySet<string>, limit?: SignalLimit) {
    return this.#handlers?.signals.takeFirst(names, limit);
  }

  waitForSignal(name: string, scope: CancelScope): { readonly received: Promise<SignalMessage>; withdraw(): void } {
    this.#code.refuseToAsk(`signal "${name}".receive()`);
    const instead = this.#code.insteadIn(scope);
    return instead === undefined
      ? this.#askedHandlers.signals.waitIn(scope, name)
      : { received: instead, withdraw: noop };
  }

  handleSignal(name: string, handler: SignalHandler): void {
    this.#code.refuseToAsk(`signal "${name}".handle()`);
    this.#askedHandlers.handleSignal(name, handler);
  }

  handleUpdate(name: string, handler: UpdateHandler): void {
    this.#code.refuseToAsk(`update "${name}".handle()`);
    this.#askedHandlers.handleUpdate(name, handler);
  }

  holdUpdate(mail: number): () => void {
    return this.#askedHandlers.holdUpdate(mail);
  }

  get waitingMail(): number {
    return this.#handlers?.mailNotBegunOn().length ?? 0;
  }

  upsert(kind: "attributes" | "memo", changes: Payload): void {
    const caller = kind === "memo" ? "upsertMemo()" : "upsertAttributes()";
    this.#code.refuseToAsk(caller);
    if (this.#code.hasEnded || changes === null) return;
    const asking = this.#asking;
    const upsert = () => this.#data.upsert(kind, changes, caller);
    if (asking === undefined) return upsert();
    asking.around(dataAsking(this.info, kind, changes), upsert);
  }

  note(level: NoteLevel, text: string): void {
    this.#code.refuseToAsk("note()");
    if (this.#code.hasEnded) return;
    const asking = this.#asking;
    if (asking === undefined) return this.#data.note(level, text);
    asking.around(noteAsking(this.info, level, text), () => this.#data.note(level, text));
  }

  setCurrentDetails(markdown: string): void {
    this.#code.refuseInReadOnly("setCurrentDetails()");
    if (!this.#code.hasEnded) this.#data.currentDetails = markdown === "" ? null : markdown;
  }

  get allHandlersFinished(): boolean {
    return this.#handlers?.underWay.areNone ?? true;
  }

  handleQuery(name: string, handler: (input: Payload) => unknown): void {
    this.#code.refuseInReadOnly(`query "${name}".handle()`);
    this.#askedHandlers.handleQuery(name, handler);
  }

  markPatch(id: string, isDeprecated: boolean): boolean {
    this.#code.refuseToAsk(isDeprecated ? `deprecatePatch("${id}")` : `patched("${id}")`);
    // Code that goes on after the end of its run decides nothing that could be recorded.
    const isNew = !this.#isReplaying && !this.#code.hasEnded;
    return this.#askedPatches.ask(id, { isDeprecated, seen: this.#seen, delivered: this.#delivered, isNew });
  }

  get seenEvents(): number {
    return this.#seen;
  }

  beginCompensation(since: number): void {
    if (this.#code.hasEnded) return;
    this.#compensations ??= new Compensations();
    this.#compensations.begin(since);
  }

  runInScope<T>(scope: CancelScope, body: () => T): T {
    return this.#code.inScope(scope, body);
  }

  cancelScope(scope: CancelScope, failure: CanceledFailure): void {
    this.#code.refuseToAsk("canceling a scope");
    // Everything that was pending has been taken back already.
    if (!this.#code.hasEnded) scope.cancel(failure);
  }

  refuseInReadOnly(caller: string): void {
    this.#code.refuseInReadOnly(caller);
  }

  /** Undefined where nothing stands around what the code asks for, or it asks for nothing any more. */
  get #asking(): AskingHooks | undefined {
    return this.#code.hasEnded ? undefined : this.#options.hooks?.asking;
  }

  // ---------------------------------------------------------------- events

  #apply(event: HistoryEvent): boolean {
    switch (event.type) {
      case "RunStarted":
        this.#started = event;
        this.#code.seed(event.seed);
        this.#code.passTime(event.at);
        this.#data.start(event);
        return false;
      case "StepCompleted":
      case "StepFailed":
      case "StepAttemptFailed":
      case "StepDeferred":
      case "StepReported":
      case "StepRetried":
        return this.#steps.apply(event);
      case "TimerStarted":
      case "TimerFired":
      case "TimerSkipped":
        return this.#askedTimers.apply(event);
      case "SignalReceived":
      case "UpdateAccepted":
      case "UpdateCompleted":
        return this.#askedHandlers.apply(event);
      case "ChildRequested":
      case "ChildStarted":
      case "ChildStartFailed":
      case "ChildEnded":
      case "ExternalRequested":
      case "ExternalDelivered":
      case "ExternalFailed":
        return this.#askedKin.apply(event);
      case "LockRequested":
      case "LockGranted":
      case "LockRegained":
      case "LockReleased":
        return this.#askedLocks.apply(event);
      case "CancelRequested":
        if (this.#code.hasEnded) this.#lateCancels = [...(this.#lateCancels ?? NONE), event.mail];
        return this.#code.cancel(event);
      case "RunPaused":
      case "RunResumed":
      case "RunUnblocked":
      case "RequestIgnored":
      case "RunMoved":
        return false;
      case "RunAdopted":
        this.#isAdopted = true;
        return false;
      case "RunForked":
        this.#code.seed(event.seed);
        this.#steps.askDeferredAgain();
        if (event.retried !== null) this.#steps.forgetAttempts(event.retried);
        if (event.locks !== undefined) this.#locks?.lose(event.locks);
        this.#askedKin.fork(event);
        return false;
      case "PatchMarked":
        this.#compareMark(event);
        return false;
      case "CompensationBegun":
        if (this.#compensations?.tell(event) !== true) {
          this.#commands.asked.diverge(event, "the code does not undo that by then");
        }
        return false;
      case "AttributesUpserted":
      case "MemoUpserted":
      case "RunNoted":
        this.#data.compare(event);
        return false;
      case "RunCompleted":
      case "RunFailed":
      case "RunCanceled":
      case "RunContinued":
        this.#compareEnd(event);
        return false;
      case "RunTerminated":
      case "RunTimedOut":
        this.#code.close();
        return false;
    }
  }

  #compareMark(event: PatchMarked & HistoryEvent): void {
    invariant(event.since < event.seq, "a mark comes after the event it names", { seq: event.seq });
    const missing = this.#askedPatches.missing(event);
    if (missing !== undefined) this.#commands.asked.diverge(event, missing);
  }

  #compareEnd(event: EndEvent): void {
    const { outcome } = this;
    const { asked } = this.#commands;
    if (outcome === undefined) return asked.diverge(event, "the code has not ended by then");
    const entry = this.#data.firstEntry;
    if (entry !== undefined) {
      asked.diverge(event, `the code asked for ${ENTRY_KINDS[entry.type]} before it ended`, entry.command);
    }
    const difference = differenceFrom(event, outcome);
    if (difference !== undefined) asked.diverge(event, difference);
  }

  /** The main function has ended: nothing that it asked for is waited for any more. */
  #letGo(outcome: Outcome): void {
    // Who asked a run to stop does not want another one in its place.
    if (outcome.type === "failed" && !this.#code.isCancelRequested) {
      this.#retrying = failedRun(outcome, this.#started, this.#options.workflow.retry);
    }
    if (outcome.type === "continued" || this.#retrying !== undefined) this.#askedHandlers.signals.close();
    this.#conditions?.clear();
    this.#commands.withdrawAll();
  }

  get #waitsForSomething(): boolean {
    if (this.#commands.arePending || this.#handlers?.mayHear === true) return true;
    return this.#conditions !== undefined && this.#conditions.count > 0;
  }

  // ---------------------------------------------------------------- made when asked for

  get #askedTimers(): Timers {
    this.#timers ??= new Timers(this.#commands, this.#code);
    return this.#timers;
  }

  get #askedKin(): Kin {
    this.#kin ??= new Kin(this.#options.run.runId, this.#commands, this.#code);
    return this.#kin;
  }

  get #askedHandlers(): Handlers {
    this.#handlers ??= new Handlers(this.#options.run, this.#commands.asked, this.#code);
    return this.#handlers;
  }

  get #askedLocks(): Locks {
    this.#locks ??= new Locks(this.#commands, this.#code);
    return this.#locks;
  }

  get #askedPatches(): Patches {
    this.#patches ??= new Patches();
    return this.#patches;
  }
}
