// How much is taken on at once. All that is under way shares the commits and the event loop: however many runs are due, no
// more are claimed than keep the commits filled, and while runs begin here beside them, for whose results somebody waits,
// woken ones go by smaller portions.

import type { Clock } from "../world/world.ts";

export interface PaceOptions {
  readonly clock: Clock;
  readonly maxRunsPerClaim: number;
  readonly maxRunsPerCommit: number;
  /** Runs that wait for a commit, or whose code is being run. */
  readonly busyRuns: () => number;
  /** There was no room for claims, and now there is. */
  readonly onRoom: () => void;
}

export class Pace {
  readonly #options: PaceOptions;
  #begunAt = Number.NEGATIVE_INFINITY;
  #holdsClaims = false;

  constructor(options: PaceOptions) {
    this.#options = options;
  }

  /** A run was started here, by a client of this process. */
  runBegan(): void {
    this.#begunAt = this.#options.clock.monotonic();
  }

  get runsPerClaim(): number {
    return this.#portionOf(this.#options.maxRunsPerClaim);
  }

  /** Of runs that did not begin here. */
  get wokenRunsPerCommit(): number {
    return this.#portionOf(this.#options.maxRunsPerCommit);
  }

  /** Asked for by claims, which are told by `onRoom` when they were given none. */
  roomForClaims(): number {
    const room = this.#room();
    this.#holdsClaims = room === 0;
    return room;
  }

  /** Fewer runs may be busy than were. */
  lookAgain(): void {
    if (!this.#holdsClaims || this.#room() === 0) return;
    this.#holdsClaims = false;
    this.#options.onRoom();
  }

  #room(): number {
    const perClaim = this.runsPerClaim;
    const room = perClaim * CLAIMS_AHEAD - this.#options.busyRuns();
    // Many small claims would cost more than they bring.
    return room < perClaim / 2 ? 0 : room;
  }

  #portionOf(most: number): number {
    const isShared = this.#options.clock.monotonic() - this.#begunAt < SHARED_MS;
    return isShared ? Math.min(most, PORTION) : most;
  }
}

/** Claims whose runs may be busy at once. */
const CLAIMS_AHEAD = 3;
/** How long the start of a run says that others will follow. */
const SHARED_MS = 1_000;
/** Small enough to take a few milliseconds, of the store as well as of the event loop. */
const PORTION = 120;
