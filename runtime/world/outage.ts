// Tells an operator of an outage once when it begins and once when it is over, however many calls fail in between.

import type { Clock, Log } from "./world.ts";

export interface OutageTexts {
  /** What cannot be reached and what goes on without it. */
  readonly down: string;
  readonly up: string;
}

export class OutageLog {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #texts: OutageTexts;
  #sinceMs: number | undefined;

  constructor(world: { readonly clock: Clock; readonly log: Log }, texts: OutageTexts) {
    this.#clock = world.clock;
    this.#log = world.log;
    this.#texts = texts;
  }

  get isDown(): boolean {
    return this.#sinceMs !== undefined;
  }

  /** `reason` is shown to people: without secrets. */
  down(reason: string): void {
    if (this.#sinceMs !== undefined) return;
    this.#sinceMs = this.#clock.monotonic();
    this.#log.warn({ reason }, this.#texts.down);
  }

  up(): void {
    if (this.#sinceMs === undefined) return;
    const outageMs = Math.round(this.#clock.monotonic() - this.#sinceMs);
    this.#sinceMs = undefined;
    this.#log.info({ outageMs }, this.#texts.up);
  }
}
