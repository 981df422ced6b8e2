// What the client asks of whatever stands before the store: values in stored form, ids, outcomes. The typed client on one
// side and the rules of the service on the other meet here.

import type { AttributeCondition } from "../protocol/attribute-filter.ts";
import type { AttributeValue } from "../protocol/attributes.ts";
import type { Event, RepairRequest } from "../protocol/event.ts";
import type { Failure } from "../protocol/failure.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import type { HistoryFile } from "../protocol/history-file.ts";
import type { ListedLock } from "../protocol/listed-lock.ts";
import type { RunNote } from "../protocol/notes.ts";
import type { Payload } from "../protocol/payload.ts";
import type { PendingWork } from "../protocol/pending-work.ts";
import type { BlockedReason, ClosedStatus, PatchedRun, RunStatus, RunSummary } from "../protocol/run.ts";
import type { StoredRetry } from "../protocol/run-retry.ts";
import type { StepOutcome } from "../protocol/step-outcome.ts";
import type { VersionAsk, VersionPolicy, VersionPolicyChange } from "../protocol/version-policy.ts";
import type { WebhookCall } from "../protocol/webhook.ts";

/**
 * A run by its own id; by the caller's key: then the open run, else the latest; or the latest of the chain of runs, each
 * continued as the next, that a run started here belongs to.
 */
export type RunReference =
  | { readonly runId: string }
  | { readonly workflowId: string }
  /** Of a run that was started here: nobody needs to look whether it exists. */
  | { readonly chainOf: string };

export interface SignalCall {
  readonly signalId: string | null;
  readonly name: string;
  readonly payload: Payload;
}

export interface UpdateCall {
  readonly updateId: string | null;
  readonly name: string;
  readonly input: Payload;
}

/** An update that was sent, or is said to have been. */
export interface SentUpdate {
  readonly to: RunReference;
  readonly updateId: string;
  readonly name: string;
  /** Events that the run had when it was sent: they do not tell of it. */
  readonly after: number;
}

/**
 * A step that waits to be completed from outside: by its token, by its command's number, or by its name where only one of that
 * name waits.
 */
export type StepReference = { readonly token: string } | { readonly to: RunReference; readonly step: string | number };

/** Absent: nobody is named. */
export interface Acting {
  readonly actor?: string;
}

/** Beside what is asked for. */
export interface ControlCall extends Acting {
  /** Asking again with the same id changes nothing. Absent: a new random one. */
  readonly requestId?: string;
}

export type StepReportCall = StepOutcome & Acting & { readonly reportId: string | null };

/** Which waits of a run are to be cut short. */
export interface RepairCall extends Acting {
  /** All of a name; the one with a command's number; null for all. Of timers, limits of other waits by their number only. */
  readonly which: string | number | null;
  /** Asking again with the same id changes nothing. Null: a new random one. */
  readonly requestId: string | null;
}

/** How an update's handler ended. */
export interface UpdateOutcome {
  readonly result: Payload;
  readonly failure: Failure | null;
}

export type UpdateStage = "accepted" | "completed";

export interface StartCall {
  readonly workflow: string;
  /** Null: the run id is the workflow id. */
  readonly workflowId: string | null;
  readonly queue: string | null;
  /** Absent or null: the run is of no version. */
  readonly version?: VersionAsk | null;
  readonly input: Payload;
  readonly requestId: string | null;
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
  readonly onReuse: "allow" | "allowIfFailed" | "reject";
  readonly delayMs: number;
  readonly timeoutMs: number | null;
  /** For this run and those that go on in its place. Absent or null: none. */
  readonly chainTimeoutMs?: number | null;
  /** Put into the mailbox with the start; not both. */
  readonly signal: SignalCall | null;
  readonly update: UpdateCall | null;
  /** In stored form; null or absent for none. */
  readonly attributes?: Payload;
  readonly memo?: Payload;
  readonly summary?: string | undefined;
  readonly details?: string | undefined;
  /** As the caller gave them. */
  readonly headers?: RunHeaders | undefined;
  /** Absent: as the workflow says. */
  readonly retry?: StoredRetry | undefined;
}

export interface StartReply {
  readonly runId: string;
  readonly workflowId: string;
  /** False when an open run with the id was used instead. */
  readonly isNew: boolean;
  /** The update that was sent along. */
  readonly update: SentUpdate | null;
}

export interface ClosedRun {
  /** The run that closed: not the one that was asked for, where that one continued as new. */
  readonly runId: string;
  readonly status: ClosedStatus;
  readonly result: Payload;
  /** Also of one that failed and is tried again. */
  readonly failure: Failure | null;
  /** The run that goes on in its place, when it continued as new or is tried again. */
  readonly nextRunId: string | null;
}

