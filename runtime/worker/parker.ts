// Lets go of runs that only wait on durable things: no memory, no owner, until a timer is due or mail comes. A run stays
// for a short while first, since what it waits for often comes soon, and coming back costs a claim and a replay.

import type { ParkOutcome, ParkRequest } from "../store/claims.ts";
import type { WorkerStore } from "../store/store.ts";
import type { CancelTimer, World } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";
import type { StoreClock } from "./store-clock.ts";

export interface ParkerOptions {
  readonly store: WorkerStore;
  readonly world: World;
  readonly storeClock: StoreClock;
  /** How long a run stays quiet in memory before it is parked. */
  readonly lingerMs: number;
  /** A run that is due sooner than this is not parked. */
  readonly keepIfDueWithinMs: number;
  /** Memory is short: quiet runs leave without lingering. */
  readonly isCrowded: () => boolean;
  readonly parked: (run: LiveRun) => void;
}

const MAX_RUNS_PER_PARK = 500;

export class Parker {
  readonly #options: ParkerOptions;
  // In the order in which they became quiet.
  readonly #quietSince = new Map<LiveRun, number>();
  #cancelTimer: CancelTimer | undefined;
  #isParking = false;
  /** The last round took as many as one may: there are more. */
  #isBehind = false;
  #isStopped = false;

  constructor(options: ParkerOptions) {
    this.#options = options;
  }

  quiet(run: LiveRun): void {
    if (this.#quietSince.has(run)) return;
    this.#quietSince.set(run, this.#options.world.clock.monotonic());
    this.#schedule();
  }

  busy(run: LiveRun): void {
    this.#quietSince.delete(run);
  }

  stop(): void {
    this.#isStopped = true;
    this.#cancelTimer?.();
    this.#quietSince.clear();
  }

  #schedule(): void {
    if (this.#isStopped || this.#cancelTimer !== undefined || this.#quietSince.size === 0) return;
    const { world, lingerMs, isCrowded } = this.#options;
    const waitMs = this.#isBehind || isCrowded() ? 1 : Math.max(1, lingerMs / 4);
    this.#cancelTimer = world.clock.setTimer(waitMs, () => {
      this.#cancelTimer = undefined;
      void this.#park().finally(() => this.#schedule());
    });
  }

  async #park(): Promise<void> {
    if (this.#isParking) return;
    this.#isParking = true;
    try {
      const runs = this.#due();
      this.#isBehind = runs.length >= MAX_RUNS_PER_PARK;
      if (runs.length === 0) return;
      // From here until the store has answered, the runs must stay as they are: mail waits, timers are asked again.
      const frozen = runs.filter((run) => run.freeze());
      const outcomes = await this.#ask(frozen);
      for (const run of frozen) this.#settle(run, outcomes?.get(run.runId));
    } finally {
      this.#isParking = false;
    }
  }

  #due(): LiveRun[] {
    const { world, lingerMs, isCrowded, storeClock, keepIfDueWithinMs } = this.#options;
    const now = world.clock.monotonic();
    const due: LiveRun[] = [];
    for (const [run, since] of this.#quietSince) {
      if (due.length >= MAX_RUNS_PER_PARK || (now - since < lingerMs && !isCrowded())) break;
      const { nextDueAt } = run;
      if (!run.isQuiet || (nextDueAt !== null && storeClock.msUntil(nextDueAt) < keepIfDueWithinMs)) continue;
      due.push(run);
    }
    return due;
  }

  async #ask(runs: readonly LiveRun[]): Promise<ReadonlyMap<string, ParkOutcome> | undefined> {
    const requests = runs.map((run): ParkRequest => ({ claim: run.claim, ...run.head, ...run.nextWaking }));
    try {
      return await this.#options.store.parkRuns(requests);
    } catch (error) {
      this.#options.world.log.debug({ error: String(error), runs: runs.length }, "runs not parked, trying again later");
      return undefined;
    }
  }

  #settle(run: LiveRun, outcome: ParkOutcome | undefined): void {
    this.#quietSince.delete(run);
    if (outcome === "parked") return this.#options.parked(run);
    if (outcome === "lost") return run.lost();
    // Not known, or mail came: carry on; if the parking did land, the next thing the run appends is refused.
    if (outcome === "mail") run.wantMail();
    run.thaw();
  }
}
