// The store in this process's memory: for tests, the test kit and the simulation. It answers as Postgres would, and
// each method has its whole effect while it is being called, before it returns its promise: no call ever sees half of
// another. No timers, no chance; the one clock is the one it is given, and stands for the database's.

import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import type { VersionPolicy } from "../../../sdk/protocol/version-policy.ts";
import { terminationRecord } from "../acted-by.ts";
import type { Claim, ClaimRequest, ParkOutcome, ParkRequest } from "../claims.ts";
import { answerMail } from "../errands.ts";
import type { ForkRequest } from "../forks.ts";
import { laneOf, type VersionKey } from "../lanes.ts";
import { grantAnswer, grantErrand, type ListLocksRequest, type LockGrant } from "../locks.ts";
import type { ControlRequest, MailItem, MailRequest, MoveRequest, UpdateLook } from "../mail.ts";
import type { QueryRequest } from "../questions.ts";
import type { ExpiredRequest } from "../retention.ts";
import type { RunRef } from "../run-ref.ts";
import type { BlockedRequest, CountRequest, ListRequest, StepRef } from "../runs.ts";
import type { ImportRequest, StartRequest } from "../starts.ts";
import type { Store, Transaction } from "../store.ts";
import type { AppendAnswer, AppendTurn } from "../turns.ts";
import { appendTurns, resolveTurn } from "./appending.ts";
import { controlRun } from "./controlling.ts";
import { Errands } from "./errands.ts";
import { forkRun } from "./forking.ts";
import { importRun } from "./importing.ts";
import { countRuns, listRuns } from "./listing.ts";
import { Locks } from "./locks.ts";
import { sendMail } from "./mail.ts";
import { moveRun } from "./moving.ts";
import { blockRun, claimBlocked, claimRuns, parkRun, releaseRun, rescueRun } from "./owning.ts";
import { deleteRuns, findExpired } from "./pruning.ts";
import { Questions } from "./questions.ts";
import { detailOf, eventsOfType, historyOf, mailAfter, outcomesOf, stepEventsOf, updateTraceOf } from "./reading.ts";
import { noteRegained } from "./regaining.ts";
import { RunTable } from "./run-table.ts";
import { closeFromOutside, startRun } from "./starting.ts";
import { claimOf, isOwnedBy, type StoredRun } from "./stored-run.ts";
import { Versions } from "./versions.ts";

/** A transaction of somebody else's, to end with the append: at once, and without a way to fail. */
export interface MemoryTransaction extends Transaction {
  commit(): void;
  rollback(): void;
}

export interface MemoryStoreOptions {
  readonly clock: { now(): number };
  /** Begins what `transaction` steps write through. Without it, their queries reject. */
  readonly transaction?: () => MemoryTransaction;
}

export class MemoryStore implements Store {
  readonly #clock: { now(): number };
  readonly #beginTransaction: () => MemoryTransaction;
  readonly #runs = new RunTable();
  readonly #startRequests = new Map<string, StoredRun>();
  readonly #versions = new Versions();
  readonly #errands = new Errands(this.#runs, this.#versions);
  readonly #locks = new Locks();
  /** What ends of runs let others have, while turns with effects are appended. */
  #freed: LockGrant[] | null = null;
  readonly #questions = new Questions();
  readonly #withHeartbeats = new Set<StoredRun>();

  constructor({ clock, transaction = unsupportedTransaction }: MemoryStoreOptions) {
    this.#clock = clock;
    this.#beginTransaction = transaction;
    this.#runs.onClose = (run, end) => {
      this.#errands.part(run, end);
      const grants = this.#locks.change([{ runId: run.runId, command: null }], [], this.#clock.now());
      if (this.#freed === null) this.#errands.keep(grants.map(grantErrand));
      else this.#freed.push(...grants);
    };
  }

  async checkReady(): Promise<void> {}

  async close(): Promise<void> {}

  // Workers

