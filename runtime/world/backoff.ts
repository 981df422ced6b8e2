// How long to wait before trying again: growing, bounded, and spread out so that many do not return at once.

import type { Chance } from "./world.ts";

export interface BackoffSettings {
  readonly firstMs: number;
  readonly maxMs: number;
}

export class Backoff {
  readonly #chance: Chance;
  readonly #settings: BackoffSettings;
  #failures = 0;

  constructor(chance: Chance, settings: BackoffSettings) {
    this.#chance = chance;
    this.#settings = settings;
  }

  get failures(): number {
    return this.#failures;
  }

  /** Between half and all of first * 2^n, n the failures in a row ("equal jitter"). */
  next(): number {
    const { firstMs, maxMs } = this.#settings;
    const ceilingMs = Math.min(maxMs, firstMs * 2 ** Math.min(this.#failures++, 30));
    return ceilingMs / 2 + (this.#chance.float() * ceilingMs) / 2;
  }

  reset(): void {
    this.#failures = 0;
  }
}
