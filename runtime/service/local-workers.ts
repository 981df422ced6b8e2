// The workers of this process, as its front door knows them: what both of them know need not go through the database and
// back. A run that is started here may be claimed in the statement that starts it, by a worker here; mail for a run that
// is executed here is handed to it once it is stored; and whoever waits here for a run that was closed here is told at
// once. Nothing depends on it: without a word from here, the same is found by hints and polling.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Claim, ClaimedRun } from "../store/claims.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { MailItem } from "../store/mail.ts";
import type { StartClaim, StartOutcome, StartRequest } from "../store/starts.ts";
import type { StoredOutcome } from "./outcome-waiter.ts";

export interface LocalWorker {
  /**
   * A claim for a run that is about to be started and that this worker would execute at once; undefined when it would
   * not. Each one is settled: by `begin` when the store has given it, by `disclaim` otherwise.
   */
  offerClaim(code: VersionKey, queue: string): StartClaim | undefined;
  begin(run: ClaimedRun, opening: StoredEvent): void;
  /** `mayHold`: nobody knows that the store did not give the claim; it is given back. */
  disclaim(claim: Claim, queue: string, mayHold: boolean): void;
  /** The run is executed by this worker now, as far as it knows. */
  carries(runId: string): boolean;
  /** Stored mail for a run that `ownerId` owns. False when that is not this worker, or it does not execute the run. */
  deliver(ownerId: string, item: MailItem): boolean;
}

export interface ClaimOffer {
  readonly worker: LocalWorker;
  readonly claim: StartClaim;
}

/** The epoch of a claim that comes with the start: nobody claimed the run before. */
const FIRST_EPOCH = 1;

export class LocalWorkers {
  readonly #workers = new Set<LocalWorker>();
  readonly #listeners = new Set<(runId: string, outcome: StoredOutcome) => void>();

  /** Answers how to take the worker away again. */
  add(worker: LocalWorker): () => void {
    this.#workers.add(worker);
    return () => this.#workers.delete(worker);
  }

  offer(code: VersionKey, queue: string): ClaimOffer | undefined {
    for (const worker of this.#workers) {
      const claim = worker.offerClaim(code, queue);
      if (claim !== undefined) return { worker, claim };
    }
    return undefined;
  }

  /** `outcome` is undefined when the start failed, or nobody knows. */
  settle({ worker, claim }: ClaimOffer, request: StartRequest, outcome: StartOutcome | undefined): void {
    const { runId, workflowId, workflow, queue, version = null, started, mail } = request;
    const claimed = outcome?.claimed ?? null;
    if (claimed === null) {
      // A start that was repeated may have been given the claim the first time.
      const given: Claim = { runId, epoch: FIRST_EPOCH, claimId: claim.claimId };
      return worker.disclaim(given, queue, outcome === undefined || outcome.outcome === "started");
    }
    const { at, deadlineAt } = claimed;
    const { type, command, name, payload, data } = started;
    const opening: StoredEvent = { seq: 1, at, type, command, name, payload, data };
    const run: ClaimedRun = {
      runId,
      epoch: FIRST_EPOCH,
      claimId: claim.claimId,
      workflowId,
      workflow,
      queue,
      version,
      startedAt: at,
      deadlineAt,
      events: 1,
      takenMail: 0,
      newestMail: mail === null ? 0 : 1,
      crashCount: 1,
      history: [opening],
      hasFired: false,
    };
    worker.begin(run, opening);
  }

  carries(runId: string): boolean {
    for (const worker of this.#workers) if (worker.carries(runId)) return true;
    return false;
  }

  deliver(ownerId: string, item: MailItem): boolean {
    for (const worker of this.#workers) if (worker.deliver(ownerId, item)) return true;
    return false;
  }

  /** A worker here has closed the run, and that is committed. */
  closed(runId: string, outcome: StoredOutcome): void {
    for (const listen of this.#listeners) listen(runId, outcome);
  }

  /** Calls `listen` for each run that a worker here closes. Answers how to stop. */
  onClosed(listen: (runId: string, outcome: StoredOutcome) => void): () => void {
    this.#listeners.add(listen);
    return () => this.#listeners.delete(listen);
  }
}
