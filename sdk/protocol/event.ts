// The facts a history is made of. Every outcome that workflow code can observe is one of these, decided once, in
// log order. A shipped type keeps its number and its meaning for ever: old histories must replay.

import type { Failure } from "./failure.ts";
import type { RunHeaders } from "./headers.ts";
import type { NoteLevel } from "./notes.ts";
import type { Payload } from "./payload.ts";
import type { StoredRetry } from "./run-retry.ts";

/** What answers a command carries the command's number and repeats its name, so that replay can compare both. */
interface Answer {
  readonly command: number;
  readonly name: string;
}

export interface RunStarted {
  readonly type: "RunStarted";
  readonly workflow: string;
  readonly input: Payload;
  /** Seeds the run's `Math.random` and `crypto.randomUUID`. */
  readonly seed: string;
  /** What the run was started with, as `AttributesUpserted` and `MemoUpserted` say it; absent for nothing. */
  readonly attributes?: Payload;
  readonly memo?: Payload;
  /** For people, as it was started with; absent for none. */
  readonly summary?: string;
  readonly details?: string;
  /** Absent for none. */
  readonly headers?: RunHeaders;
  /** How long its chain may go on, counted from the start of this run; absent for without end. */
  readonly chainTimeoutMs?: number;
  /** How this run is tried again, where it was started with a policy of its own; absent for that of its workflow. */
  readonly retry?: StoredRetry;
  /** Of a run that goes on where another left off: which one, and the first of them all. */
  readonly continues?: Continuation;
  /** Of a run that another one started. */
  readonly parent?: ParentRun;
  /** The run above all of its parents, where that is not the parent itself. */
  readonly root?: ParentRun;
  /** The version of the workflow that the run is of; absent for none. */
  readonly version?: string;
}

/** The run that started this one, and waits to hear how it ends. */
export interface ParentRun {
  readonly runId: string;
  readonly workflowId: string;
}

/** A run's place in a chain of runs that continued as new, or were tried again. */
export interface Continuation {
  readonly previousRunId: string;
  readonly firstRunId: string;
  /** When that one was started, by the database's clock. Absent in chains that an earlier release began. */
  readonly firstStartedAt?: number;
  /** A run that did not start the chain waits for its end: see `RunAdopted`. */
  readonly isAwaited?: true;
  /** Absent unless the run before failed, and this one tries it again. */
  readonly retry?: RetriedRun;
}

/** What a run that tries another one again has from it. */
export interface RetriedRun {
  /** From 2. */
  readonly attempt: number;
  /** How the attempt before failed. */
  readonly failure: Failure;
  /** The run timeout, for all attempts together, counted from the start of the first; null for none. */
  readonly timeoutMs: number | null;
}

/** Who did it, as they call themselves. Absent where the call did not say. */
interface MaybeActed {
  readonly actor?: string;
}

/** Of an attempt that was ended from outside: the mail that did it. Absent when its body ended it. */
interface MaybeReported extends MaybeActed {
  readonly mail?: number;
  /** The sender's id: whoever sends again with it is told that it was heard. */
  readonly reportId?: string;
}

/** What the code said for people about what it asked for. Not compared at replay; absent for nothing. */
interface MaybeSummarized {
  readonly summary?: string;
}

export interface StepCompleted extends Answer, MaybeReported, MaybeSummarized {
  readonly type: "StepCompleted";
  readonly result: Payload;
  readonly attempt: number;
  /** Hash of the stored input; null for inline steps, whose input is whatever they close over. */
  readonly inputHash: string | null;
}

export interface StepFailed extends Answer, MaybeReported, MaybeSummarized {
  readonly type: "StepFailed";
  readonly failure: Failure;
  readonly attempt: number;
  readonly inputHash: string | null;
}

