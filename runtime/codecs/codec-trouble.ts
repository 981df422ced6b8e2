// Tells an operator that codecs fail, without a line for each payload. A codec may fail for the runs of one key and work
// for all others at the same time, so there is no moment at which it is over.

import type { Clock, Log } from "../world/world.ts";

const LINE_EVERY_MS = 30_000;

export class CodecTrouble {
  readonly #clock: Clock;
  readonly #log: Log;
  #lastLineAt: number | undefined;
  #failures = 0;

  constructor(world: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = world.clock;
    this.#log = world.log;
  }

  /** `reason` is shown to people. */
  failed(reason: string): void {
    this.#failures++;
    const now = this.#clock.monotonic();
    if (this.#lastLineAt !== undefined && now - this.#lastLineAt < LINE_EVERY_MS) return;
    const fields = { reason, failures: this.#failures };
    this.#lastLineAt = now;
    this.#failures = 0;
    this.#log.warn(fields, "a payload codec fails: the runs it fails for wait, and go on when it answers");
  }
}
