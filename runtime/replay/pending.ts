// What a run has asked for and history has not answered yet.

import type { TimerDue } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { currentAmbient, rejectWithAmbient } from "../../sdk/workflow/ambient.ts";
import type { Cancellable, CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { Answerable, ChildAsk, LockAsk, MessageAsk, StepAsk, TimerAsk } from "../../sdk/workflow/run-context.ts";
import type { Entry, EntryKind } from "./run-data.ts";

/** What the engine does about a command that its scope cancels. */
type OnCancel<Command> = (command: Command, failure: CanceledFailure) => void;

/** What an attempt that waits to be completed from outside is known by, and since when it has been silent. */
export interface Deferral {
  readonly attempt: number;
  readonly verifier: string;
  readonly startedAt: number;
  readonly firstAttemptAt: number;
  /** The hand-off, or the last heartbeat since. */
  readonly aliveAt: number;
}

/** Something that was asked for, in the scope it waits in, until it is answered or taken back. */
abstract class Pending<Value> implements Cancellable {
  readonly command: number;
  readonly promise: Promise<Value>;
  readonly #scope: CancelScope;
  readonly #onCancel: OnCancel<never>;
  readonly #onAnswer: Answerable["onAnswer"];
  protected readonly ambient = currentAmbient();
  #resolve: (value: Value) => void = noop;
  #reject: (error: unknown) => void = noop;

  /** `onCancel`: of the very class that hands it on. */
  constructor(command: number, scope: CancelScope, onCancel: OnCancel<never>, { onAnswer }: Answerable) {
    this.command = command;
    this.#scope = scope;
    this.#onCancel = onCancel;
    this.#onAnswer = onAnswer;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    scope.enter(this);
  }

  resolve(value: Value): void {
    this.#scope.leave(this);
    this.#resolve(value);
    this.#onAnswer?.({ isFailed: false, value });
  }

  reject(error: unknown): void {
    this.#scope.leave(this);
    rejectWithAmbient(this.ambient, this.#reject, error);
    this.#onAnswer?.({ isFailed: true, error });
  }

  /** The code no longer waits: the promise never settles. */
  abandon(): void {
    this.#scope.leave(this);
  }

  cancel(failure: CanceledFailure): void {
    this.#onCancel(this as never, failure);
  }

  /** It was canceled and goes on until it has ended: its scope is not idle before. */
  protected stay(): void {
    this.#scope.enter(this);
  }
}

/** A step with what its earlier attempts left behind: the engine notes failed attempts as history tells them. */
export class PendingStep extends Pending<unknown> {
  readonly kind = "RunStep";
  readonly ask: StepAsk;
  /** Attempts that failed so far. */
  failedAttempts = 0;
  lastFailure: Failure | null = null;
  /** When the next attempt may begin, by the store's clock; null for at once. */
  nextAttemptAt: number | null = null;
  firstAttemptAt: number | null = null;
  heartbeat: Payload = null;
  /** Null unless the attempt after the failed ones waits to be completed from outside. */
  deferral: Deferral | null = null;
  /** The step was canceled while it is under way: it ends as soon as its body does. */
  cancelRequested: CanceledFailure | null = null;

  constructor(command: number, ask: StepAsk, scope: CancelScope, onCancel: OnCancel<PendingStep>) {
    super(command, scope, onCancel, ask);
    this.ask = ask;
  }

  /** It goes on until its body has ended. */
  stop(failure: CanceledFailure): void {
    this.cancelRequested = failure;
    this.stay();
  }
}

export class PendingTimer extends Pending<void> {
  readonly kind = "StartTimer";
  readonly name: string;
  readonly due: TimerDue;
  readonly summary: string | undefined;
  /** Known once TimerStarted is in the history. */
  fireAt: number | null = null;

  constructor(command: number, ask: TimerAsk, scope: CancelScope, onCancel: OnCancel<PendingTimer>) {
    super(command, scope, onCancel, ask);
    this.name = ask.name;
    this.due = ask.due;
    this.summary = ask.summary;
  }
}

/** A child run: that it was started is a promise of its own, which settles before that of its end. */
export class PendingChild extends Pending<unknown> {
  readonly kind = "StartChild";
  readonly name: string;
  readonly workflowId: string;
  readonly ask: ChildAsk;
  readonly started: Promise<string>;
  /** Known once the request is in the history. */
  childRunId: string | null = null;
  isStarted = false;
  /** It is a run that was there before. */
  isAdopted = false;
  /** The turn in which its promise settled. */
  endedInTurn: number | undefined;
  /** The parent was canceled while the child was under way. */
  cancelRequested: CanceledFailure | null = null;
  /** Requested in the history of another run, which this one is a fork of, and not yet in its own. */
  isShared = false;
  /** It was requested before the fork, beside the other run, which goes on with it. */
  isBeside = false;
  #resolveStarted: (runId: string) => void = noop;
  #rejectStarted: (error: unknown) => void = noop;

  constructor(
    command: number,
    defaultWorkflowId: string,
    ask: ChildAsk,
    scope: CancelScope,
    onCancel: OnCancel<PendingChild>,
  ) {
    super(command, scope, onCancel, ask);
    this.name = ask.workflow;
    this.workflowId = ask.workflowId ?? defaultWorkflowId;
    this.ask = ask;
    this.started = new Promise((resolve, reject) => {
      this.#resolveStarted = resolve;
      this.#rejectStarted = reject;
    });
  }

  adopt(runId: string): void {
    this.isAdopted = true;
    this.childRunId = runId;
  }

  /** The run that it was is over: it is asked for as if for the first time. */
  startAnew(): void {
    this.childRunId = null;
    this.isStarted = false;
    this.isAdopted = false;
  }

  resolveStarted(): void {
    this.isStarted = true;
    this.#resolveStarted(this.childRunId ?? "");
  }

  override reject(error: unknown): void {
    rejectWithAmbient(this.ambient, this.#rejectStarted, error);
    super.reject(error);
  }

  /** It goes on until it has ended, or has the request. */
  stop(failure: CanceledFailure): void {
    this.cancelRequested = failure;
    this.stay();
  }
}

/** Mail to another run. */
export class PendingMessage extends Pending<void> {
  readonly kind = "SendMessage";
  readonly name: string;
  readonly ask: MessageAsk;
  /** The request is in the history: the mail is sent, whatever becomes of this run. */
  isRequested = false;
  /** The run that has sent it, under an id of its own: one that this run is a fork of. Null: this run. */
  askedBy: string | null = null;

  constructor(command: number, ask: MessageAsk, scope: CancelScope, onCancel: OnCancel<PendingMessage>) {
    super(command, scope, onCancel, ask);
    this.name = ask.name;
    this.ask = ask;
  }
}

/** A lock, or permits of a semaphore, from the call that asks for it to the event that says it is let go. */
export class PendingLock extends Pending<number> {
  readonly kind = "AcquireLock";
  /** The key. */
  readonly name: string;
  readonly permits: number;
  readonly capacity: number;
  /** The request is in the history: the run stands in the queue, or holds it, until history says otherwise. */
  isRequested = false;
  /** The code wants it no more. */
  isLetGo = false;
  /** Null until it is granted. */
  fencingToken: number | null = null;
  /** The run is a fork that held it, and has not got it again. */
  isAwaited = false;

  constructor(command: number, ask: LockAsk, scope: CancelScope, onCancel: OnCancel<PendingLock>) {
    super(command, scope, onCancel, ask);
    this.name = ask.key;
    this.permits = ask.permits;
    this.capacity = ask.capacity;
  }
}

function noop(): void {}

export type PendingCommand = PendingStep | PendingTimer | PendingChild | PendingMessage | PendingLock;
export type CommandKind = PendingCommand["kind"] | EntryKind;

/** What the code did since the last look, in the order it did it. */
export type Change =
  | { readonly type: "asked"; readonly pending: PendingCommand }
  | { readonly type: "withdrawn"; readonly pending: PendingCommand }
  | { readonly type: "cancelRequested"; readonly pending: PendingStep }
  | { readonly type: "entered"; readonly entry: Entry };
