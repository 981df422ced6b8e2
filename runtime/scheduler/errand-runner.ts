// Does errands: at once when something here has made one due, and regularly, for those whose maker died before it came
// to them. Every worker has one; the store sees to it that each errand is done once.

import { doErrands, type ErrandParts } from "../service/errands.ts";
import { Backoff } from "../world/backoff.ts";
import { Lookout } from "../world/lookout.ts";
import type { World } from "../world/world.ts";

export interface ErrandRunnerOptions extends Omit<ErrandParts, "log"> {
  readonly world: World;
  /** How often to look for what others have left. */
  readonly everyMs: number;
}

/** How soon to look again while another worker does errands: it may have looked before ours were due. */
const BUSY_AGAIN_MS = 20;

export class ErrandRunner extends Lookout {
  readonly #options: ErrandRunnerOptions;
  readonly #backoff: Backoff;

  constructor(options: ErrandRunnerOptions) {
    super(options.world, options.everyMs);
    this.#options = options;
    this.#backoff = new Backoff(options.world.chance, { firstMs: 50, maxMs: 5_000 });
  }

  protected async look(signal: AbortSignal): Promise<number | undefined> {
    const { log } = this.#options.world;
    try {
      const isBusy = await doErrands({ ...this.#options, log }, signal);
      this.#backoff.reset();
      return isBusy ? BUSY_AGAIN_MS : undefined;
    } catch (error) {
      if (this.#backoff.failures === 0) log.warn({ error: String(error) }, "cannot do errands, trying again");
      return this.#backoff.next();
    }
  }
}