export interface RunDescription extends RunSummary {
  /** Length of the history. */
  readonly events: number;
  /** The worker that executes the run now, if any. */
  readonly ownerId: string | null;
  /** When the run is due next, if it is parked for time; null otherwise. */
  readonly wakeAt: number | null;
  /** Why a blocked run is blocked. */
  readonly blocked: BlockedReason | null;
  /** Claims without progress since. */
  readonly crashCount: number;
  /** Stored signals, updates and cancel requests that the run has not taken yet. */
  readonly unreadMail: number;
  /** How the attempt before failed, of a run that is tried again; null for a first attempt. */
  readonly lastFailure: Failure | null;
  /** Steps, timers and waits. Null when the run is closed, or no worker answered in time. */
  readonly pending: PendingWork | null;
  /** What its starter said of it, in Markdown: `start({ details })`; null for nothing. */
  readonly staticDetails: string | null;
  /** What the code said last by `note()`, oldest first: ten at the most. */
  readonly notes: readonly RunNote[];
  /** One sentence: what the run is doing, or why it is not moving. */
  readonly summary: string;
}

/** One event as `history` shows it. */
export type ShownEvent = Event & { readonly seq: number; readonly at: number };

export interface NumberRange {
  readonly gt?: number;
  readonly gte?: number;
  readonly lt?: number;
  readonly lte?: number;
}

/** Ms since the epoch. */
export type TimeRange = NumberRange;

/** Which runs are meant: all that is given must hold. */
export interface FilterCall {
  readonly workflow?: string | undefined;
  readonly workflowId?: string | undefined;
  readonly workflowIdPrefix?: string | undefined;
  readonly queue?: string | undefined;
  /** Null: runs without one. */
  readonly version?: string | null | undefined;
  readonly attempt?: NumberRange | undefined;
  readonly status?: readonly RunStatus[] | undefined;
  readonly isPaused?: boolean | undefined;
  readonly startedAt?: TimeRange | undefined;
  readonly closedAt?: TimeRange | undefined;
  readonly attributes?: readonly AttributeCondition[] | undefined;
}

export interface OrderCall {
  /** By closing, or by an attribute, only runs that have it are listed. */
  readonly by: "startedAt" | "closedAt" | { readonly attribute: string };
  readonly isDescending: boolean;
}

export interface ListCall extends FilterCall {
  readonly order?: OrderCall | undefined;
  readonly limit?: number | undefined;
  readonly after?: string | undefined;
}

export type CountedBy = "status" | "workflow" | "version" | "queue" | { readonly attribute: string };

export interface CountCall extends FilterCall {
  /** Null: one group of all. */
  readonly by: CountedBy | null;
}

export interface LocksCall {
  /** Null: of every key. */
  readonly key: string | null;
  readonly limit?: number | undefined;
}

export interface ForkCall extends Acting {
  /** The last event that is shared; null: the last there is, of a closed run the last before its end. */
  readonly at: number | null;
  /** Instead of `at`: the event before the last end of the step or child with this name, or of any that failed. */
  readonly beforeStep: { readonly name: string | null } | null;
  /** Null: the source's. */
  readonly workflowId: string | null;
  /** In the place of the source's input, of which event 1 tells. */
  readonly input: { readonly payload: Payload } | null;
  /** In the place of what the step came to of which event `at` tells. */
  readonly result: { readonly payload: Payload } | null;
  readonly keepsSignals: boolean;
  /** Also where the fork would count on what a saga of the source has begun to undo since. Absent: refused there. */
  readonly sharesUndone?: true;
  /** Absent: the source's. Null: none. */
  readonly version?: string | null;
  /** The source is terminated if it is open. */
  readonly replaces: boolean;
  /** Of the bulk that this fork belongs to: forking a run again with the same one gives the same fork. Null: none. */
  readonly bulkId: string | null;
}

/** What may turn out to be impossible for a run, of what can be done to it. */
export type Deed =
  | { readonly do: "move"; readonly version: string | null }
  | { readonly do: RepairRequest; readonly call: RepairCall }
  | { readonly do: "reportStep"; readonly step: string; readonly call: StepReportCall }
  | { readonly do: "fork"; readonly call: ForkCall };

/** Where a bulk begins in the list of runs. */
export interface BulkPlace {
  /** A run id that no run has, of the time when the bulk was first opened. */
  readonly bulkId: string;
  /** For `list({ after })`, newest first: runs that were started by then are below it. */
  readonly after: string;
}

export interface ForkedRun {
  readonly runId: string;
  readonly workflowId: string;
}

export interface PruneCall {
  /** Null: of all workflows. */
  readonly workflow: string | null;
  readonly closedForMs: number;
  readonly isDryRun: boolean;
}

export interface PrunedRuns {
  readonly runs: number;
  /** In their histories. */
  readonly events: number;
}

export interface CountedGroup {
  /** Null for runs without the attribute, or without a version. */
  readonly value: AttributeValue | null;
  readonly count: number;
}

