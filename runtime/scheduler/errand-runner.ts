// Does errands: at once when something here has made one due, and regularly, for those whose maker died before it came
// to them. Every worker has one; the store sees to it that each errand is done once.

import { doErrands, type ErrandParts } from "../service/errands.ts";
import { Backoff } from "../world/backoff.ts";
import { Alarm } from "../world/pause.ts";
import type { World } from "../world/world.ts";

export interface ErrandRunnerOptions extends Omit<ErrandParts, "log"> {
  readonly world: World;
  /** How often to look for what others have left. */
  readonly everyMs: number;
}

/** How soon to look again while another worker does errands: it may have looked before ours were due. */
const BUSY_AGAIN_MS = 20;

export class ErrandRunner {
  readonly #options: ErrandRunnerOptions;
  readonly #alarm: Alarm;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(options: ErrandRunnerOptions) {
    this.#options = options;
    this.#alarm = new Alarm(options.world.clock);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** There may be errands. */
  wake(): void {
    this.#alarm.wake();
  }

  async #run(): Promise<void> {
    const { world, everyMs } = this.#options;
    const { signal } = this.#stopping;
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 5_000 });
    while (!signal.aborted) {
      let waitMs = everyMs * (0.75 + world.chance.float() / 2);
      try {
        const isBusy = await doErrands({ ...this.#options, log: world.log }, signal);
        if (isBusy) waitMs = Math.min(waitMs, BUSY_AGAIN_MS);
        backoff.reset();
      } catch (error) {
        if (backoff.failures === 0) world.log.warn({ error: String(error) }, "cannot do errands, trying again");
        waitMs = backoff.next();
      }
      await this.#alarm.wait(waitMs, signal);
    }
  }
}
