// The history, kept. This is the port; what it promises is what the whole house stands on:
//
//   1. Each call is one atomic statement or transaction. What it answers is committed.
//   2. A rejected call may still have landed, now or later. Only STORE_REJECTED says it has not and never will.
//   3. The right to write a run is (epoch, claimId), compared under the run's row lock in the statement that writes.
//      A stale claim changes nothing; the other runs of the same call are unaffected.
//   4. A run's events are seq 1, 2, 3, ...; `events` in a head is their count.
//   5. Attributes and memo of a run are what its history makes of them, at any moment that anybody looks.
//   6. All times are ms by the store's clock; `at` never precedes the event before it by more than a clock step.

import type { AttributeCondition } from "../../sdk/protocol/attribute-filter.ts";
import type { StoredAttribute } from "../../sdk/protocol/attributes.ts";
import type { RepairRequest } from "../../sdk/protocol/event.ts";
import type { EventRecord, StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { ListedLock } from "../../sdk/protocol/listed-lock.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { BlockedReason, ClosedStatus, RunStatus, RunSummary } from "../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { VersionPolicy, VersionPolicyChange } from "../../sdk/protocol/version-policy.ts";
import type { ActedBy } from "./acted-by.ts";
import type { Errand } from "./errands.ts";
import type { VersionKey } from "./lanes.ts";
import type { ListLocksRequest, LockChanges, LockRequest } from "./locks.ts";
import type { DataChange, KeptData } from "./run-data.ts";
import type { NextVersion, StoredVersions } from "./versions.ts";

/** The right to write one run, until somebody else claims it. */
export interface Claim {
  readonly runId: string;
  /** Only ever raised, by claiming. */
  readonly epoch: number;
  /** Random per claim call: tells two owners of one epoch apart after a failover rolled the database back. */
  readonly claimId: string;
}

export interface ClaimedRun extends Claim {
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Null: none. */
  readonly version: string | null;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  /** Number of events at the time of the claim. */
  readonly events: number;
  /** Mail items already moved into the history, and the number of the newest in the mailbox. */
  readonly takenMail: number;
  readonly newestMail: number;
  /** Claims without progress since, this one included. */
  readonly crashCount: number;
  /** The whole history of a run that was never claimed before: it need not be loaded. */
  readonly opening: StoredEvent | null;
}

export interface LoadedHistory {
  readonly runId: string;
  readonly events: readonly StoredEvent[];
  /** Latest heartbeat details by command number, of steps that were under way. */
  readonly heartbeats: readonly { readonly command: number; readonly attempt: number; readonly details: Payload }[];
}

export interface ClaimRequest {
  readonly workerId: string;
  readonly claimId: string;
  /** Lanes, as `lanesOf` names them: what waits in others is left to whoever has its code. */
  readonly queues: readonly string[];
  readonly limit: number;
  /** Runs claimed this often without progress are suspects: `exclude` leaves them, `only` takes nothing else. */
  readonly suspects: "exclude" | "only";
}

export interface ClaimAnswer {
  readonly claimed: readonly ClaimedRun[];
  /** Runs set aside just now because `crashCount` passed the limit: blocked with kind `quarantine`. */
  readonly quarantined: readonly string[];
  /** Ms until the earliest run of these queues is due, 0 when more are due now, null when none is known. */
  readonly nextDueInMs: number | null;
  /** There are due runs that `exclude` left out, for a claim of `only`. */
  readonly hasDueSuspects: boolean;
  readonly now: number;
}

/** New events of one run, from one owner. Frozen once built: a retry sends the very same. */
export interface AppendTurn {
  readonly claim: Claim;
  /** Random per turn and kept over its retries: how a lost reply is told from a lost request. */
  readonly tag: string;
  /** Events the writer has seen; the first new one gets seq `base + 1`. */
  readonly base: number;
  /** None only in a turn that refuses an update: sent again, such a turn changes nothing. */
  readonly events: readonly EventRecord[];
  /** Updates that are out of the mailbox with this turn and into no history: kept with the mail, for their senders. */
  readonly refusals: readonly RefusedUpdate[];
  /**
   * When its events happened, for one whose code has seen them before they are committed: by the store's clock, not ahead of
   * it, nor before the event that comes before them. Null: when they are committed.
   */
  readonly at: number | null;
  /** The mailbox position after this turn. Never lower than before. */
  readonly takenMail: number;
  /** Refused while the store's clock is before this: no timer fires early. */
  readonly notBefore: number | null;
  /** The last of `events` ends the run. Refused while there is mail beyond `takenMail`, unless the run continues as new. */
  readonly close: ClosedStatus | null;
  /** What happens to other runs in the same transaction. Null for most turns, which are appended by the fastest way. */
  readonly effects: TurnEffects | null;
}

export interface TurnEffects {
  /** To be done by `runErrands`, stored with the turn. */
  readonly errands: readonly Errand[];
  /** The run that goes on where this one ends; exactly when `close` is "continuedAsNew". */
  readonly successor: Successor | null;
  /** Absent for none. */
  readonly locks?: LockChanges;
  /** A run that closes has neither a parent nor children. Default false. */
  readonly isWithoutKin?: boolean;
}

/**
 * A run that is started in the transaction that closes the one before it, with the same workflow id. It belongs to the
 * same chain, in which a mail id is accepted once. Mail that its predecessor has not taken becomes its own, in order.
 *
 * One that tries its predecessor again waits before it is due: only a cancel request makes it due earlier. It keeps the
 * deadline.
 */
export interface Successor {
  /** Later in the order of run ids than its predecessor. */
  readonly runId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Absent: whatever the run before it is of when it is closed. */
  readonly version?: NextVersion;
  /** The RunStarted record, event 1, without the version that the store puts in. */
  readonly started: EventRecord;
  /** `started` has attributes or a memo, to be kept beside the history too. */
  readonly carriesData: boolean;
  /** Counted from its start. With `retry` it is null. */
  readonly timeoutMs: number | null;
  /** Absent: its predecessor has continued as new. `attempt` is its own number. */
  readonly retry?: { readonly attempt: number; readonly delayMs: number };
  /** Positions of mail that its predecessor has taken and not used: passed on before what it has not taken. */
  readonly passedOn: readonly number[];
}

export interface RefusedUpdate {
  readonly mail: number;
  readonly refusal: UpdateRefusal;
}

/** Queues that have claimable runs, and owners of runs with mail. */
export interface ToWake {
  readonly queues: readonly string[];
  readonly ownerIds: readonly string[];
}

export interface AppendAnswer {
  /** The `at` of the events appended by this call, of turns that have none of their own. */
  readonly at: number;
  /** Run ids whose turn is committed. All others: refused. `resolveTurns` tells why. */
  readonly committed: ReadonlySet<string>;
  /** What this call has put into mailboxes of the runs that it appended to. Absent for none. */
  readonly mail?: readonly MailItem[];
  /** Whose mailboxes it has put something into besides. Absent for none. */
  readonly toWake?: ToWake;
}

/** What has become of a turn whose answer was lost or which was refused. Read in a new snapshot. */
export interface ResolvedTurn {
  readonly runId: string;
  /** The event at `base + 1` carries the turn's tag: it is committed. Call `confirm` before acting on it. */
  readonly landed: boolean;
  /** The `at` of the landed events; null when it has not landed. */
  readonly at: number | null;
  /** The run is open, and the claim is still the one that may write it. */
  readonly owned: boolean;
  readonly events: number;
  readonly newestMail: number;
  readonly now: number;
}

/** What is told to a run about its being carried on. Comes with a change of its head, and by `controlRun` alone. */
export type ControlKind = "pause" | "resume" | "unblock";
/**
 * `answer`: what has become of something that the run asked of another one. `adopt`: a run that has not started it waits for
 * its end.
 */
export type MailKind = "signal" | "cancel" | "update" | "stepReport" | "answer" | "adopt" | RepairRequest | HeadChange;
/** What is told with a change of the head: that the run is of another version comes by `moveRun`. */
export type HeadChange = ControlKind | "move";

export interface MailItem {
  readonly runId: string;
  /** Position in the run's mailbox, from 1. */
  readonly mail: number;
  readonly kind: MailKind;
  /** The sender's id: a second item with the same id is not accepted. */
  readonly mailId: string;
  /**
   * The signal's, update's or step's name; the reason of a cancel or pause; why a run was blocked that no longer is; the
   * version that it is moved to, or nothing; for an answer, the name of the command; of an adoption, the run that waits; of a
   * repair request, the name that was asked for.
   */
  readonly name: string;
  /** Of a cancel and of head changes: who asked, as `encodeActor` says it. */
  readonly payload: Payload;
}

export interface ParkRequest {
  readonly claim: Claim;
  readonly events: number;
  readonly takenMail: number;
  /** When to make the run claimable again; null: only mail wakes it. */
  readonly wakeAt: number | null;
}

/** `mail`: still owned, not parked, because mail came in. `lost`: no longer owned (or parked by an earlier try). */
export type ParkOutcome = "parked" | "mail" | "lost";

/** Makes `workerId` the owner of a run from its start on. */
export interface StartClaim {
  readonly workerId: string;
  readonly claimId: string;
}

export interface StartRequest {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** As `started` says. Default: none. */
  readonly version?: string | null;
  /** The RunStarted record, event 1. */
  readonly started: EventRecord;
  /** `started` has attributes, a memo, a summary or details, to be kept beside the history too. Default false. */
  readonly carriesData?: boolean;
  /** Repeating a start with the same id answers with the same run, whatever became of it. Null: none. */
  readonly requestId: string | null;
  /** When an open run has the workflow id. */
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
  /** When only closed runs have it: allow; allow unless the latest completed; refuse. */
  readonly onReuse: "allow" | "allowIfFailed" | "reject";
  readonly delayMs: number;
  readonly timeoutMs: number | null;
  /** Put into the mailbox of the started or existing run, atomically with the start. */
  readonly mail: Omit<MailRequest, "to"> | null;
  /** The run that this call starts is claimed by it, with epoch 1: as if it had been claimed at once. Null: it is not. */
  readonly claim: StartClaim | null;
}

export interface StartOutcome {
  /** `started` also answers a repeated request; `existing` only under useExisting; `refused` names the run in the way. */
  readonly outcome: "started" | "existing" | "refused";
  readonly runId: string;
  readonly status: RunStatus;
  /** The worker that owns the run now, if any. */
  readonly ownerId: string | null;
  /** This very call has started the run and given its claim: when, and until when the run may take. Null otherwise. */
  readonly claimed: { readonly at: number; readonly deadlineAt: number | null } | null;
}

/** Mail as it lies in its mailbox. */
export type KeptMail = Omit<MailItem, "runId">;

/** A run that was started elsewhere, whole. */
export interface ImportRequest {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Default: none. */
  readonly version?: string | null;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  /** As its first event says. */
  readonly attempt: number;
  /** As its last event says; null: it is open, and goes on here. */
  readonly closed: { readonly status: ClosedStatus; readonly at: number } | null;
  /** From the first, without gaps, at the times that they had. */
  readonly events: readonly StoredEvent[];
  /** Taken and untaken, by their places, which may have gaps among the taken ones. */
  readonly mail: readonly KeptMail[];
  readonly takenMail: number;
  /** Random per import and kept over its retries: a repeated one is known by it. */
  readonly tag: string;
}

/** `runExists`: another run has the run id. `workflowIdOpen`: an open run has the workflow id, and this one is open too. */
export type ImportOutcome = "imported" | "runExists" | "workflowIdOpen";

/**
 * One run; the open run of a workflow id, else the latest; the latest of the chain that a run belongs to; the latest of its
 * line, which goes on where a fork was put in the place of the last run of a chain.
 */
export type RunRef =
  | { readonly runId: string }
  | { readonly workflowId: string }
  | { readonly chainOf: string }
  | { readonly lineOf: string };

export interface MailRequest {
  readonly to: RunRef;
  readonly kind: Exclude<MailKind, HeadChange>;
  readonly mailId: string;
  readonly name: string;
  readonly payload: Payload;
}

export interface MailOutcome {
  /** Its position in the mailbox, when it was accepted by this call. */
  readonly mail: number | null;
  /** `duplicate`: this mail id was accepted before in this chain (also by a run closed since). `closed`: not accepted. */
  readonly outcome: "accepted" | "duplicate" | "closed" | "notFound";
  readonly runId: string | null;
  readonly queue: string | null;
  readonly ownerId: string | null;
  /** Of accepted mail: how many events the run had by then. What becomes of the mail is told by later ones. */
  readonly events: number;
}

export interface ControlRequest extends ActedBy {
  readonly runId: string;
  readonly kind: ControlKind;
  /** Repeating a request with the same id changes nothing. */
  readonly mailId: string;
  /** Of a pause; otherwise empty. */
  readonly reason: string;
}

export interface ControlOutcome {
  /** `unchanged`: paused already, not paused, not blocked; or the request is a repeated one. */
  readonly outcome: "changed" | "unchanged" | "closed" | "notFound";
  readonly queue: string | null;
  readonly ownerId: string | null;
}

export interface MoveRequest extends ActedBy {
  readonly runId: string;
  /** Repeating a request with the same id changes nothing. */
  readonly mailId: string;
  /** Null: the workflow without a version. */
  readonly version: string | null;
}

/** A new run that shares the first events of another. Whoever asks has read those: they never change. */
export interface ForkRequest {
  readonly sourceId: string;
  readonly runId: string;
  readonly workflowId: string;
  /** As `forked` says. Default: none. */
  readonly version?: string | null;
  /** The last event that is shared. */
  readonly at: number;
  /** Stands in the place of event `at`; null for that event as it is. */
  readonly edited: EventRecord | null;
  /** Event `at + 1`. */
  readonly forked: EventRecord;
  /** Mail of the source that the shared events have taken: it comes along as taken. */
  readonly takenMail: number;
  /** Signals that came to the source after that come along, to be taken. */
  readonly keepsSignals: boolean;
  /** Those up to this place in the source's mailbox: one that came later stays with the source. Absent: all that there are. */
  readonly seenMail?: number;
  /** What comes along, in the form in which the fork is to have it. Absent: as the source has it. */
  readonly anew?: SharedAnew;
  /** What the shared events make of attributes and memo. */
  readonly data: readonly DataChange[];
  /** What the shared events hold or wait for, in the order of asking. Default: nothing. */
  readonly locks?: readonly Omit<LockRequest, "runId">[];
  readonly timeoutMs: number | null;
  /**
   * The fork takes the place of the source, which is terminated with this reason in the same transaction, if it is open: its
   * line goes on with the fork, and whoever waits for its end waits for that of the fork. Null: it stays as it is.
   */
  readonly terminates: string | null;
  /** Of the termination; that of the fork is told by `forked`. Absent for nobody named. */
  readonly actor?: string;
  /**
   * Those of which the shared events do not tell the end. With `terminates` they become the fork's, with what is to be done about
   * them when it closes; that the source closes does not concern them. Default: none.
   */
  readonly children?: readonly SharedChild[];
}

/** A child, by the command that asked for it, as events tell of it. */
export interface SharedChild {
  readonly command: number;
  /** Where it was started, the run that stands for it; else the one that is to be started: it may be, and may have been reset. */
  readonly runId: string;
  readonly isStarted: boolean;
}

/** What a fork shares with its source, in another stored form. */
export interface SharedAnew {
  /** Events 1 to `at` at their times, with the edited one in its place. */
  readonly events: readonly StoredEvent[];
  /** Of mail that comes along, taken or not; what is not named here comes along as it is. */
  readonly mail: readonly MailAnew[];
}

export interface MailAnew {
  readonly mailId: string;
  readonly payload: Payload;
  /** Why it was not taken. Null: it was, or will be. */
  readonly refusal: UpdateRefusal | null;
}

export interface ForkOutcome {
  /** `forked` also answers a repeated request; `refused` names the open run that has the workflow id. */
  readonly outcome: "forked" | "refused" | "notFound";
  readonly runId: string;
}

/** One step by its command's number, or all of a name. */
export type StepRef = { readonly command: number } | { readonly name: string };

/** What has become of an update: looked for by its mail id, in the chain of a run. */
export interface UpdateLook {
  readonly runId: string;
  readonly mailId: string;
  /** Events of `runId` that do not tell of it. Of another run of the chain that has it, all are looked at. */
  readonly after: number;
}

/** Read in one snapshot. */
export interface UpdateTrace {
  /** The run of the chain that has it: mail that was not taken passes on. The one that was asked for when none has. */
  readonly runId: string;
  /** Its place in the mailbox; null when no run of the chain got such mail. */
  readonly mail: number | null;
  readonly refusal: UpdateRefusal | null;
  /** UpdateAccepted and UpdateCompleted, as far as they are there. */
  readonly events: readonly StoredEvent[];
  /** How many events the run has: the next look begins there. */
  readonly seen: number;
  /** Null while the run is open. */
  readonly closed: ClosedStatus | null;
}

/** As lists tell of it; attributes, memo and summary in stored form. */
export interface StoredSummary extends Omit<RunSummary, "attributes" | "memo" | "staticSummary"> {
  readonly data: KeptData;
}

export interface RunDetail extends StoredSummary {
  readonly events: number;
  readonly epoch: number | null;
  readonly ownerId: string | null;
  /** When the run is or was claimable; null when only mail wakes it, or it is owned or closed. */
  readonly wakeAt: number | null;
  /** How many locks a fork has to have again before anybody may claim it. */
  readonly awaitedLocks: number;
  readonly blocked: BlockedReason | null;
  readonly crashCount: number;
  readonly unreadMail: number;
  readonly now: number;
}

/** All that is given must hold. */
export interface NumberRange {
  readonly gt?: number;
  readonly gte?: number;
  readonly lt?: number;
  readonly lte?: number;
}

/** Ms by the store's clock. */
export type TimeRange = NumberRange;

/** Which runs are meant: all that is given must hold. */
export interface RunFilter {
  readonly workflow?: string;
  readonly workflowId?: string;
  readonly workflowIdPrefix?: string;
  readonly queue?: string;
  /** Null: runs without one. */
  readonly version?: string | null;
  readonly attempt?: NumberRange;
  readonly status?: readonly RunStatus[];
  readonly isPaused?: boolean;
  readonly startedAt?: TimeRange;
  /** Open runs have none, so they are out of every range. */
  readonly closedAt?: TimeRange;
  readonly attributes?: readonly AttributeCondition[];
}

/** A value's place in the order of values, and the run's among those that share it. Of a time, `text` is empty. */
export interface AttributePosition {
  readonly number: number;
  readonly text: string;
  readonly runId: string;
}

export interface ListRequest extends RunFilter {
  /** 1 to 200. */
  readonly limit: number;
  /** Keyset: runs started before this one; with `isOldestFirst`, after it. */
  readonly before?: string;
  readonly isOldestFirst?: boolean;
  /** Instead of the order of starting: by the attribute, of a list by its first. Runs without it are left out. */
  readonly byAttribute?: {
    readonly name: string;
    readonly isDescending: boolean;
    readonly after: AttributePosition | null;
  };
  /** Instead of both: by the time of closing. Open runs are left out. Each page looks at all closed runs of the filter. */
  readonly byClosing?: { readonly isDescending: boolean; readonly after: AttributePosition | null };
}

export type CountBy = "status" | "workflow" | "version" | "queue" | { readonly attribute: string };

export interface CountRequest extends RunFilter {
  /** Null: one group of all. */
  readonly by: CountBy | null;
  /** Groups, the largest first. */
  readonly limit: number;
}

export interface RunCount {
  /**
   * A list counts once per keyword. Null: the runs without the attribute or the version, or all of them when nothing is grouped
   * by.
   */
  readonly value: StoredAttribute | null;
  readonly count: number;
}

export interface BlockedRequest {
  /** Those without a version. */
  readonly workflows: readonly string[];
  /** Lanes, as in a claim: those of versions are for one workflow as it is. */
  readonly queues: readonly string[];
  /** Keyset: runs after this one; null for the first page. */
  readonly after: string | null;
  readonly limit: number;
}

export interface QueryRequest {
  readonly queryId: string;
  readonly runId: string;
  readonly queue: string;
  readonly name: string;
  readonly input: Payload;
}

export interface TakenQuery extends QueryRequest {
  readonly ownerId: string | null;
}

/** A plain answer, or a failure with one of the query error codes. */
export type QueryAnswer =
  | { readonly ok: true; readonly payload: Payload }
  | {
      readonly ok: false;
      readonly code: "QUERY_UNKNOWN" | "QUERY_FAILED" | "WORKFLOW_UNKNOWN" | "DIVERGENCE";
      readonly message: string;
    };

/** What `transaction` steps write through. */
export interface Transaction {
  query(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}

export interface WorkerStore {
  /** Takes up to `limit` due runs nobody owns and nobody has paused, oldest due first; raises their epoch and counts the claim. */
  claimRuns(request: ClaimRequest): Promise<ClaimAnswer>;
  /** Claims these blocked runs (if still blocked, and not paused) and sets them running: for workers whose code may fit. */
  claimBlocked(workerId: string, claimId: string, runIds: readonly string[]): Promise<readonly ClaimedRun[]>;
  /** Whole histories, in order. */
  loadHistories(runIds: readonly string[]): Promise<readonly LoadedHistory[]>;
  /** Turns without effects. */
  appendTurns(turns: readonly AppendTurn[]): Promise<AppendAnswer>;
  /** Turns with effects: each one's events and effects are committed together, or neither is. */
  appendWithEffects(turns: readonly AppendTurn[]): Promise<AppendAnswer>;
  resolveTurns(turns: readonly AppendTurn[]): Promise<readonly ResolvedTurn[]>;
  /** One small durable write: once it has answered, all that was read before it is as durable as a commit. */
  confirm(workerId: string): Promise<void>;
  /**
   * Runs `work` in a transaction; what `work` resolves to becomes `turn`, appended in the same transaction. Rolls back
   * and rejects with what `work` threw. `committed: false`: the turn was refused and everything rolled back.
   * A rejection with STORE_UNAVAILABLE is ambiguous as ever: resolve by the turn's tag.
   */
  appendInTransaction(
    work: (tx: Transaction) => Promise<AppendTurn>,
  ): Promise<{ readonly committed: boolean; readonly at: number }>;
  /** Mail after the given positions, per run in order. At most `limit` per run. */
  readMail(
    boxes: readonly { readonly runId: string; readonly after: number }[],
    limit: number,
  ): Promise<readonly MailItem[]>;
  /** Runs of this worker that have mail it has not taken. */
  runsWithMail(workerId: string): Promise<readonly string[]>;
  parkRuns(requests: readonly ParkRequest[]): Promise<ReadonlyMap<string, ParkOutcome>>;
  /** Every claim that names this worker as owner, also those whose answer it never heard. */
  claimsOf(workerId: string): Promise<readonly Claim[]>;
  /** Hands runs over: claimable at once, without blame. */
  releaseRuns(claims: readonly Claim[]): Promise<void>;
  blockRuns(blocks: readonly { readonly claim: Claim; readonly reason: BlockedReason }[]): Promise<void>;
  /** Keeps heartbeat details; `isProgress` ends the count of claims without it. Answers the run ids whose claim holds. */
  saveHeartbeats(
    beats: readonly {
      readonly claim: Claim;
      readonly command: number;
      readonly attempt: number;
      readonly details: Payload;
      readonly isProgress: boolean;
    }[],
  ): Promise<ReadonlySet<string>>;
  /** Takes questions about runs of these lanes that this worker owns or nobody does, closed ones included. */
  takeQueries(workerId: string, queues: readonly string[], limit: number): Promise<readonly TakenQuery[]>;
  answerQueries(answers: readonly { readonly queryId: string; readonly answer: QueryAnswer }[]): Promise<void>;
  /** There is a worker that has these versions. Those without one are nobody's concern. */
  registerVersions(versions: readonly VersionKey[]): Promise<void>;
}

export interface ErrandsAnswer {
  /** Done by this call. */
  readonly done: number;
  /** Somebody else is doing errands at the moment: there may be more. */
  readonly isBusy: boolean;
  /** Errands that can never be done: set aside, with the reason. */
  readonly rejected: readonly string[];
  /** Whom to wake: queues with claimable runs, owners with mail, runs that were closed. */
  readonly queues: readonly string[];
  readonly ownerIds: readonly string[];
  readonly closedIds: readonly string[];
}

/** Closed runs of the workflow, or of all for null, are kept this long after they closed. */
export interface RetentionRule {
  readonly workflow: string | null;
  readonly retentionMs: number;
}

export interface ExpiredRequest {
  /** A run that any of them lets go has expired. At least one. */
  readonly rules: readonly RetentionRule[];
  /** Keyset: runs after this one; null for the first page. */
  readonly after: string | null;
  /** Runs to look at, expired or not. */
  readonly limit: number;
}

export interface ExpiredPage {
  readonly runs: readonly { readonly runId: string; readonly events: number }[];
  /** For the page after this one; null when nothing after it can have expired. */
  readonly next: string | null;
}

export interface SweepStore {
  /** Every worker id that owns a run. */
  ownerIds(): Promise<readonly string[]>;
  /** Makes runs of a lost worker claimable, takes its claim away. Answers how many, and of which queues. */
  rescueRuns(workerId: string, limit: number): Promise<{ readonly count: number; readonly queues: readonly string[] }>;
  /** Closes runs past their deadline as timedOut. Answers their ids. */
  closeOverdue(limit: number): Promise<readonly string[]>;
  /** Blocked runs of these workflows and queues that are not paused, by run id, for `claimBlocked`. */
  findBlocked(request: BlockedRequest): Promise<readonly { readonly runId: string; readonly reason: BlockedReason }[]>;
  /**
   * Does errands that committed turns and ended runs have left, the oldest first, at most about `limit`. Each is done and
   * gone in one transaction. Those of one run are done in its order.
   */
  runErrands(limit: number): Promise<ErrandsAnswer>;
  /** Closed runs that no rule keeps, by run id. The runs of a chain that has an open run are kept: see `deleteRuns`. */
  findExpired(request: ExpiredRequest): Promise<ExpiredPage>;
  /**
   * Deletes those of them that are closed, with all that is kept of them. Answers their ids. As long as a chain has an open
   * run none of its runs is deleted: their mailboxes know which mail ids the chain has accepted.
   */
  deleteRuns(runIds: readonly string[]): Promise<readonly string[]>;
  /** Drops questions nobody collected and heartbeats of closed runs. */
  forgetLeftovers(): Promise<void>;
}

export interface ClientStore {
  /** In order of the requests. Each is decided by itself; all are committed together. */
  startRuns(requests: readonly StartRequest[]): Promise<readonly StartOutcome[]>;
  /** All of the run or nothing. An open one is due at once. */
  importRun(request: ImportRequest): Promise<ImportOutcome>;
  /** In order of the requests; order within one run is kept. */
  sendMail(requests: readonly MailRequest[]): Promise<readonly MailOutcome[]>;
  /**
   * Changes whether an open run may be claimed, and puts mail that tells its history so, in one. A paused run is not
   * claimed, whatever wakes it; one that is owned stays so until its owner, who is told by the mail, lets go. No event is
   * appended from outside: that would move the head under the owner, whose next append would be refused.
   */
  controlRun(request: ControlRequest): Promise<ControlOutcome>;
  /**
   * Gives an open run to another version of its workflow, and puts mail that tells its history so, in one. It changes lanes
   * at once; an owner keeps the right to write until it lets go. A blocked run is no longer so. `unchanged`: it is of that
   * version already, or the request is a repeated one.
   */
  moveRun(request: MoveRequest): Promise<ControlOutcome>;
  /** Workflows of which there is neither are absent, or have none of either. */
  readVersions(workflows: readonly string[]): Promise<ReadonlyMap<string, StoredVersions>>;
  /** In place of the one before. Null: none. Recorded with who said so, unless it is the one that there is. */
  setVersionPolicy(workflow: string, policy: VersionPolicy | null, actor?: string): Promise<void>;
  /** The newest first, at most `limit`. */
  readPolicyChanges(workflow: string, limit: number): Promise<readonly VersionPolicyChange[]>;
  /** All of it is one transaction: refused, nothing has changed. The new run is due at once. */
  forkRun(request: ForkRequest): Promise<ForkOutcome>;
  /** Closes an open run now, owned or not. */
  terminateRun(runId: string, reason: string, actor?: string): Promise<"terminated" | "closed" | "notFound">;
  findRun(ref: RunRef): Promise<RunDetail | null>;
  /** Newest first, unless said otherwise. */
  listRuns(request: ListRequest): Promise<readonly StoredSummary[]>;
  /** How many runs there are, by group. Groups of one size are in the order of their values, null last. */
  countRuns(request: CountRequest): Promise<readonly RunCount[]>;
  /** Events after `afterSeq`, in order, at most `limit`. */
  readHistory(runId: string, afterSeq: number, limit: number): Promise<readonly StoredEvent[]>;
  /**
   * The events of one type, by its code, of these runs, in order; of each run the last `limit`, or all. Runs that have none
   * are absent. Goes through the whole histories: for some runs, not for all there are.
   */
  readEventsOfType(
    runIds: readonly string[],
    type: number,
    limit?: number,
  ): Promise<ReadonlyMap<string, readonly StoredEvent[]>>;
  /** The closing event of each run that is closed; open ones are absent. */
  readOutcomes(
    runIds: readonly string[],
  ): Promise<ReadonlyMap<string, { readonly status: ClosedStatus; readonly event: StoredEvent }>>;
  /** In order of the looks. */
  readUpdates(looks: readonly UpdateLook[]): Promise<readonly UpdateTrace[]>;
  /** The events of the run's steps by this number or of this name, in order. Goes through the whole history. */
  readStepEvents(runId: string, step: StepRef): Promise<readonly StoredEvent[]>;
  /** Those of the ids that name no run here. */
  missingRuns(runIds: readonly string[]): Promise<readonly string[]>;
  /** Who holds and who waits: by key, within it in the order of the queue, holders first. */
  listLocks(request: ListLocksRequest): Promise<readonly ListedLock[]>;
  askQuery(request: QueryRequest): Promise<void>;
  /** The answer, once there is one; taking it removes the question. */
  takeAnswer(queryId: string): Promise<QueryAnswer | null>;
}

/**
 * What a store offers beside its calls when its payloads go through codecs, which may be slow, or fail for some runs and
 * not for others: then each is coded by itself, and none waits for another.
 */
export interface StoreCodecs {
  /** The same store without codecs: takes and gives payloads in the form in which they are kept. */
  readonly kept: Store;
  /** Rejects with PAYLOAD_UNREADABLE, or with CODEC_FAILED when trying again may help. */
  decodeHistory(history: LoadedHistory): Promise<LoadedHistory>;
  /** Rejects like `decodeHistory`. */
  decodeEvent(runId: string, event: StoredEvent): Promise<StoredEvent>;
  /** Why the update at a position of the run's mailbox was not taken. Rejects like `decodeHistory`. */
  decodeRefusal(runId: string, mail: number, refusal: UpdateRefusal): Promise<UpdateRefusal>;
  /** For `kept.startRuns`. Rejects with CODEC_FAILED, PAYLOAD_TOO_LARGE. */
  encodeStart(request: StartRequest): Promise<StartRequest>;
  /** For `kept.sendMail`. Rejects like `encodeStart`. */
  encodeMail(request: MailRequest): Promise<MailRequest>;
}

export interface Store extends WorkerStore, SweepStore, ClientStore {
  /** Present when payloads are encoded on their way into this store and decoded on their way out. */
  readonly codecs?: StoreCodecs;
  /** Rejects with SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_AHEAD, STORE_REFUSED or STORE_UNAVAILABLE. */
  checkReady(): Promise<void>;
  close(): Promise<void>;
}

/** From this many claims without progress a run is a suspect, executed while no other suspect is. */
export const SUSPECT_FROM_CRASHES = 2;
/** A run claimed more often than this without progress is set aside. */
export const QUARANTINE_AFTER_CRASHES = 5;

/** The codecs before a store. A wrapped store may answer to any name: it is asked whether it has this one. */
export function codecsOf(store: Store): StoreCodecs | undefined {
  return "codecs" in store ? store.codecs : undefined;
}
