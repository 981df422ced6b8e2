// Something to be done again and again for as long as a worker lives. Every worker sweeps; each sweep is safe beside the
// same sweep elsewhere. The interval varies a little, so that workers started together drift apart.

import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";

export interface SweepOptions {
  readonly name: string;
  readonly world: World;
  readonly everyMs: number;
  /** Does the work. Asked to `stop()` between pages of long work by the signal. */
  readonly sweep: (signal: AbortSignal) => Promise<void>;
}

export class Sweep {
  readonly #options: SweepOptions;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: SweepOptions) {
    this.#options = options;
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  async #run(): Promise<void> {
    const { name, world, everyMs, sweep } = this.#options;
    const { signal } = this.#stopping;
    let isFailing = false;
    while (!signal.aborted) {
      await pause(world.clock, everyMs * (0.75 + world.chance.float() / 2), signal);
      if (signal.aborted) return;
      try {
        await sweep(signal);
        isFailing = false;
      } catch (error) {
        // One line per outage: the sweep comes again anyway.
        if (!isFailing) world.log.warn({ sweep: name, error: String(error) }, "sweep failed, it will be tried again");
        isFailing = true;
      }
    }
  }
}