/** One version of a workflow. Times are ms since the epoch by the database's clock. */
export interface WorkflowVersion {
  /** Null: the workflow without a version, where it has open runs. */
  readonly version: string | null;
  /** The policy gives it to new runs: to all of them that are not on the ramp. */
  readonly isCurrent: boolean;
  /** The share of new runs that the policy's ramp gives it, in percent; 0 for none. */
  readonly rampPercent: number;
  /** Running, blocked or paused. */
  readonly openRuns: number;
  /** No run is open, and the policy gives it to none: workers can do without it. */
  readonly isDrained: boolean;
  /** A worker that has it was there within the last two minutes. */
  readonly isServed: boolean;
  /** When a worker said for the first time, and last, that it has it; null when none ever did. */
  readonly firstSeenAt: number | null;
  readonly lastSeenAt: number | null;
}

export interface WorkflowVersions {
  /** Null: each new run is of the version of the definition that it is started with. */
  readonly policy: VersionPolicy | null;
  /** The newest first; last what has no version. */
  readonly versions: readonly WorkflowVersion[];
}

/** Which runs a query is for: open ones; open ones and those that have completed. */
export type QueriedRuns = "open" | "openOrCompleted";

export interface FrontDoor {
  /** A bulk with this id, or with a new one. */
  openBulk(bulkId?: string): BulkPlace;
  start(call: StartCall): Promise<StartReply>;
  /** All at once, in order. A refused one rejects the whole call with RUN_ALREADY_STARTED after the others were started. */
  startMany(calls: readonly StartCall[]): Promise<readonly StartReply[]>;
  signal(to: RunReference, signal: SignalCall): Promise<void>;
  /** Resolves when the update is stored. */
  sendUpdate(to: RunReference, update: UpdateCall): Promise<SentUpdate>;
  /** Waits until the update has come that far. Null: it is accepted, and its handler is under way. */
  awaitUpdate(update: SentUpdate, stage: UpdateStage, timeoutMs: number | null): Promise<UpdateOutcome | null>;
  /** Resolves when the report is stored, or was before. */
  reportStep(step: StepReference, report: StepReportCall): Promise<void>;
  /** Resolves when the delivery is stored, or was before. */
  deliverWebhook(token: string, call: WebhookCall): Promise<void>;
  /** `onlyIf` absent: whatever the run's status is. */
  query(to: RunReference, name: string, input: Payload, timeoutMs: number, onlyIf?: QueriedRuns): Promise<Payload>;
  cancel(to: RunReference, reason: string, by?: Acting): Promise<void>;
  terminate(to: RunReference, reason: string, by?: Acting): Promise<void>;
  /** Repeating it changes nothing; with a `requestId`, also after the run was resumed. So it is with the next three. */
  pause(to: RunReference, reason: string, call?: ControlCall): Promise<void>;
  resume(to: RunReference, call?: ControlCall): Promise<void>;
  unblock(to: RunReference, call?: ControlCall): Promise<void>;
  /** Null: to the workflow without a version. */
  move(to: RunReference, version: string | null, call?: ControlCall): Promise<void>;
  /** Resolves when the request is stored, or was before. */
  retryNow(to: RunReference, call: RepairCall): Promise<void>;
  skipSleep(to: RunReference, call: RepairCall): Promise<void>;
  fork(to: RunReference, call: ForkCall): Promise<ForkedRun>;
  /** Resolves when the deed could be done to the run by now; else throws what it would throw. Changes nothing. */
  foresee(to: RunReference, deed: Deed): Promise<void>;
  /**
   * Waits until the run is closed, at most `timeoutMs`. `follows`: until a run of its chain is closed for good; else also
   * for one that continued as new, whose status says so.
   */
  outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun>;
  describe(to: RunReference): Promise<RunDescription>;
  list(call: ListCall): Promise<{ readonly runs: readonly RunSummary[]; readonly next: string | null }>;
  listPatches(call: ListCall): Promise<{ readonly runs: readonly PatchedRun[]; readonly next: string | null }>;
  versions(workflow: string): Promise<WorkflowVersions>;
  setVersionPolicy(workflow: string, policy: VersionPolicy | null, by?: Acting): Promise<void>;
  /** The newest first. */
  versionPolicyHistory(workflow: string, limit?: number): Promise<readonly VersionPolicyChange[]>;
  /** The largest groups first. */
  count(call: CountCall): Promise<readonly CountedGroup[]>;
  /** Who holds and who waits, in the order of each queue. */
  locks(call: LocksCall): Promise<readonly ListedLock[]>;
  exportRun(to: RunReference): Promise<HistoryFile>;
  importRun(file: HistoryFile): Promise<{ readonly runId: string; readonly workflowId: string }>;
  prune(call: PruneCall): Promise<PrunedRuns>;
  history(to: RunReference): AsyncIterable<ShownEvent>;
  close(): Promise<void>;
}