/** An attempt that will be followed by another. Visible in the history; workflow code never sees it. */
export interface StepAttemptFailed extends Answer, MaybeReported, MaybeSummarized {
  readonly type: "StepAttemptFailed";
  readonly failure: Failure;
  readonly attempt: number;
  /** Pause before the next attempt, jitter included, counted from this event's `at`. */
  readonly delayMs: number;
  /** When attempt 1 began, by the database's clock: bounds the time over all attempts. */
  readonly firstAttemptAt: number;
  /** The last heartbeat's details, for the next attempt. */
  readonly heartbeat: Payload;
}

/**
 * An attempt's body has handed off: it is not run again for this attempt, which waits to be completed from outside.
 * Workflow code never sees it.
 */
export interface StepDeferred extends Answer {
  readonly type: "StepDeferred";
  readonly attempt: number;
  /** The hash of the secret in the attempt's token. The secret itself is kept nowhere. */
  readonly verifier: string;
  /** When the attempt's body began and when that of attempt 1 did, by the database's clock: time limits count from there. */
  readonly startedAt: number;
  readonly firstAttemptAt: number;
  /** The last heartbeat's details. */
  readonly heartbeat: Payload;
  readonly inputHash: string | null;
}

/** Mail about a step that did not end an attempt. Workflow code never sees it. */
export interface StepReported extends Answer, MaybeActed {
  readonly type: "StepReported";
  readonly attempt: number;
  readonly mail: number;
  readonly reportId: string;
  /** A sign of life of the attempt that waits; or one that came when that attempt did not wait any more. */
  readonly report: "heartbeat" | "ignored";
  /** A heartbeat's details. */
  readonly details: Payload;
}

/** Somebody cut the pause after a failed attempt short: the next one is due at once. Workflow code never sees it. */
export interface StepRetried extends Answer, MaybeActed {
  readonly type: "StepRetried";
  /** The attempt that is due. */
  readonly attempt: number;
  readonly mail: number;
  /** The sender's id: whoever asks again with it is told that it was heard. */
  readonly requestId: string;
}

/** The timer's deadline: counted from this event's `at`, or absolute (both by the database's clock). */
export type TimerDue = { readonly afterMs: number } | { readonly atMs: number };

export interface TimerStarted extends Answer, MaybeSummarized {
  readonly type: "TimerStarted";
  readonly due: TimerDue;
}

export interface TimerFired extends Answer {
  readonly type: "TimerFired";
}

/** Somebody ended the timer before its time. To the code it is as if it had fired. */
export interface TimerSkipped extends Answer, MaybeActed {
  readonly type: "TimerSkipped";
  readonly mail: number;
  readonly requestId: string;
}

/** What was to be retried or skipped did not wait any more. Workflow code never sees it. */
export interface RequestIgnored extends MaybeActed {
  readonly type: "RequestIgnored";
  readonly mail: number;
  readonly requestId: string;
  readonly request: RepairRequest;
}

/** What cuts waits of a run short: the pauses before next attempts, or timers. */
export type RepairRequest = "retryNow" | "skipSleep";

export interface SignalReceived {
  readonly type: "SignalReceived";
  readonly name: string;
  readonly signalId: string;
  /** Position in the run's mailbox, from 1. */
  readonly mail: number;
  readonly payload: Payload;
  /** It was there before the workflow's first line ran, and is delivered before it. */
  readonly isEarly: boolean;
}

/** The run took an update from its mailbox: its validator had nothing against it, and its handler runs from here on. */
export interface UpdateAccepted {
  readonly type: "UpdateAccepted";
  readonly name: string;
  readonly updateId: string;
  readonly mail: number;
  readonly input: Payload;
}

/** An update's handler has ended. Workflow code does not see it: it tells whoever sent the update. */
export interface UpdateCompleted {
  readonly type: "UpdateCompleted";
  readonly name: string;
  readonly updateId: string;
  /** What the handler returned; null when it failed. */
  readonly result: Payload;
  /** What it threw; null when it returned. */
  readonly failure: Failure | null;
}

