// What a caller may conclude about others. Whoever could not reach the keeper a moment ago must expect that nobody
// could: after a failed call it stays blind for one ttl from the next answer, so that every worker has had the time to
// renew before the first one is declared gone.

import type { Clock } from "../world/world.ts";

export class Sight {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  #hasFailed = false;
  #blindUntil = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock, ttlMs: number) {
    this.#clock = clock;
    this.#ttlMs = ttlMs;
  }

  failed(): void {
    this.#hasFailed = true;
  }

  answered(): void {
    if (!this.#hasFailed) return;
    this.#hasFailed = false;
    this.#blindUntil = this.#clock.monotonic() + this.#ttlMs;
  }

  isBlind(): boolean {
    return this.#hasFailed || this.#clock.monotonic() < this.#blindUntil;
  }
}
