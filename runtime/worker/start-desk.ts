// Claims that are given with the start: a client of this process starts a run, and the same statement makes this worker
// its owner. Saves the claim, which for a short run is one commit of four.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Claim, ClaimedRun, LoadedHistory } from "../store/claims.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { StartClaim } from "../store/starts.ts";

export interface StartDeskOptions {
  readonly workerId: () => string;
  readonly newClaimId: () => string;
  readonly executes: (code: VersionKey, queue: string) => boolean;
  /** Runs that could be begun at once, besides those on offer. */
  readonly room: () => number;
  readonly accept: (run: ClaimedRun, history: LoadedHistory) => void;
  readonly release: (claim: Claim, queue: string) => void;
}

export class StartDesk {
  readonly #options: StartDeskOptions;
  /** Claims on offer, with the worker id each is in the name of. */
  readonly #offered = new Map<string, string>();

  constructor(options: StartDeskOptions) {
    this.#options = options;
  }

  /** Claims whose runs are not handed over yet: the store may know of them before we do. */
  isUnderWay(claimId: string): boolean {
    return this.#offered.has(claimId);
  }

  offerClaim(code: VersionKey, queue: string): StartClaim | undefined {
    const { executes, room, workerId, newClaimId } = this.#options;
    if (!executes(code, queue) || this.#offered.size >= room()) return undefined;
    const claim: StartClaim = { workerId: workerId(), claimId: newClaimId() };
    this.#offered.set(claim.claimId, claim.workerId);
    return claim;
  }

  begin(run: ClaimedRun, opening: StoredEvent): void {
    const workerId = this.#offered.get(run.claimId);
    this.#offered.delete(run.claimId);
    // Claimed under an id that has lapsed since: such runs are found by whoever looks for lost workers.
    if (workerId !== this.#options.workerId()) return;
    this.#options.accept(run, { runId: run.runId, events: [opening], heartbeats: [] });
  }

  disclaim(claim: Claim, queue: string, mayHold: boolean): void {
    this.#offered.delete(claim.claimId);
    if (mayHold) this.#options.release(claim, queue);
  }
}