export interface CancelRequested extends MaybeActed {
  readonly type: "CancelRequested";
  readonly mail: number;
  readonly reason: string;
}

/** The run was told to stand still. Workflow code does not see it. */
export interface RunPaused extends MaybeActed {
  readonly type: "RunPaused";
  readonly mail: number;
  readonly reason: string;
}

export interface RunResumed extends MaybeActed {
  readonly type: "RunResumed";
  readonly mail: number;
}

/** Somebody let the run be claimed again that had been set aside. */
export interface RunUnblocked extends MaybeActed {
  readonly type: "RunUnblocked";
  readonly mail: number;
  /** Why it had been blocked: a `BlockedKind`. */
  readonly kind: string;
}

/** A run that has not started this one waits for its end, as if it were its child. Workflow code does not see it. */
export interface RunAdopted {
  readonly type: "RunAdopted";
  readonly mail: number;
  /** The run that waits. */
  readonly by: string;
}

/**
 * From here on, or from a little before, the run is executed by another version's code, which replays all of it. Workflow
 * code does not see it.
 */
export interface RunMoved extends MaybeActed {
  readonly type: "RunMoved";
  readonly mail: number;
  /** Null: the workflow without a version. */
  readonly version: string | null;
}

/** What is before it was shared with another run; from here on the run goes its own way. Workflow code does not see it. */
export interface RunForked extends MaybeActed {
  readonly type: "RunForked";
  /** The other run's id, and its last event that is shared. */
  readonly source: string;
  readonly event: number;
  /** The run that went through the shared events, where the source has them from it; absent where it was the source itself. */
  readonly origin?: string;
  /** Seeds chance from here on: a fork does not give out the ids that its source gave out after this point. */
  readonly seed: string;
  /** The last shared event is not as the source has it. */
  readonly isEdited: boolean;
  /** The command of a step whose failed attempts no longer count, or of a child that is started anew; null for none. */
  readonly retried: number | null;
  /** The other run goes on with the children that both have: they are not this run's own, which only waits for them. */
  readonly isBeside?: true;
  /** The version that the fork is of; absent for none. */
  readonly version?: string;
  /** The commands of the locks that it held then: it stands still until it has all of them again. Absent for none. */
  readonly locks?: readonly number[];
}

/** The code was told to go the new way of a patch. */
export interface PatchMarked {
  readonly type: "PatchMarked";
  /** The patch's id. */
  readonly name: string;
  /** The event that the code had seen last when it asked. Between it and this one is nothing that hangs on the answer. */
  readonly since: number;
  /** Asked for by `deprecatePatch`: code that no longer asks fits as well. */
  readonly isDeprecated: boolean;
}

/** A saga begins to undo what the run has done after event `since`, where the saga began. Workflow code does not see it. */
export interface CompensationBegun {
  readonly type: "CompensationBegun";
  readonly since: number;
}

/** The code set or removed attributes of its run: what it asked for, by number, and nothing it waited for. */
export interface AttributesUpserted extends Answer {
  readonly type: "AttributesUpserted";
  /** Typed values by name, null for those taken away. */
  readonly changes: Payload;
}

export interface MemoUpserted extends Answer {
  readonly type: "MemoUpserted";
  /** Values by key, null for those taken away. */
  readonly changes: Payload;
}

/** The code said something to people. Nothing hangs on it. */
export interface RunNoted extends Answer {
  readonly type: "RunNoted";
  readonly name: NoteLevel;
  readonly text: string;
}

/** A signal that was in the mailbox or delivered, yet received by nobody when its run closed. */
export interface UnreadSignal {
  readonly name: string;
  readonly signalId: string;
}

export interface RunCompleted {
  readonly type: "RunCompleted";
  readonly result: Payload;
  readonly unread: readonly UnreadSignal[];
}

export interface RunFailed {
  readonly type: "RunFailed";
  readonly failure: Failure;
  readonly unread: readonly UnreadSignal[];
}