  async claimRuns(request: ClaimRequest) {
    return claimRuns(this.#runs, request, this.#clock.now());
  }

  async claimBlocked(workerId: string, claimId: string, runIds: readonly string[]) {
    return claimBlocked(this.#runs, workerId, claimId, runIds);
  }

  async loadHistories(runIds: readonly string[]) {
    return this.#known(runIds).map(historyOf);
  }

  async appendTurns(turns: readonly AppendTurn[]) {
    return appendTurns(this.#runs, this.#versions, turns, this.#clock.now());
  }

  async appendWithEffects(turns: readonly AppendTurn[]) {
    const freed: LockGrant[] = [];
    this.#freed = freed;
    const answer = appendTurns(this.#runs, this.#versions, turns, this.#clock.now());
    this.#freed = null;
    for (const { claim, effects } of turns) {
      if (answer.committed.has(claim.runId)) this.#errands.keep(effects?.errands ?? []);
    }
    const locks = turns.flatMap(({ claim, effects }) =>
      answer.committed.has(claim.runId) ? (effects?.locks ?? []) : [],
    );
    const grants = this.#locks.change(
      locks.flatMap(({ releases }) => releases),
      locks.flatMap(({ requests }) => requests),
      this.#clock.now(),
    );
    return { ...answer, ...this.#tell([...freed, ...grants], answer.committed) };
  }

  #tell(grants: readonly LockGrant[], committed: ReadonlySet<string>): Pick<AppendAnswer, "mail" | "toWake"> {
    if (grants.length === 0) return {};
    const mail: MailItem[] = [];
    const queues = new Set<string>();
    const ownerIds = new Set<string>();
    for (const grant of grants) {
      if (grant.isRegained) {
        const queue = noteRegained(this.#runs, grant, this.#clock.now())?.queue;
        if (queue !== undefined) queues.add(queue);
        continue;
      }
      const { asker, answer } = grantAnswer(grant);
      const { runId } = asker;
      const item = answerMail(asker, answer);
      const sent = sendMail(this.#runs, { to: { runId }, ...item }, this.#clock.now());
      if (committed.has(runId)) mail.push(...(sent.mail === null ? [] : [{ ...item, runId, mail: sent.mail }]));
      else if (sent.ownerId !== null) ownerIds.add(sent.ownerId);
      else if (sent.queue !== null) queues.add(sent.queue);
    }
    return { mail, toWake: { queues: [...queues], ownerIds: [...ownerIds] } };
  }

  async resolveTurns(turns: readonly AppendTurn[]) {
    return turns.map((turn) => resolveTurn(this.#runs, turn, this.#clock.now()));
  }

  /** What this store has answered is as durable as it will ever be. */
  async confirm(_workerId: string): Promise<void> {}

  async appendInTransaction(work: (tx: Transaction) => Promise<AppendTurn>) {
    const tx = this.#beginTransaction();
    let turn: AppendTurn;
    try {
      turn = await work(tx);
    } catch (error) {
      tx.rollback();
      throw error;
    }
    const { at, committed } = appendTurns(this.#runs, this.#versions, [turn], this.#clock.now());
    const isCommitted = committed.has(turn.claim.runId);
    if (isCommitted) tx.commit();
    else tx.rollback();
    return { committed: isCommitted, at };
  }

  async readMail(boxes: readonly { readonly runId: string; readonly after: number }[], limit: number) {
    return boxes.flatMap(({ runId, after }) => mailAfter(this.#runs.get(runId), after, limit));
  }

  async runsWithMail(workerId: string) {
    const owned = this.#runs.ownedBy(workerId);
    return owned.filter((run) => run.mailbox.length > (run.head?.takenMail ?? 0)).map((run) => run.runId);
  }

  async parkRuns(requests: readonly ParkRequest[]): Promise<ReadonlyMap<string, ParkOutcome>> {
    return new Map(requests.map((request) => [request.claim.runId, parkRun(this.#runs, request)]));
  }

  async claimsOf(workerId: string) {
    return this.#runs.ownedBy(workerId).map(claimOf);
  }

  async releaseRuns(claims: readonly Claim[]): Promise<void> {
    for (const claim of claims) releaseRun(this.#runs, claim, this.#clock.now());
  }

  async blockRuns(blocks: Parameters<Store["blockRuns"]>[0]): Promise<void> {
    for (const { claim, reason } of blocks) blockRun(this.#runs, claim, reason);
  }

  async saveHeartbeats(beats: Parameters<Store["saveHeartbeats"]>[0]) {
    const held = new Set<string>();
    for (const { claim, command, attempt, details, isProgress } of beats) {
      const run = this.#runs.get(claim.runId);
      if (!isOwnedBy(run, claim)) continue;
      run.heartbeats.set(command, Object.freeze({ attempt, details }));
      this.#withHeartbeats.add(run);
      if (isProgress) this.#runs.change(run, { crashCount: 0 });
      held.add(run.runId);
    }
    return held;
  }

  async takeQueries(workerId: string, lanes: readonly string[], limit: number) {
    return this.#questions.take(this.#runs, workerId, lanes, limit);
  }

  async answerQueries(answers: Parameters<Store["answerQueries"]>[0]): Promise<void> {
    for (const { queryId, answer } of answers) this.#questions.answer(queryId, answer);
  }

  async registerVersions(versions: readonly VersionKey[]): Promise<void> {
    this.#versions.register(versions, this.#clock.now());
  }

  // Sweeps

  async ownerIds() {
    return this.#runs.ownerIds();
  }

  async rescueRuns(workerId: string, limit: number) {
    const rescued = this.#runs.ownedBy(workerId).slice(0, limit);
    for (const run of rescued) rescueRun(this.#runs, run, this.#clock.now());
    return { count: rescued.length, queues: [...new Set(rescued.map((run) => run.queue))].sort() };
  }

  async closeOverdue(limit: number) {
    const now = this.#clock.now();
    const closed: string[] = [];
    while (closed.length < limit) {
      const run = this.#runs.nextDeadline();
      if (run?.deadlineAt == null || run.timeoutMs === null || run.deadlineAt > now) break;
      const record = toRecord({ type: "RunTimedOut", timeoutMs: run.timeoutMs });
      closeFromOutside(this.#runs, run, "timedOut", record, now);
      closed.push(run.runId);
    }
    return closed;
  }

  async findBlocked({ workflows, queues, after, limit }: BlockedRequest) {
    return this.#runs
      .blocked()
      .filter(({ head }) => head?.paused === null)
      .filter((run) => queues.includes(laneOf(run.queue, run)) && (after === null || run.runId > after))
      .filter(({ workflow, version }) => version !== null || workflows.includes(workflow))
      .sort((a, b) => (a.runId < b.runId ? -1 : 1))
      .slice(0, limit)
      .flatMap((run) => (run.head?.blocked == null ? [] : [{ runId: run.runId, reason: run.head.blocked }]));
  }

  async runErrands(limit: number) {
    return this.#errands.run(limit, this.#clock.now());
  }

  async findExpired(request: ExpiredRequest) {
    return findExpired(this.#runs, request, this.#clock.now());
  }

  async deleteRuns(runIds: readonly string[]) {
    return deleteRuns(this.#runs, this.#startRequests, runIds);
  }

  async forgetLeftovers(): Promise<void> {
    this.#questions.forgetOld(this.#clock.now());
    for (const run of this.#withHeartbeats) {
      if (run.closed === null) continue;
      run.heartbeats.clear();
      this.#withHeartbeats.delete(run);
    }
  }

  // Clients

  async startRuns(requests: readonly StartRequest[]) {
    return requests.map((request) => startRun(this.#runs, this.#startRequests, request, this.#clock.now()));
  }

  async importRun(request: ImportRequest) {
    return importRun(this.#runs, request, this.#clock.now());
  }

  async sendMail(requests: readonly MailRequest[]) {
    return requests.map((request) => sendMail(this.#runs, request, this.#clock.now()));
  }

  async controlRun(request: ControlRequest) {
    return controlRun(this.#runs, request, this.#clock.now());
  }

  async moveRun(request: MoveRequest) {
    return moveRun(this.#runs, request, this.#clock.now());
  }

  async readVersions(workflows: readonly string[]) {
    return new Map(workflows.map((workflow) => [workflow, this.#versions.of(workflow, this.#clock.now())]));
  }

  async setVersionPolicy(workflow: string, policy: VersionPolicy | null, actor?: string): Promise<void> {
    this.#versions.setPolicy(workflow, policy, actor, this.#clock.now());
  }

  async readPolicyChanges(workflow: string, limit: number) {
    return this.#versions.changesOf(workflow, limit);
  }

  async forkRun(request: ForkRequest) {
    const { outcome, grants } = forkRun(
      this.#runs,
      { locks: this.#locks, kin: this.#errands },
      request,
      this.#clock.now(),
    );
    this.#tell(grants, new Set([request.runId]));
    return outcome;
  }

  async terminateRun(runId: string, reason: string, actor?: string) {
    const run = this.#runs.get(runId);
    if (run === undefined) return "notFound";
    if (run.closed !== null) return "closed";
    closeFromOutside(this.#runs, run, "terminated", terminationRecord(reason, actor), this.#clock.now());
    return "terminated";
  }

  async findRun(ref: RunRef) {
    const run = this.#runs.find(ref);
    return run === undefined ? null : detailOf(run, this.#clock.now());
  }

  async listRuns(request: ListRequest) {
    return listRuns(this.#runs, request);
  }

  async countRuns(request: CountRequest) {
    return countRuns(this.#runs, request);
  }

  async readHistory(runId: string, afterSeq: number, limit: number) {
    return this.#runs.get(runId)?.history.slice(afterSeq, afterSeq + limit) ?? [];
  }

  async readEventsOfType(runIds: readonly string[], type: number, limit?: number) {
    return eventsOfType(this.#runs, runIds, type, limit);
  }

  async readOutcomes(runIds: readonly string[]) {
    return outcomesOf(this.#runs, runIds);
  }

  async missingRuns(runIds: readonly string[]) {
    return runIds.filter((runId) => this.#runs.get(runId) === undefined);
  }

  async readUpdates(looks: readonly UpdateLook[]) {
    return looks.map((look) => updateTraceOf(this.#runs, look));
  }

  async readStepEvents(runId: string, step: StepRef) {
    return stepEventsOf(this.#runs.get(runId), step);
  }

  async listLocks(request: ListLocksRequest) {
    return this.#locks.list(request, this.#runs);
  }

  async askQuery(request: QueryRequest): Promise<void> {
    this.#questions.ask(request, this.#clock.now());
  }

  async takeAnswer(queryId: string) {
    return this.#questions.takeAnswer(queryId);
  }

  #known(runIds: readonly string[]): StoredRun[] {
    return runIds.flatMap((runId) => this.#runs.get(runId) ?? []);
  }
}

function unsupportedTransaction(): MemoryTransaction {
  return {
    query: async () => {
      throw new EverstepError(
        "TRANSACTION_UNSUPPORTED",
        "A transaction step asked for a query, and this run is kept in memory. Test it on Postgres, or give the store a transaction to share.",
      );
    },
    commit: () => {},
    rollback: () => {},
  };
}
