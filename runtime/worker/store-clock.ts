// What time it is at the store, never ahead of it: each answer that carries the store's time is a lower bound that grows
// with the monotonic clock. A timer judged by it is late by at most the best answer's way back, and never early.

import type { Clock } from "../world/world.ts";

export class StoreClock {
  readonly #clock: Clock;
  #offsetMs: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * `storeNow` was the store's time, in whole ms, some moment before now; and after `askedAt`, by the monotonic clock. That
   * clock may be the faster one of the two: what was found with the best of answers is too much some time later.
   */
  observe(storeNow: number, askedAt = Number.NEGATIVE_INFINITY): void {
    const atLeastMs = storeNow - this.#clock.monotonic();
    const lessThanMs = storeNow + 1 - askedAt;
    this.#offsetMs = Math.min(Math.max(this.#offsetMs ?? atLeastMs, atLeastMs), lessThanMs);
  }

  /** The store said it is earlier than we thought: its clock was set back. */
  correct(storeNow: number): void {
    this.#offsetMs = storeNow - this.#clock.monotonic();
  }

  now(): number {
    return (this.#offsetMs ?? Number.NEGATIVE_INFINITY) + this.#clock.monotonic();
  }

  msUntil(storeTime: number): number {
    return this.#offsetMs === undefined ? 0 : Math.max(0, Math.ceil(storeTime - this.now()));
  }
}