export interface RunCanceled {
  readonly type: "RunCanceled";
  readonly failure: Failure;
  readonly unread: readonly UnreadSignal[];
}

export interface RunTerminated extends MaybeActed {
  readonly type: "RunTerminated";
  readonly reason: string;
}

export interface RunTimedOut {
  readonly type: "RunTimedOut";
  readonly timeoutMs: number;
}

/** The run goes on as a new one, with an empty history and the same workflow id. */
export interface RunContinued {
  readonly type: "RunContinued";
  readonly nextRunId: string;
  /** The workflow and the input of the next run. */
  readonly workflow: string;
  /** Null with `retry`: it is the input that this run had. */
  readonly input: Payload;
  /** The run failed, and is tried again. */
  readonly retry?: RunRetry;
}

/** How a run failed that is followed by another attempt. */
export interface RunRetry {
  /** The number of the next attempt. */
  readonly attempt: number;
  /** Pause before it, jitter included, counted from this event's `at`. */
  readonly delayMs: number;
  readonly failure: Failure;
}

/**
 * The start of a child run was asked for. It is carried out after this is committed. A fork says it again of a child that was
 * under way in its source: of the same run, which is then not started once more, or of another.
 */
export interface ChildRequested extends Answer {
  readonly type: "ChildRequested";
  /** Hash of the input, and of the workflow id where the code gave one. */
  readonly inputHash: string;
  readonly childRunId: string;
  readonly childWorkflowId: string;
}

export interface ChildStarted extends Answer {
  readonly type: "ChildStarted";
  readonly mail: number;
  /** The open run that had the workflow id, and stands for the child; absent when the child itself was started. */
  readonly adopted?: string;
}

export interface ChildStartFailed extends Answer {
  readonly type: "ChildStartFailed";
  readonly mail: number;
  readonly failure: Failure;
}

/** The child has ended for good: where it continued as new, the last run of its chain. */
export interface ChildEnded extends Answer {
  readonly type: "ChildEnded";
  readonly mail: number;
  readonly result: Payload;
  /** Null: it completed. */
  readonly failure: Failure | null;
}

/** A signal or cancel request to another run was asked for. It is sent after this is committed. A fork may say it again. */
export interface ExternalRequested extends Answer {
  readonly type: "ExternalRequested";
  /** Hash of the receiver and the payload. */
  readonly inputHash: string;
}

/** The other run's mailbox has it. */
export interface ExternalDelivered extends Answer {
  readonly type: "ExternalDelivered";
  readonly mail: number;
}

export interface ExternalFailed extends Answer {
  readonly type: "ExternalFailed";
  readonly mail: number;
  readonly failure: Failure;
}

/** A lock, or permits of a semaphore, were asked for: the run stands in the queue of the key from here on. */
export interface LockRequested extends Answer {
  readonly type: "LockRequested";
  /** The key. */
  readonly name: string;
  readonly permits: number;
  /** How many permits there are, as the code had it when it asked. */
  readonly capacity: number;
}

export interface LockGranted extends Answer {
  readonly type: "LockGranted";
  readonly mail: number;
  /** Greater than that of every grant of the key before. */
  readonly fencingToken: number;
}

/**
 * A fork has again what its shared events say that it held. These come right after `RunForked`. Workflow code sees nothing of
 * it but the token, where it looks at it.
 */
export interface LockRegained extends Answer {
  readonly type: "LockRegained";
  /** Greater than that of every grant of the key before. */
  readonly fencingToken: number;
}

/** The run holds it no more, or has left the queue. Workflow code does not see it. */
export interface LockReleased extends Answer {
  readonly type: "LockReleased";
}

