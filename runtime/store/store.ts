// The history, kept. This is the port; what it promises is what the whole house stands on:
//
//   1. Each call is one atomic statement or transaction. What it answers is committed.
//   2. A rejected call may still have landed, now or later. Only STORE_REJECTED says it has not and never will.
//   3. The right to write a run is (epoch, claimId), compared under the run's row lock in the statement that writes.
//      A stale claim changes nothing; the other runs of the same call are unaffected.
//   4. A run's events are seq 1, 2, 3, ...; `events` in a head is their count.
//   5. Attributes and memo of a run are what its history makes of them, at any moment that anybody looks.
//   6. All times are ms by the store's clock; `at` never precedes the event before it by more than a clock step.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { ListedLock } from "../../sdk/protocol/listed-lock.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { BlockedReason, ClosedStatus } from "../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { VersionPolicy, VersionPolicyChange } from "../../sdk/protocol/version-policy.ts";
import type {
  Claim,
  ClaimAnswer,
  ClaimedRun,
  ClaimRequest,
  LoadedHistory,
  ParkOutcome,
  ParkRequest,
} from "./claims.ts";
import type { ForkOutcome, ForkRequest } from "./forks.ts";
import type { VersionKey } from "./lanes.ts";
import type { ListLocksRequest } from "./locks.ts";
import type {
  ControlOutcome,
  ControlRequest,
  MailItem,
  MailOutcome,
  MailRequest,
  MoveRequest,
  UpdateLook,
  UpdateTrace,
} from "./mail.ts";
import type { QueryAnswer, QueryRequest, TakenQuery } from "./questions.ts";
import type { ExpiredPage, ExpiredRequest } from "./retention.ts";
import type { RunRef } from "./run-ref.ts";
import type { BlockedRequest, CountRequest, ListRequest, RunCount, RunDetail, StepRef, StoredSummary } from "./runs.ts";
import type { ImportOutcome, ImportRequest, StartOutcome, StartRequest } from "./starts.ts";
import type { AppendAnswer, AppendTurn, ResolvedTurn } from "./turns.ts";
import type { StoredVersions } from "./versions.ts";

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

/** The codecs before a store. A wrapped store may answer to any name: it is asked whether it has this one. */
export function codecsOf(store: Store): StoreCodecs | undefined {
  return "codecs" in store ? store.codecs : undefined;
}
