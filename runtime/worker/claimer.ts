// Takes runs that are due, as many as there is room for, and brings their histories. Sleeps until it is woken, until the
// next run is due, or until it is time to look anyway.

import type { ClaimedRun, LoadedHistory } from "../store/claims.ts";
import type { WorkerStore } from "../store/store.ts";
import { Backoff } from "../world/backoff.ts";
import { Alarm, pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import type { StoreClock } from "./store-clock.ts";

export interface ClaimerOptions {
  readonly store: WorkerStore;
  readonly world: World;
  readonly storeClock: StoreClock;
  readonly queues: readonly string[];
  readonly pollMs: number;
  readonly workerId: () => string;
  readonly isTrusted: () => boolean;
  /** Runs that may be claimed now. */
  readonly limit: () => number;
  /** A suspect is executed while no other suspect is. */
  readonly hasSuspect: () => boolean;
  readonly accept: (run: ClaimedRun, history: LoadedHistory) => void;
}

const SHORTEST_WAIT_MS = 5;
const MAX_EVENTS_PER_LOAD = 20_000;

export class Claimer {
  readonly #options: ClaimerOptions;
  readonly #alarm: Alarm;
  readonly #underWay = new Set<string>();
  #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: ClaimerOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.world.clock);
  }

  /** Claims that were asked for and whose runs are not handed over to `accept` yet. */
  isUnderWay(claimId: string): boolean {
    return this.#underWay.has(claimId);
  }

  get hasClaimsUnderWay(): boolean {
    return this.#underWay.size > 0;
  }

  start(): void {
    this.#stopping = new AbortController();
    this.#loop = this.#run(this.#stopping.signal);
  }

  /** Nothing is claimed once this resolves. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** There may be something to claim, or room for it. */
  wake(): void {
    this.#alarm.wake();
  }

  async #run(signal: AbortSignal): Promise<void> {
    const { world, pollMs } = this.#options;
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 5_000 });
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await this.#claimOnce(signal);
        backoff.reset();
      } catch (error) {
        if (backoff.failures === 0) world.log.warn({ error: messageOf(error) }, "cannot claim runs, trying again");
        await pause(world.clock, backoff.next(), signal);
        continue;
      }
      // Jitter, so that workers that were woken together do not poll together for ever.
      const pollInMs = pollMs * (0.75 + world.chance.float() / 2);
      if (waitMs > 0) await this.#alarm.wait(Math.min(waitMs, pollInMs), signal);
    }
  }

  /** Answers how long until the next claim makes sense; 0 for at once. */
  async #claimOnce(signal: AbortSignal): Promise<number> {
    const { isTrusted, hasSuspect, pollMs } = this.#options;
    const limit = this.#options.limit();
    if (!isTrusted() || limit <= 0) return pollMs;
    const { taken, nextDueInMs, hasDueSuspects } = await this.#claim(limit, "exclude", signal);
    if (hasDueSuspects && taken < limit && !hasSuspect()) await this.#claim(1, "only", signal);
    if (taken === limit) return 0;
    // A run that is due and was left became so this moment, or another worker has it under lock: looking at once is vain.
    return nextDueInMs === null ? pollMs : Math.max(nextDueInMs, SHORTEST_WAIT_MS);
  }

  async #claim(
    limit: number,
    suspects: "exclude" | "only",
    signal: AbortSignal,
  ): Promise<{ taken: number; nextDueInMs: number | null; hasDueSuspects: boolean }> {
    const { store, world, storeClock, queues } = this.#options;
    const workerId = this.#options.workerId();
    const claimId = world.chance.uuid();
    this.#underWay.add(claimId);
    const askedAt = world.clock.monotonic();
    try {
      const answer = await store.claimRuns({ workerId, claimId, queues, limit, suspects });
      storeClock.observe(answer.now, askedAt);
      for (const runId of answer.quarantined) {
        world.log.error({ runId }, "run set aside: it was claimed again and again without progress");
      }
      // Claimed under an id that has lapsed since: those runs are found by whoever looks for lost workers.
      if (answer.claimed.length > 0 && workerId === this.#options.workerId()) await this.#bring(answer.claimed, signal);
      const { claimed, nextDueInMs, hasDueSuspects } = answer;
      return { taken: claimed.length, nextDueInMs, hasDueSuspects };
    } finally {
      this.#underWay.delete(claimId);
    }
  }

  /** Claims blocked runs that this worker's code may fit. */
  async claimBlocked(runIds: readonly string[]): Promise<void> {
    const { store, world, workerId } = this.#options;
    const claimId = world.chance.uuid();
    this.#underWay.add(claimId);
    try {
      await this.#bring(await store.claimBlocked(workerId(), claimId, runIds), this.#stopping.signal);
    } finally {
      this.#underWay.delete(claimId);
    }
  }

  /** Loads the histories of claimed runs, a bounded number of events at a time, and hands them over. */
  async #bring(claimed: readonly ClaimedRun[], signal: AbortSignal): Promise<void> {
    const toLoad: ClaimedRun[] = [];
    for (const run of claimed) {
      if (run.history === null) toLoad.push(run);
      else this.#options.accept(run, { runId: run.runId, events: run.history, heartbeats: [] });
    }
    for (const group of groupsByEvents(toLoad)) {
      const histories = await this.#load(group, signal);
      const byRun = new Map(histories.map((history) => [history.runId, history]));
      for (const run of group) {
        const history = byRun.get(run.runId);
        // Another number of events means that the run was claimed away between claim and load.
        if (history?.events.length === run.events) this.#options.accept(run, history);
      }
    }
  }

  async #load(group: readonly ClaimedRun[], signal: AbortSignal): Promise<readonly LoadedHistory[]> {
    const { store, world, isTrusted } = this.#options;
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 1_000 });
    const runIds = group.map(({ runId }) => runId);
    while (true) {
      try {
        return await store.loadHistories(runIds);
      } catch (error) {
        if (signal.aborted || !isTrusted()) throw error;
        await pause(world.clock, backoff.next(), signal);
      }
    }
  }
}

function* groupsByEvents(claimed: readonly ClaimedRun[]): Generator<ClaimedRun[]> {
  let group: ClaimedRun[] = [];
  let events = 0;
  for (const run of claimed) {
    if (group.length > 0 && events + run.events > MAX_EVENTS_PER_LOAD) {
      yield group;
      group = [];
      events = 0;
    }
    group.push(run);
    events += run.events;
  }
  if (group.length > 0) yield group;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