export type Event =
  | RunStarted
  | StepCompleted
  | StepFailed
  | StepAttemptFailed
  | StepDeferred
  | StepReported
  | StepRetried
  | TimerStarted
  | TimerFired
  | TimerSkipped
  | RequestIgnored
  | SignalReceived
  | CancelRequested
  | RunPaused
  | RunResumed
  | RunUnblocked
  | RunAdopted
  | RunForked
  | RunMoved
  | UpdateAccepted
  | UpdateCompleted
  | PatchMarked
  | CompensationBegun
  | AttributesUpserted
  | MemoUpserted
  | RunNoted
  | RunCompleted
  | RunFailed
  | RunCanceled
  | RunTerminated
  | RunTimedOut
  | ChildStarted
  | ChildStartFailed
  | ChildEnded
  | ChildRequested
  | RunContinued
  | ExternalDelivered
  | ExternalFailed
  | ExternalRequested
  | LockRequested
  | LockGranted
  | LockRegained
  | LockReleased;

export type EventType = Event["type"];

/** A fact at its place in a history: `seq` counts from 1 without gaps, `at` is the database's clock in ms. */
export type HistoryEvent = Event & { readonly seq: number; readonly at: number };

/** The event at its place. The common ones are spelled out: a copy by spreading takes several times as long. */
export function placedAt(event: Event, seq: number, at: number): HistoryEvent {
  if (event.type !== "StepCompleted" || event.mail !== undefined || event.summary !== undefined) {
    return { ...event, seq, at };
  }
  const { type, command, name, result, attempt, inputHash } = event;
  return { type, seq, at, command, name, result, attempt, inputHash };
}

/** The number each type is stored under. Never change or reuse one. */
export const EVENT_CODES = {
  RunStarted: 1,
  StepCompleted: 2,
  StepFailed: 3,
  StepAttemptFailed: 4,
  TimerStarted: 5,
  TimerFired: 6,
  SignalReceived: 7,
  CancelRequested: 8,
  RunCompleted: 9,
  RunFailed: 10,
  RunCanceled: 11,
  RunTerminated: 12,
  RunTimedOut: 13,
  PatchMarked: 14,
  UpdateAccepted: 16,
  UpdateCompleted: 17,
  StepDeferred: 18,
  AttributesUpserted: 19,
  MemoUpserted: 20,
  StepReported: 21,
  ChildStarted: 22,
  ChildStartFailed: 23,
  ChildEnded: 24,
  ChildRequested: 25,
  RunContinued: 26,
  ExternalDelivered: 27,
  ExternalFailed: 28,
  ExternalRequested: 29,
  RunPaused: 32,
  RunResumed: 33,
  RunUnblocked: 34,
  RunForked: 35,
  RunNoted: 36,
  LockRequested: 40,
  LockGranted: 41,
  LockReleased: 42,
  RunAdopted: 45,
  RunMoved: 46,
  StepRetried: 50,
  TimerSkipped: 51,
  RequestIgnored: 52,
  LockRegained: 61,
  CompensationBegun: 62,
} as const satisfies Record<EventType, number>;

/** The types, as they are stored, of all that is said of steps. */
export const STEP_CODES: readonly number[] = [
  EVENT_CODES.StepCompleted,
  EVENT_CODES.StepFailed,
  EVENT_CODES.StepAttemptFailed,
  EVENT_CODES.StepDeferred,
  EVENT_CODES.StepReported,
  EVENT_CODES.StepRetried,
];

export type ClosingEvent = RunCompleted | RunFailed | RunCanceled | RunTerminated | RunTimedOut | RunContinued;

// The numbers say nothing of it: they are given in the order in which types were shipped.
const CLOSING: ReadonlySet<EventType> = new Set<ClosingEvent["type"]>([
  "RunCompleted",
  "RunFailed",
  "RunCanceled",
  "RunTerminated",
  "RunTimedOut",
  "RunContinued",
]);

const CLOSING_CODES: ReadonlySet<number> = new Set([...CLOSING].map((type) => EVENT_CODES[type]));

export function isClosing(event: Event): event is ClosingEvent {
  return CLOSING.has(event.type);
}

/** The same of an event as it is stored. */
export function isClosingCode(code: number): boolean {
  return CLOSING_CODES.has(code);
}
