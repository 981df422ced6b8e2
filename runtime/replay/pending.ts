// What a run has asked for and history has not answered yet.

import type { TimerDue } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { Cancellable, CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { ChildAsk, MessageAsk, StepAsk, TimerAsk } from "../../sdk/workflow/run-context.ts";
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

/** A step with what its earlier attempts left behind: the engine notes failed attempts as history tells them. */
export class PendingStep implements Cancellable {
  readonly kind = "RunStep";
  readonly command: number;
  readonly ask: StepAsk;
  readonly promise: Promise<unknown>;
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
  readonly #scope: CancelScope;
  readonly #onCancel: OnCancel<PendingStep>;
  #resolve: (value: unknown) => void = noop;
  #reject: (error: unknown) => void = noop;

  constructor(command: number, ask: StepAsk, scope: CancelScope, onCancel: OnCancel<PendingStep>) {
    this.command = command;
    this.ask = ask;
    this.#scope = scope;
    this.#onCancel = onCancel;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    scope.enter(this);
  }

  resolve(value: unknown): void {
    this.#scope.leave(this);
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.#scope.leave(this);
    this.#reject(error);
  }

  /** It goes on until its body has ended: its scope is not idle before. */
  stop(failure: CanceledFailure): void {
    this.cancelRequested = failure;
    this.#scope.enter(this);
  }

  cancel(failure: CanceledFailure): void {
    this.#onCancel(this, failure);
  }
}

export class PendingTimer implements Cancellable {
  readonly kind = "StartTimer";
  readonly command: number;
  readonly name: string;
  readonly due: TimerDue;
  readonly promise: Promise<void>;
  /** Known once TimerStarted is in the history. */
  fireAt: number | null = null;
  readonly #scope: CancelScope;
  readonly #onCancel: OnCancel<PendingTimer>;
  #resolve: () => void = noop;
  #reject: (error: unknown) => void = noop;

  constructor(command: number, ask: TimerAsk, scope: CancelScope, onCancel: OnCancel<PendingTimer>) {
    this.command = command;
    this.name = ask.name;
    this.due = ask.due;
    this.#scope = scope;
    this.#onCancel = onCancel;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    scope.enter(this);
  }

  resolve(): void {
    this.#scope.leave(this);
    this.#resolve();
  }

  reject(error: unknown): void {
    this.#reject(error);
  }

  /** The code no longer waits: the promise never settles. */
  abandon(): void {
    this.#scope.leave(this);
  }

  cancel(failure: CanceledFailure): void {
    this.#onCancel(this, failure);
  }
}

/** A child run: its two promises settle once each. */
export class PendingChild implements Cancellable {
  readonly kind = "StartChild";
  readonly command: number;
  readonly name: string;
  readonly workflowId: string;
  readonly ask: ChildAsk;
  readonly started: Promise<string>;
  readonly ended: Promise<unknown>;
  /** Known once the request is in the history. */
  childRunId: string | null = null;
  isStarted = false;
  /** The parent was canceled while the child was under way. */
  cancelRequested: CanceledFailure | null = null;
  readonly #scope: CancelScope;
  readonly #onCancel: OnCancel<PendingChild>;
  #resolveStarted: (runId: string) => void = noop;
  #rejectStarted: (error: unknown) => void = noop;
  #resolve: (value: unknown) => void = noop;
  #reject: (error: unknown) => void = noop;

  constructor(
    command: number,
    defaultWorkflowId: string,
    ask: ChildAsk,
    scope: CancelScope,
    onCancel: OnCancel<PendingChild>,
  ) {
    this.command = command;
    this.name = ask.workflow;
    this.workflowId = ask.workflowId ?? defaultWorkflowId;
    this.ask = ask;
    this.#scope = scope;
    this.#onCancel = onCancel;
    this.started = new Promise((resolve, reject) => {
      this.#resolveStarted = resolve;
      this.#rejectStarted = reject;
    });
    this.ended = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    scope.enter(this);
  }

  resolveStarted(): void {
    this.isStarted = true;
    this.#resolveStarted(this.childRunId ?? "");
  }

  resolve(value: unknown): void {
    this.#scope.leave(this);
    this.#resolve(value);
  }

  reject(error: unknown): void {
    this.#scope.leave(this);
    this.#rejectStarted(error);
    this.#reject(error);
  }

  /** It goes on until it has ended, or has the request: its scope is not idle before. */
  stop(failure: CanceledFailure): void {
    this.cancelRequested = failure;
    this.#scope.enter(this);
  }

  cancel(failure: CanceledFailure): void {
    this.#onCancel(this, failure);
  }
}

/** Mail to another run. */
export class PendingMessage implements Cancellable {
  readonly kind = "SendMessage";
  readonly command: number;
  readonly name: string;
  readonly ask: MessageAsk;
  readonly promise: Promise<void>;
  /** The request is in the history: the mail is sent, whatever becomes of this run. */
  isRequested = false;
  readonly #scope: CancelScope;
  readonly #onCancel: OnCancel<PendingMessage>;
  #resolve: () => void = noop;
  #reject: (error: unknown) => void = noop;

  constructor(command: number, ask: MessageAsk, scope: CancelScope, onCancel: OnCancel<PendingMessage>) {
    this.command = command;
    this.name = ask.name;
    this.ask = ask;
    this.#scope = scope;
    this.#onCancel = onCancel;
    this.promise = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    scope.enter(this);
  }

  resolve(): void {
    this.#scope.leave(this);
    this.#resolve();
  }

  reject(error: unknown): void {
    this.#scope.leave(this);
    this.#reject(error);
  }

  cancel(failure: CanceledFailure): void {
    this.#onCancel(this, failure);
  }
}

function noop(): void {}

export type PendingCommand = PendingStep | PendingTimer | PendingChild | PendingMessage;
export type CommandKind = PendingCommand["kind"] | EntryKind;

/** What the code did since the last look, in the order it did it. */
export type Change =
  | { readonly type: "asked"; readonly pending: PendingCommand }
  | { readonly type: "withdrawn"; readonly pending: PendingCommand }
  | { readonly type: "cancelRequested"; readonly pending: PendingStep }
  | { readonly type: "entered"; readonly entry: Entry };
