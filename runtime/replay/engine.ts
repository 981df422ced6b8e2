// One run, replayed. History in, commands out. Events are delivered one at a time, in log order, and the code runs to
// quiescence between two of them, live and at replay alike: so which promise settles first never depends on how events
// were batched. Pure: no I/O, no clock, no driver. Whoever drives it must let every promise reaction run (`afterDrain`)
// after `begin`, `deliver` and each `settle` that answers true.

import { EverstepError, invariant } from "../../sdk/protocol/errors.ts";
import type {
  Continuation,
  HistoryEvent,
  ParentRun,
  PatchMarked,
  RunCanceled,
  RunCompleted,
  RunContinued,
  RunFailed,
  SignalReceived,
  StepAttemptFailed,
  StepDeferred,
  StepReported,
  TimerStarted,
  UnreadSignal,
  UpdateAccepted,
} from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { CanceledFailure, fromStepFailed, isCanceled, toFailure } from "../../sdk/protocol/failures.ts";
import { NO_HEADERS, type RunHeaders } from "../../sdk/protocol/headers.ts";
import type { NoteLevel } from "../../sdk/protocol/notes.ts";
import { decodePayload, encodePayload, hashPayload, type Payload } from "../../sdk/protocol/payload.ts";
import { type SeededRandom, seededRandom } from "../../sdk/protocol/random.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import { type Ambient, runWithAmbient } from "../../sdk/workflow/ambient.ts";
import { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import { isContinueAsNew, type NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type {
  ChildAsk,
  PendingChild as ChildHandle,
  MessageAsk,
  PendingCondition,
  RunContext,
  SignalHandler,
  SignalMessage,
  StepAsk,
  TimerAsk,
  PendingTimer as TimerHandle,
  UpdateHandler,
} from "../../sdk/workflow/run-context.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { type AnsweringEvent, AskedCommands } from "./asked-commands.ts";
import { Conditions } from "./conditions.ts";
import { HandlersUnderWay } from "./handlers-under-way.ts";
import { Kin } from "./kin.ts";
import { Patches } from "./patches.ts";
import { type Change, type CommandKind, type PendingCommand, PendingStep, PendingTimer } from "./pending.ts";
import { Queries } from "./queries.ts";
import { ENTRY_KINDS, type Entry, isSameEntry, RunData } from "./run-data.ts";
import { mutedLog, type RunFacts, runInfo } from "./run-info.ts";
import { SignalBox } from "./signal-box.ts";
import { type AskedUpdate, type EndedUpdate, Updates } from "./updates.ts";
import type { CalledHandler, HandlerKind, WorkflowHooks } from "./workflow-hooks.ts";

export interface EngineOptions {
  readonly workflow: AnyWorkflow;
  readonly run: RunFacts;
  readonly log: WorkflowLog;
  /** Remembers where in the code each command was asked for. Costs a stack trace per command: for diagnosis. */
  readonly recordsCallSites?: boolean;
  /** Interceptors around the code. Default: none. */
  readonly hooks?: WorkflowHooks | undefined;
}

export type Outcome =
  | { readonly type: "completed"; readonly result: Payload }
  | { readonly type: "failed"; readonly failure: Failure }
  | { readonly type: "canceled"; readonly failure: Failure }
  | { readonly type: "continued"; readonly next: NextRun & { readonly workflow: string } };

const ENDS = {
  RunCompleted: "completed",
  RunFailed: "failed",
  RunCanceled: "canceled",
  RunContinued: "continued",
} as const;
/** Nothing in these is for code to see. */
const BEFORE_CODE: ReadonlySet<HistoryEvent["type"]> = new Set([
  "RunStarted",
  "RunPaused",
  "RunResumed",
  "RunUnblocked",
  "RunForked",
]);
const NEVER: Promise<never> = new Promise(() => {});
const noop = () => {};

export class RunEngine implements RunContext {
  readonly #options: EngineOptions;
  readonly #rootScope = new CancelScope(null);
  readonly #pending = new Map<number, PendingCommand>();
  readonly #asked: AskedCommands;
  readonly #signals = new SignalBox();
  readonly #queries: Queries;
  readonly #conditions = new Conditions();
  readonly #underWay = new HandlersUnderWay();
  readonly #updates: Updates;
  readonly #patches = new Patches();
  readonly #data = new RunData();
  #changes: Change[] = [];
  #random: SeededRandom = seededRandom("");
  #input: Payload = null;
  #headers = NO_HEADERS;
  #now = 0;
  #startedAt: number | undefined;
  #delivered = 0;
  #deliveredBytes = 0;
  #continues: Continuation | undefined;
  #parent: ParentRun | undefined;
  readonly #kin: Kin;
  /** Where cancel requests are in the mailbox that came when the run was to go on as another already. */
  readonly #lateCancels: number[] = [];
  #phase: "fresh" | "started" | "ended" = "fresh";
  #isInTurn = false;
  #isReadOnly = false;
  #isReplaying = true;
  #isCancelRequested = false;
  #outcome: Outcome | undefined;
  #broken: EverstepError | undefined;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#queries = new Queries(options.run);
    this.#updates = new Updates(options.run.workflowId, this.#underWay);
    this.#asked = new AskedCommands(options.run.workflowId, options.recordsCallSites === true);
    this.#kin = new Kin(
      {
        runId: options.run.runId,
        number: (kind, name) => this.#asked.add(kind, name),
        compared: (event, kind, inputHash) => this.#compared(event, kind, inputHash),
        turn: (at, wake) => this.#turn(at, wake),
      },
      this.#pending,
      (change) => this.#changes.push(change),
    );
  }

  // Made when asked for: most runs never look, and there are very many of them.
  #info: WorkflowInfo | undefined;
  #log: WorkflowLog | undefined;

  get info(): WorkflowInfo {
    this.#info ??= runInfo(this.#options.workflow.name, this.#options.run, this);
    return this.#info;
  }

  get log(): WorkflowLog {
    this.#log ??= mutedLog(this.#options.log, () => !this.#isReplaying || this.#isReadOnly);
    return this.#log;
  }

  get data(): RunData {
    return this.#data;
  }

  /** As its first event has it: a fork began when its source did. */
  get startedAt(): number {
    return this.#startedAt ?? this.#options.run.startedAt;
  }

  /** What the run was started with. */
  get headers(): RunHeaders {
    return this.#headers;
  }

  get isReplaying(): boolean {
    return this.#isReplaying;
  }

  // ---------------------------------------------------------------- the driver's side

  /** How the main function ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Why this run cannot go on as it is: divergence, foreign wait, unreadable payload. */
  get broken(): EverstepError | undefined {
    return this.#broken;
  }

  get hasBegun(): boolean {
    return this.#phase !== "fresh";
  }

  get deliveredEvents(): number {
    return this.#delivered;
  }

  get deliveredBytes(): number {
    return this.#deliveredBytes;
  }

  /** The run's place in a chain; undefined in the first run. */
  get continues(): Continuation | undefined {
    return this.#continues;
  }

  /** The run that started this one as its child. */
  get parent(): ParentRun | undefined {
    return this.#parent;
  }

  /** The end of this run matters to another: its parent, or a child that it has started. */
  get hasKin(): boolean {
    return this.#parent !== undefined || this.#kin.hasChildren;
  }

  /** From here on, what the code does is new: lines are logged, patches are marked, commands are to be carried out. */
  goLive(): void {
    this.#isReplaying = false;
  }

  /** True when the next event may only be delivered after `begin`: all that code could see, but the signals before it. */
  mustBeginBefore(event: HistoryEvent): boolean {
    if (this.#phase !== "fresh" || BEFORE_CODE.has(event.type)) return false;
    return event.type !== "SignalReceived" || !event.isEarly;
  }

  /** To be called with a history before its first event is delivered: what it decides later is looked up earlier. */
  foresee(events: readonly HistoryEvent[]): void {
    this.#patches.foresee(events);
  }

  /** Calls the main function, up to its first wait. */
  begin(): void {
    invariant(this.#phase === "fresh", "a run begins once", { runId: this.#options.run.runId });
    this.#phase = "started";
    this.#isInTurn = true;
    const ambient: Ambient = { kind: "workflow", run: this, scope: this.#rootScope };
    const { hooks } = this.#options;
    const { main } = this.#options.workflow;
    let input: unknown;
    try {
      input = decodePayload(this.#input, `input of run ${this.#options.run.workflowId}`);
    } catch (error) {
      return this.#breakOff(error);
    }
    runWithAmbient(ambient, () => {
      try {
        const result =
          hooks === undefined ? main(input as never) : hooks.execute(this.info, () => main(input as never));
        Promise.resolve(result).then(
          (value) => this.#end(() => this.#completed(value)),
          (error) => this.#end(() => this.#threw(error)),
        );
      } catch (error) {
        this.#end(() => this.#threw(error));
      }
    });
  }

  /** Applies one event. True when code may run now: then drain, and `settle`. */
  deliver(event: HistoryEvent): boolean {
    if (this.#broken !== undefined) return false;
    try {
      const { seq } = event;
      const delivered = this.#delivered;
      if (seq !== delivered + 1) {
        invariant(false, "events are delivered in order, without gaps", { runId: this.info.runId, seq, delivered });
      }
      this.#delivered = event.seq;
      this.#deliveredBytes += payloadLength(event);
      return this.#apply(event);
    } catch (error) {
      this.#breakOff(error);
      return false;
    }
  }

  /**
   * After a drain: wakes the first condition that holds. True when it did, and the code must drain again; false when the
   * run is quiet.
   */
  settle(): boolean {
    if (this.#broken === undefined && this.#phase === "started" && this.#wakeOneCondition()) return true;
    this.#isInTurn = false;
    if (this.#waitsForNothingKnown()) this.#breakOff(this.#foreignWait());
    return false;
  }

  /** What the code asked for, took back or was told to cancel since the last look. */
  takeChanges(): Change[] {
    if (this.#changes.length === 0) return [];
    const changes = this.#changes;
    this.#changes = [];
    return changes;
  }

  /** Patches that were answered with yes just now. To be recorded before all that was asked for since the last look. */
  takeMarks(): readonly PatchMarked[] {
    return this.#patches.takeFresh();
  }

  /** Everything asked for and not answered, in the order of asking. */
  pendingCommands(): IterableIterator<PendingCommand> {
    return this.#pending.values();
  }

  pendingCommand(command: number): PendingCommand | undefined {
    return this.#pending.get(command);
  }

  /** Signals that were delivered and that nobody took. */
  unreadSignals(): UnreadSignal[] {
    return this.#signals.unread();
  }

  /** Mail that is in the history and for the run that follows this one. */
  mailToPassOn(): number[] {
    return [...this.#signals.unreadMail(), ...this.#lateCancels].sort((a, b) => a - b);
  }

  /** What a quiet run waits for besides its commands. */
  get waits(): { readonly signals: string[]; readonly conditions: number } {
    return { signals: this.#signals.awaited, conditions: this.#conditions.count };
  }

  /** Heartbeat details that were kept outside the history. */
  restoreHeartbeat(command: number, attempt: number, details: Payload): void {
    const pending = this.#pending.get(command);
    // What history says of an attempt that has handed off is the latest there is.
    if (pending?.kind !== "RunStep" || attempt <= pending.failedAttempts || pending.deferral !== null) return;
    pending.heartbeat = details;
  }

  /** Answers from the state as it is, or throws QUERY_UNKNOWN, QUERY_FAILED. */
  query(name: string, input: Payload): Payload {
    return this.#queries.answer(name, input, (handler) =>
      this.#lookingOnly(name, () => this.#around("Query", { name }, handler)),
    );
  }

  /** Whether the run, as it is now, takes an update. Null: it does. Leaves no trace in the run. */
  judgeUpdate(update: AskedUpdate): UpdateRefusal | null {
    if (this.#phase === "started") {
      return this.#updates.judge(update, (validate) => this.#lookingOnly(update.name, validate));
    }
    const message = `Run ${this.info.workflowId} had ended before it came to update "${update.name}" (${update.updateId}), which had no effect.`;
    return { code: "RUN_CLOSED", message, failure: null };
  }

  /** Updates whose handlers have ended since the last look, for the history to tell. */
  takeEndedUpdates(): EndedUpdate[] {
    return this.#updates.takeUntold();
  }

  /** Handlers of signals and updates that have begun and not ended. */
  get handlersUnderWay(): HandlersUnderWay {
    return this.#underWay;
  }

  /** A promise of this run's code was rejected with nobody there to handle it: the run fails, as a process would. */
  rejectedUnhandled(reason: unknown): void {
    // A cancellation rejects everything that waits in its scope. What nobody awaits has stopped, as it was told to: that
    // must not end the run, nor cut short what cleans up.
    if (isCanceled(reason)) return;
    this.#end(() => this.#threw(reason));
  }

  // ---------------------------------------------------------------- the code's side

  now(): number {
    return this.#now;
  }

  random(): number {
    return this.#random.float();
  }

  randomUUID(): string {
    return this.#random.uuid();
  }

  askStep(ask: StepAsk, scope: CancelScope): Promise<unknown> {
    this.#refuseToAsk(`step "${ask.name}"`);
    if (this.#phase === "ended") return NEVER;
    if (scope.canceledBy !== undefined) return Promise.reject(scope.canceledBy);
    const pending = new PendingStep(this.#asked.add("RunStep", ask.name), ask, scope, this.#onCancelStep);
    this.#pending.set(pending.command, pending);
    this.#changes.push({ type: "asked", pending });
    return pending.promise;
  }

  askTimer(ask: TimerAsk, scope: CancelScope): TimerHandle {
    this.#refuseToAsk(ask.name);
    if (this.#phase === "ended") return { fired: NEVER, withdraw: noop };
    if (scope.canceledBy !== undefined) return { fired: Promise.reject(scope.canceledBy), withdraw: noop };
    const pending = new PendingTimer(this.#asked.add("StartTimer", ask.name), ask, scope, this.#onCancelTimer);
    this.#pending.set(pending.command, pending);
    this.#changes.push({ type: "asked", pending });
    return { fired: pending.promise, withdraw: () => this.#withdrawTimer(pending) };
  }

  askChild(ask: ChildAsk, scope: CancelScope): ChildHandle {
    this.#refuseToAsk("startChild()");
    if (this.#phase === "ended") return { workflowId: ask.workflowId ?? "", started: NEVER, ended: NEVER };
    if (scope.canceledBy !== undefined) {
      const rejected = Promise.reject(scope.canceledBy);
      return { workflowId: ask.workflowId ?? "", started: rejected, ended: rejected };
    }
    return this.#kin.askChild(ask, scope);
  }

  askMessage(ask: MessageAsk, scope: CancelScope): Promise<void> {
    this.#refuseToAsk(ask.name);
    if (this.#phase === "ended") return NEVER;
    if (scope.canceledBy !== undefined) return Promise.reject(scope.canceledBy);
    return this.#kin.askMessage(ask, scope);
  }

  waitUntil(predicate: () => boolean, scope: CancelScope): PendingCondition {
    this.#refuseToAsk("condition()");
    if (this.#phase === "ended") return { held: NEVER, isHeldNow: false, withdraw: noop };
    if (scope.canceledBy !== undefined) {
      return { held: Promise.reject(scope.canceledBy), isHeldNow: false, withdraw: noop };
    }
    if (this.#readOnly(predicate) === true) return { held: Promise.resolve(), isHeldNow: true, withdraw: noop };
    const { held, withdraw } = this.#conditions.add(() => this.#inContext(predicate), scope);
    return { held, isHeldNow: false, withdraw };
  }

  takeSignal(name: string): SignalMessage | undefined {
    return this.#signals.take(name);
  }

  takeFirstSignal(names: ReadonlySet<string>): { readonly name: string; readonly message: SignalMessage } | undefined {
    return this.#signals.takeFirst(names);
  }

  waitForSignal(name: string, scope: CancelScope): { readonly received: Promise<SignalMessage>; withdraw(): void } {
    this.#refuseToAsk(`signal "${name}".receive()`);
    if (this.#phase === "ended") return { received: NEVER, withdraw: noop };
    if (scope.canceledBy !== undefined) return { received: Promise.reject(scope.canceledBy), withdraw: noop };
    return this.#signals.waitIn(scope, name);
  }

  handleSignal(name: string, handler: SignalHandler): void {
    this.#refuseToAsk(`signal "${name}".handle()`);
    this.#signals.handle(name, (message) => {
      this.#inContext(() => {
        try {
          const { signalId } = message;
          const done = this.#around("Signal", { name, signalId }, () => handler.run(message));
          if (!(done instanceof Promise)) return;
          const leave = this.#underWay.enter({ kind: "signal", name, id: message.signalId }, handler.onUnfinished);
          done.then(leave, (error) => {
            leave();
            this.rejectedUnhandled(error);
          });
        } catch (error) {
          this.#end(() => this.#threw(error));
        }
      });
    });
  }

  handleUpdate(name: string, handler: UpdateHandler): void {
    this.#refuseToAsk(`update "${name}".handle()`);
    this.#updates.handle(name, handler);
  }

  upsert(kind: "attributes" | "memo", changes: Payload): void {
    const caller = kind === "memo" ? "upsertMemo()" : "upsertAttributes()";
    this.#refuseToAsk(caller);
    if (this.#phase === "ended" || changes === null) return;
    this.#data.change(kind, changes, caller);
    const type = kind === "memo" ? "MemoUpserted" : "AttributesUpserted";
    this.#enter({ type, command: this.#asked.add(ENTRY_KINDS[type], kind), name: kind, changes });
  }

  note(level: NoteLevel, text: string): void {
    this.#refuseToAsk("note()");
    if (this.#phase === "ended") return;
    this.#enter({ type: "RunNoted", command: this.#asked.add(ENTRY_KINDS.RunNoted, level), name: level, text });
  }

  setCurrentDetails(markdown: string): void {
    this.refuseInReadOnly("setCurrentDetails()");
    if (this.#phase !== "ended") this.#data.currentDetails = markdown === "" ? null : markdown;
  }

  get allHandlersFinished(): boolean {
    return this.#underWay.areNone;
  }

  handleQuery(name: string, handler: (input: Payload) => unknown): void {
    this.refuseInReadOnly(`query "${name}".handle()`);
    this.#queries.handle(name, handler);
  }

  markPatch(id: string, isDeprecated: boolean): boolean {
    this.#refuseToAsk(isDeprecated ? `deprecatePatch("${id}")` : `patched("${id}")`);
    // Code that goes on after the end of its run decides nothing that could be recorded.
    const isNew = !this.#isReplaying && this.#phase !== "ended";
    return this.#patches.ask(id, { isDeprecated, delivered: this.#delivered, isNew });
  }

  runInScope<T>(scope: CancelScope, body: () => T): T {
    return runWithAmbient({ kind: "workflow", run: this, scope }, body);
  }

  cancelScope(scope: CancelScope, failure: CanceledFailure): void {
    this.#refuseToAsk("canceling a scope");
    // Everything that was pending has been taken back already.
    if (this.#phase !== "ended") scope.cancel(failure);
  }

  refuseInReadOnly(caller: string): void {
    if (!this.#isReadOnly) return;
    const message = `${caller} was called in a query handler or a condition of run ${this.info.workflowId}. Those may only look at the run's state; move the call into the workflow function.`;
    throw new EverstepError("COMMAND_IN_READ_ONLY", message, { details: { runId: this.info.runId, caller } });
  }

  // ---------------------------------------------------------------- events

  #apply(event: HistoryEvent): boolean {
    switch (event.type) {
      case "RunStarted":
        this.#random = seededRandom(event.seed);
        this.#input = event.input;
        this.#now = event.at;
        this.#startedAt = event.at;
        this.#continues = event.continues;
        this.#parent = event.parent;
        this.#data.start(event);
        if (event.headers !== undefined) this.#headers = event.headers;
        return false;
      case "TimerStarted":
        this.#noteTimerStarted(event);
        return false;
      case "StepAttemptFailed":
        this.#noteAttemptFailed(event);
        return false;
      case "StepDeferred":
        this.#noteDeferred(event);
        return false;
      case "StepReported":
        this.#noteReported(event);
        return false;
      case "StepCompleted": {
        const pending = this.#answered(event, "RunStep", event.inputHash);
        if (pending === undefined) return false;
        const value = decodePayload(
          event.result,
          `result of step "${event.name}" of run ${this.#options.run.workflowId}`,
        );
        return this.#turn(event.at, () => (pending as PendingStep).resolve(value));
      }
      case "StepFailed": {
        const pending = this.#answered(event, "RunStep", event.inputHash);
        if (pending === undefined) return false;
        return this.#turn(event.at, () => (pending as PendingStep).reject(fromStepFailed(event)));
      }
      case "TimerFired": {
        const pending = this.#answered(event, "StartTimer", null);
        if (pending === undefined) return false;
        return this.#turn(event.at, () => (pending as PendingTimer).resolve());
      }
      case "SignalReceived":
        return this.#receive(event);
      case "UpdateAccepted":
        return this.#accept(event);
      case "UpdateCompleted": {
        const instead = this.#updates.compare(event);
        if (instead !== undefined) this.#asked.diverge(event, instead);
        return false;
      }
      case "CancelRequested":
        if (this.#outcome?.type === "continued") this.#lateCancels.push(event.mail);
        if (this.#isCancelRequested || this.#phase === "ended") return false;
        this.#isCancelRequested = true;
        return this.#turn(event.at, () => this.#rootScope.cancel(new CanceledFailure(event.reason)));
      case "RunPaused":
      case "RunResumed":
      case "RunUnblocked":
        return false;
      case "RunForked":
        this.#random = seededRandom(event.seed);
        this.#forgetAttempts(event.retried);
        return false;
      case "PatchMarked": {
        invariant(event.since < event.seq, "a mark comes after the event it names", { seq: event.seq });
        const missing = this.#patches.missing(event);
        if (missing !== undefined) this.#asked.diverge(event, missing);
        return false;
      }
      case "AttributesUpserted":
      case "MemoUpserted":
      case "RunNoted":
        this.#compareEntry(event);
        return false;
      case "RunCompleted":
      case "RunFailed":
      case "RunCanceled":
      case "RunContinued":
        this.#compareEnd(event);
        return false;
      case "ChildRequested":
      case "ChildStarted":
      case "ChildStartFailed":
      case "ChildEnded":
      case "ExternalRequested":
      case "ExternalDelivered":
      case "ExternalFailed":
        return this.#kin.apply(event);
      case "RunTerminated":
      case "RunTimedOut":
        this.#phase = "ended";
        return false;
    }
  }

  #turn(at: number, wake: () => void): boolean {
    this.#now = Math.max(this.#now, at);
    this.#isInTurn = true;
    wake();
    return true;
  }

  #receive(event: SignalReceived & HistoryEvent): boolean {
    const { workflowId } = this.#options.run;
    const value = decodePayload(event.payload, `payload of signal "${event.name}" to run ${workflowId}`);
    // Before the main function has begun there is no code to run: the signal waits in the box for its first line.
    if (this.#phase === "fresh") {
      this.#now = Math.max(this.#now, event.at);
      this.#signals.deliver(event, value);
      return false;
    }
    return this.#turn(event.at, () => this.#signals.deliver(event, value));
  }

  #accept(event: UpdateAccepted & HistoryEvent): boolean {
    if (this.#phase === "ended") this.#asked.diverge(event, "the code has ended by then");
    const { name, updateId } = event;
    const start = this.#updates.accept(event, {
      execute: (handler) => this.#around("Update", { name, updateId }, handler),
      ended: (update) => this.#updateEnded(update),
    });
    if (start === undefined) this.#asked.diverge(event, "the code has no handler for it by then");
    return this.#turn(event.at, () => this.#inContext(start));
  }

  #updateEnded(update: EndedUpdate): void {
    if (this.#broken !== undefined) return;
    if (this.#isInTurn) return this.#updates.noteEnded(update);
    if (this.#phase === "ended") return;
    const { workflowId, runId } = this.#options.run;
    const message = `The handler of update "${update.name}" of run ${workflowId} was ended by something outside the run's history. Whatever it waited for last belongs in a step.`;
    this.#breakOff(new EverstepError("FOREIGN_WAIT", message, { details: { runId } }));
  }

  /** The pending command that the event answers; undefined when the code has taken it back. */
  #answered(event: AnsweringEvent, kind: CommandKind, inputHash: string | null): PendingCommand | undefined {
    const pending = this.#compared(event, kind, inputHash);
    if (pending !== undefined) this.#pending.delete(event.command);
    return this.#phase === "ended" ? undefined : pending;
  }

  /** The pending command of the event; throws DIVERGENCE unless the code asked for what history says. */
  #compared(event: AnsweringEvent, kind: CommandKind, inputHash?: string | null): PendingCommand | undefined {
    this.#asked.compare(event, kind);
    const { command, name } = event;
    const pending = this.#pending.get(command);
    if (pending !== undefined && "ask" in pending && inputHash !== undefined && inputHash !== pending.ask.inputHash) {
      const asked = `the code asked for ${kind}("${name}") with another input as command ${command}`;
      this.#asked.diverge(event, asked, command);
    }
    return pending;
  }

  /** The code has gone on since: it is only compared. */
  #compareEntry(event: Entry & HistoryEvent): void {
    this.#asked.compare(event, ENTRY_KINDS[event.type]);
    if (isSameEntry(this.#data.recorded(event), event)) return;
    const other = event.type === "RunNoted" ? "another text" : "other values";
    const asked = `the code asked for ${ENTRY_KINDS[event.type]} with ${other} as command ${event.command}`;
    this.#asked.diverge(event, asked, event.command);
  }

  #enter(entry: Entry): void {
    this.#data.enter(entry);
    this.#changes.push({ type: "entered", entry });
  }

  /** Failures are not compared: their stacks differ from release to release. */
  #compareEnd(event: (RunCompleted | RunFailed | RunCanceled | RunContinued) & HistoryEvent): void {
    const outcome = this.#outcome;
    if (outcome === undefined) this.#asked.diverge(event, "the code has not ended by then");
    const entry = this.#data.firstEntry;
    if (entry !== undefined) {
      this.#asked.diverge(event, `the code asked for ${ENTRY_KINDS[entry.type]} before it ended`, entry.command);
    }
    if (ENDS[event.type] !== outcome.type) this.#asked.diverge(event, `the code ended as ${outcome.type}`);
    if (event.type === "RunCompleted" && outcome.type === "completed" && event.result !== outcome.result) {
      this.#asked.diverge(event, "the code returned another result");
    }
    if (event.type !== "RunContinued" || outcome.type !== "continued") return;
    const { workflow, input } = outcome.next;
    if (event.workflow !== workflow) this.#asked.diverge(event, `the code continued as workflow "${workflow}"`);
    if (hashPayload(event.input) !== hashPayload(input))
      this.#asked.diverge(event, "the code continued with another input");
  }

  #noteTimerStarted(event: TimerStarted & HistoryEvent): void {
    const pending = this.#compared(event, "StartTimer") as PendingTimer | undefined;
    if (pending !== undefined) pending.fireAt = "atMs" in event.due ? event.due.atMs : event.at + event.due.afterMs;
  }

  #noteAttemptFailed(event: StepAttemptFailed & HistoryEvent): void {
    const pending = this.#compared(event, "RunStep");
    if (pending?.kind !== "RunStep") return;
    pending.failedAttempts = event.attempt;
    pending.lastFailure = event.failure;
    pending.nextAttemptAt = event.at + event.delayMs;
    pending.firstAttemptAt = event.firstAttemptAt;
    pending.heartbeat = event.heartbeat;
    pending.deferral = null;
  }

  #noteDeferred(event: StepDeferred & HistoryEvent): void {
    const pending = this.#compared(event, "RunStep", event.inputHash);
    if (pending?.kind !== "RunStep") return;
    const { attempt, verifier, startedAt, firstAttemptAt, at } = event;
    invariant(attempt === pending.failedAttempts + 1, "an attempt is handed off after the failed ones", { attempt });
    pending.deferral = { attempt, verifier, startedAt, firstAttemptAt, aliveAt: at };
    pending.firstAttemptAt = firstAttemptAt;
    pending.heartbeat = event.heartbeat;
  }

  #noteReported(event: StepReported & HistoryEvent): void {
    // What was ignored may be about anything.
    if (event.report === "ignored") return;
    const pending = this.#compared(event, "RunStep");
    if (pending?.kind !== "RunStep" || pending.deferral === null) return;
    pending.deferral = { ...pending.deferral, aliveAt: event.at };
    pending.heartbeat = event.details;
  }

  #forgetAttempts(command: number | null): void {
    const pending = command === null ? undefined : this.#pending.get(command);
    if (pending?.kind !== "RunStep") return;
    pending.failedAttempts = 0;
    pending.lastFailure = null;
    pending.nextAttemptAt = null;
    pending.firstAttemptAt = null;
    pending.deferral = null;
  }

  // ---------------------------------------------------------------- inside

  #refuseToAsk(caller: string): void {
    this.refuseInReadOnly(caller);
    if (this.#isInTurn || this.#phase === "ended") return;
    const message = `${caller} was asked for by code of run ${this.info.workflowId} that something outside its history woke. Whatever it waited for belongs in a step.`;
    const error = new EverstepError("FOREIGN_WAIT", message, { details: { runId: this.info.runId, caller } });
    this.#breakOff(error);
    throw error;
  }

  // One function each for all commands of the run: closures of their own would be most of what a command weighs.
  readonly #onCancelStep = (pending: PendingStep, failure: CanceledFailure): void => {
    if (pending.ask.onCancel === "abandon") {
      this.#pending.delete(pending.command);
      this.#changes.push({ type: "withdrawn", pending });
      pending.reject(failure);
      return;
    }
    pending.stop(failure);
    this.#changes.push({ type: "cancelRequested", pending });
  };

  readonly #onCancelTimer = (pending: PendingTimer, failure: CanceledFailure): void => {
    this.#withdrawTimer(pending);
    pending.reject(failure);
  };

  #withdrawTimer(pending: PendingTimer): void {
    pending.abandon();
    if (this.#pending.delete(pending.command)) this.#changes.push({ type: "withdrawn", pending });
  }

  #wakeOneCondition(): boolean {
    return this.#conditions.wakeOne((predicate) => this.#readOnly(predicate) === true);
  }

  #lookingOnly<T>(seed: string, body: () => T): T {
    // It may draw from chance: the run's own sequence must not move by being looked at.
    const random = this.#random;
    this.#random = seededRandom(seed);
    try {
      return this.#readOnly(() => this.#inContext(body));
    } finally {
      this.#random = random;
    }
  }

  #readOnly<T>(body: () => T): T {
    const before = this.#isReadOnly;
    this.#isReadOnly = true;
    try {
      return body();
    } finally {
      this.#isReadOnly = before;
    }
  }

  #around<T>(kind: HandlerKind, called: CalledHandler, body: () => T): T {
    const { hooks } = this.#options;
    return hooks === undefined ? body() : hooks.handle(kind, { info: this.info, ...called }, body);
  }

  #inContext<T>(body: () => T): T {
    return runWithAmbient({ kind: "workflow", run: this, scope: this.#rootScope }, body);
  }

  #end(decide: () => Outcome): void {
    if (this.#phase !== "started" || this.#broken !== undefined) return;
    if (!this.#isInTurn) {
      const message = `Run ${this.info.workflowId} was ended by something outside its history. Whatever its code waited for last belongs in a step.`;
      this.#breakOff(new EverstepError("FOREIGN_WAIT", message, { details: { runId: this.info.runId } }));
      return;
    }
    this.#phase = "ended";
    this.#outcome = decide();
    if (this.#outcome.type === "continued") this.#signals.close();
    this.#conditions.clear();
    for (const pending of this.#pending.values()) {
      if (outlivesRun(pending)) continue;
      this.#pending.delete(pending.command);
      this.#changes.push({ type: "withdrawn", pending });
    }
  }

  #completed(result: unknown): Outcome {
    try {
      return {
        type: "completed",
        result: encodePayload(result, `result of workflow "${this.#options.workflow.name}"`),
      };
    } catch (error) {
      return { type: "failed", failure: toFailure(error) };
    }
  }

  #threw(error: unknown): Outcome {
    if (isContinueAsNew(error)) {
      return {
        type: "continued",
        next: { ...error.next, workflow: error.next.workflow ?? this.#options.workflow.name },
      };
    }
    const failure = toFailure(error);
    return this.#isCancelRequested && isCanceled(error) ? { type: "canceled", failure } : { type: "failed", failure };
  }

  #waitsForNothingKnown(): boolean {
    return (
      this.#phase === "started" &&
      this.#broken === undefined &&
      this.#pending.size === 0 &&
      this.#conditions.count === 0 &&
      !this.#signals.hasReceivers &&
      !this.#updates.hasHandlers
    );
  }

  #foreignWait(): EverstepError {
    const message = `Run ${this.info.workflowId} waits for something that is no step, timer, signal, update or condition, ${this.#asked.describeLast()}. Nothing in its history can ever wake it; wrap what it waits for in step().`;
    return new EverstepError("FOREIGN_WAIT", message, { details: { runId: this.info.runId } });
  }

  #breakOff(error: unknown): void {
    this.#broken ??=
      error instanceof EverstepError
        ? error
        : new EverstepError("INVARIANT_BROKEN", `Run ${this.info.workflowId}: ${messageOf(error)}`, { cause: error });
    this.#isInTurn = false;
  }
}

/**
 * What was asked for in the last turn, to be sent or started without this run, and has not been requested yet: that is done
 * before the run closes, as if the code had waited for it.
 */
function outlivesRun(pending: PendingCommand): boolean {
  if (pending.kind === "SendMessage") return !pending.isRequested;
  return pending.kind === "StartChild" && pending.childRunId === null && pending.ask.parentClosePolicy === "abandon";
}

/** What of an event grows with what the user stores, in UTF-16 units. */
function payloadLength(event: HistoryEvent): number {
  switch (event.type) {
    case "RunStarted":
      return event.input?.length ?? 0;
    case "StepCompleted":
      return event.result?.length ?? 0;
    case "SignalReceived":
      return event.payload?.length ?? 0;
    case "UpdateAccepted":
      return event.input?.length ?? 0;
    case "UpdateCompleted":
    case "ChildEnded":
      return event.result?.length ?? 0;
    default:
      return 0;
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
