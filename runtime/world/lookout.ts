// A look that is taken again and again: at once when somebody says that there is news, and regularly, for the news that
// nobody was told of. The interval varies a little, so that those who were started together drift apart.

import { Alarm } from "./pause.ts";
import type { World } from "./world.ts";

export abstract class Lookout {
  readonly #world: World;
  readonly #everyMs: number;
  readonly #alarm: Alarm;
  readonly #stopping = new AbortController();
  #loop: Promise<void> | undefined;

  constructor(world: World, everyMs: number) {
    this.#world = world;
    this.#everyMs = everyMs;
    this.#alarm = new Alarm(world.clock);
  }

  start(): void {
    this.#loop ??= this.#run();
  }

  /** Resolves when the look that is under way has come to its end. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#loop;
  }

  /** There may be news. */
  wake(): void {
    this.#alarm.wake();
  }

  /** Answers in how many milliseconds to look again: 0 for at once, undefined for the regular time. Never rejects. */
  protected abstract look(signal: AbortSignal): Promise<number | undefined>;

  /** Aborts when nobody looks any more. */
  protected get stopping(): AbortSignal {
    return this.#stopping.signal;
  }

  async #run(): Promise<void> {
    const { chance } = this.#world;
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      const againMs = (await this.look(signal)) ?? this.#everyMs * (0.75 + chance.float() / 2);
      if (againMs > 0) await this.#alarm.wait(againMs, signal);
    }
  }
}
