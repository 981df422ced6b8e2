// The store in memory, telling at once what workers and clients of other stores find out by looking again and again: that
// a run is parked, overdue, blocked, or closed from outside. So nobody has to look, and no skipped time is spent on it.

import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { ClaimRequest, ParkRequest } from "../store/claims.ts";
import type { ForkRequest } from "../store/forks.ts";
import { MemoryStore, type MemoryStoreOptions } from "../store/memory/memory-store.ts";
import type { ImportRequest, StartRequest } from "../store/starts.ts";
import type { Store } from "../store/store.ts";
import type { AppendTurn } from "../store/turns.ts";
import type { Clock } from "../world/world.ts";

export interface Announcements {
  /** Runs wait for a time now: whoever claims must look when the next is due. */
  parked(): void;
  blocked(runId: string, reason: BlockedReason): void;
  /** Not by their own code: neither who executes them nor who waits for them knows. */
  closedFromOutside(runIds: readonly string[]): void;
}

const RUNS_PER_CLOSE = 500;

export class AnnouncingStore extends MemoryStore {
  readonly #clock: Clock;
  readonly #announce: Announcements;
  /** Timeouts of children that are about to be started. */
  readonly #toStart: (number | null)[] = [];

  constructor(options: MemoryStoreOptions & { readonly clock: Clock }, announce: Announcements) {
    super(options);
    this.#clock = options.clock;
    this.#announce = announce;
  }

  override async parkRuns(requests: readonly ParkRequest[]) {
    const outcomes = await super.parkRuns(requests);
    this.#announce.parked();
    return outcomes;
  }

  override async blockRuns(blocks: Parameters<Store["blockRuns"]>[0]): Promise<void> {
    await super.blockRuns(blocks);
    for (const { claim, reason } of blocks) this.#announce.blocked(claim.runId, reason);
  }

  override async claimRuns(request: ClaimRequest) {
    const answer = await super.claimRuns(request);
    for (const runId of answer.quarantined) {
      const blocked = (await super.findRun({ runId }))?.blocked;
      if (blocked != null) this.#announce.blocked(runId, blocked);
    }
    return answer;
  }

  override async startRuns(requests: readonly StartRequest[]) {
    const replaceable = requests.filter(({ onConflict }) => onConflict === "terminateExisting");
    const before = replaceable.map(({ workflowId }) => super.findRun({ workflowId }));
    const outcomes = await super.startRuns(requests);
    for (const [index, { timeoutMs }] of requests.entries()) {
      if (outcomes[index]?.outcome === "started") this.#closeAfter(timeoutMs);
    }
    const replaced = (await Promise.all(before)).flatMap((run) => run?.runId ?? []);
    if (replaced.length > 0) this.#announce.closedFromOutside(replaced);
    return outcomes;
  }

  override async forkRun(request: ForkRequest) {
    const outcome = await super.forkRun(request);
    if (request.terminates !== null) this.#announce.closedFromOutside([request.sourceId]);
    this.#closeAfter(request.timeoutMs);
    return outcome;
  }

  override async appendWithEffects(turns: readonly AppendTurn[]) {
    const answer = await super.appendWithEffects(turns);
    const effects = turns.flatMap((turn) => (answer.committed.has(turn.claim.runId) ? (turn.effects ?? []) : []));
    for (const { errands, successor } of effects) {
      this.#closeAfter(successor?.timeoutMs ?? null);
      for (const errand of errands) if (errand.do === "start") this.#toStart.push(errand.child.timeoutMs);
    }
    return answer;
  }

  override async runErrands(limit: number) {
    const answer = await super.runErrands(limit);
    for (const timeoutMs of this.#toStart.splice(0)) this.#closeAfter(timeoutMs);
    if (answer.closedIds.length > 0) this.#announce.closedFromOutside(answer.closedIds);
    return answer;
  }

  override async importRun(request: ImportRequest) {
    const outcome = await super.importRun(request);
    const { deadlineAt } = request;
    if (outcome === "imported" && deadlineAt !== null) {
      this.#clock.setTimer(Math.max(0, deadlineAt - this.#clock.now()), () => void this.#closeOverdue());
    }
    return outcome;
  }

  override async terminateRun(runId: string, reason: string, actor?: string) {
    const outcome = await super.terminateRun(runId, reason, actor);
    if (outcome === "terminated") this.#announce.closedFromOutside([runId]);
    return outcome;
  }

  #closeAfter(timeoutMs: number | null): void {
    if (timeoutMs !== null) this.#clock.setTimer(timeoutMs, () => void this.#closeOverdue());
  }

  async #closeOverdue(): Promise<void> {
    const closed = await super.closeOverdue(RUNS_PER_CLOSE);
    if (closed.length > 0) this.#announce.closedFromOutside(closed);
    if (closed.length >= RUNS_PER_CLOSE) await this.#closeOverdue();
  }
}
