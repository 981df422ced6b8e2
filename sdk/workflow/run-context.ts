// What the workflow functions ask of a run. The engine implements it; this side only knows the words.

import type { TimerDue } from "../protocol/event.ts";
import type { CanceledFailure } from "../protocol/failures.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import type { NoteLevel } from "../protocol/notes.ts";
import type { Payload } from "../protocol/payload.ts";
import type { RetryPolicy } from "../protocol/retry-policy.ts";
import type { StoredRetry } from "../protocol/run-retry.ts";
import type { VersionAsk } from "../protocol/version-policy.ts";
import type { AskAnswer } from "./asked.ts";
import type { CancelScope } from "./cancel-scope.ts";
import type { NextRun } from "./continue-as-new.ts";
import type { WorkflowInfo } from "./info.ts";
import type { WorkflowLog } from "./log.ts";
import type { StepBody } from "./step.ts";

/** Something that will be answered. */
export interface Answerable {
  /** Told in the turn in which the code gets the answer, once it has been settled; perhaps again, to no effect. */
  readonly onAnswer?: ((answer: AskAnswer) => void) | undefined;
}

/** Something that people see. */
export interface Summarized {
  /** For them, in a sentence. Undefined for nothing. */
  readonly summary?: string | undefined;
}

/** What an event about it repeats. */
export function summaryOf({ summary }: Summarized): { readonly summary?: string } {
  return summary === undefined ? {} : { summary };
}

export interface StepAsk extends Answerable, Summarized {
  readonly name: string;
  readonly body: StepBody;
  /** Stored form and hash of the input, for named reusable steps. */
  readonly inputHash: string | null;
  readonly retry: RetryPolicy;
  readonly timeoutMs: number | null;
  readonly totalTimeoutMs: number | null;
  readonly heartbeatTimeoutMs: number | null;
  readonly onCancel: "wait" | "try" | "abandon";
}

export interface TimerAsk extends Answerable, Summarized {
  /** What the timer is for: "sleep", "receive approve", ...: compared at replay. */
  readonly name: string;
  readonly due: TimerDue;
}

export interface ChildAsk extends Answerable {
  readonly workflow: string;
  readonly workflowId: string | null;
  readonly input: Payload;
  readonly inputHash: string;
  /** In stored form; null for none. */
  readonly attributes: Payload;
  readonly memo: Payload;
  /** Null: those of the parent. */
  readonly headers: RunHeaders | null;
  /** Null: the queue of the parent. */
  readonly queue: string | null;
  /** Null: the child has none. */
  readonly version: VersionAsk | null;
  readonly timeoutMs: number | null;
  /** For the child and those that go on in its place; null for none. */
  readonly chainTimeoutMs: number | null;
  /** Null: as its workflow says. */
  readonly retry: StoredRetry | null;
  readonly onReuse: "allow" | "allowIfFailed" | "reject";
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
  readonly parentClosePolicy: ParentClosePolicy;
  readonly onCancel: "wait" | "request" | "try" | "abandon";
}

/** What becomes of a child that is open when its parent closes. */
export type ParentClosePolicy = "terminate" | "cancel" | "abandon";

export interface PendingChild {
  readonly workflowId: string;
  /** Resolves to the child's run id. */
  readonly started: Promise<string>;
  readonly ended: Promise<unknown>;
  /** The number of the turn in which `ended` settled; undefined before that. */
  readonly endedInTurn: number | undefined;
}

/** Mail to another run. */
export interface MessageAsk extends Answerable {
  /** What is sent, such as "signal approve": compared at replay. */
  readonly name: string;
  /** By workflow id: the open run, else the latest; by the chain that a child began. */
  readonly to: { readonly workflowId: string } | { readonly chainOf: string };
  readonly kind: "signal" | "cancel";
  /** The signal's name; the reason of a cancel. */
  readonly subject: string;
  readonly payload: Payload;
  readonly inputHash: string;
}

/** A place in the queue of a key. */
export interface LockAsk extends Answerable {
  readonly key: string;
  readonly permits: number;
  /** How many permits there are: 1 for a lock. */
  readonly capacity: number;
}

export interface PendingLock {
  /** Resolves to the fencing token of the grant. */
  readonly granted: Promise<number>;
  /** The newest token, once it is granted: a fork that held it has got it again since. */
  token(): number;
  /** Gives up the permits, or the place in the queue. Harmless the second time. */
  release(): void;
}

export interface PendingTimer {
  readonly fired: Promise<void>;
  /** Takes the timer back. Harmless when it has fired. */
  withdraw(): void;
}

export interface PendingCondition {
  readonly held: Promise<void>;
  /** The predicate held at once. */
  readonly isHeldNow: boolean;
  withdraw(): void;
}

/** A signal as the run got it. */
export interface SignalMessage {
  readonly signalId: string;
  /** The payload, read. */
  readonly value: unknown;
}

/** When the run closes while a handler is under way: leave a line in the worker's log, or say nothing. */
export type UnfinishedPolicy = "warn" | "abandon";

/** Up to where the history is searched for a signal. */
export interface SignalLimit {
  /** It came before this mail. */
  readonly beforeMail?: number | undefined;
  /** It came in this turn at the latest. */
  readonly byTurn?: number | undefined;
}

export interface SignalHandler {
  readonly run: (message: SignalMessage) => void | Promise<void>;
  readonly onUnfinished: UnfinishedPolicy;
}

/** Both get the input, read. */
export interface UpdateHandler {
  /** Throws what the update is rejected with. */
  readonly validate: (input: unknown) => unknown;
  /** `mail`: the place of the update in the mailbox. */
  readonly run: (input: unknown, mail: number) => unknown;
  readonly onUnfinished: UnfinishedPolicy;
}

export interface RunContext {
  readonly info: WorkflowInfo;
  readonly log: WorkflowLog;
  /** Time and chance derived from the history. */
  now(): number;
  random(): number;
  randomUUID(): string;

  askStep(ask: StepAsk, scope: CancelScope): Promise<unknown>;
  askTimer(ask: TimerAsk, scope: CancelScope): PendingTimer;
  askChild(ask: ChildAsk, scope: CancelScope): PendingChild;
  /** Resolves when the mail is in the other run's mailbox. */
  askMessage(ask: MessageAsk, scope: CancelScope): Promise<void>;
  askLock(ask: LockAsk, scope: CancelScope): PendingLock;
  /** What the next run is to be, after all who have a say in it. */
  askContinueAsNew(next: NextRun): NextRun;
  /** Resolves once `predicate` holds; it is evaluated now and after everything that happens to the run. */
  waitUntil(predicate: () => boolean, scope: CancelScope): PendingCondition;
  /** The oldest buffered signal of this name, taken; undefined when there is none. */
  takeSignal(name: string): SignalMessage | undefined;
  /** The oldest buffered signal that has one of these names, taken; undefined when there is none within the limit. */
  takeFirstSignal(
    names: ReadonlySet<string>,
    limit?: SignalLimit,
  ): { readonly name: string; readonly message: SignalMessage } | undefined;
  /** The next signal of this name that nobody takes before. */
  waitForSignal(name: string, scope: CancelScope): { readonly received: Promise<SignalMessage>; withdraw(): void };
  handleSignal(name: string, handler: SignalHandler): void;
  handleUpdate(name: string, handler: UpdateHandler): void;
  /**
   * Until what is returned is called, the update at this place in the mailbox has not been begun on: should the run continue
   * as new, the update passes to the next run, which decides on it and handles it as if it were the first.
   */
  holdUpdate(mail: number): () => void;
  /** Signals that nobody has received and updates that are held: what would pass to the next run now. */
  readonly waitingMail: number;
  /** No handler of a signal or an update is under way. */
  readonly allHandlersFinished: boolean;
  /** Puts changes into the history, in the order of the calls, and makes them at once in `info`. Null: none. */
  upsert(kind: "attributes" | "memo", changes: Payload): void;
  /** Puts a note into the history, in the order of the calls. */
  note(level: NoteLevel, text: string): void;
  setCurrentDetails(markdown: string): void;
  handleQuery(name: string, handler: (input: Payload) => unknown): void;
  /** Whether the run goes the new way of this patch; recorded where it gets there for the first time. */
  markPatch(id: string, isDeprecated: boolean): boolean;
  /** The last event that is for the code to see, of those delivered: the same at replay. */
  readonly seenEvents: number;
  /** What was done after event `since` is going to be undone: the history tells it before any step of that begins. */
  beginCompensation(since: number): void;
  /** Runs `body` with the calls it makes bound to a new scope. What is held around the caller is held around it. */
  runInScope<T>(scope: CancelScope, body: () => T): T;
  /** Cancels what waits in the scope and below, now. Harmless when it was canceled before. */
  cancelScope(scope: CancelScope, failure: CanceledFailure): void;
  /** Throws COMMAND_IN_READ_ONLY while a query handler or a condition's predicate is being evaluated. */
  refuseInReadOnly(caller: string): void;
}
