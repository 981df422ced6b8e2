// Hints on their way out: what is published while a batch is being sent waits for the next one, each topic once. A
// batch that fails is dropped, and so is what does not fit: whoever listens also polls.

import type { CancelTimer, Clock } from "../world/world.ts";
import type { Topic } from "./wakeups.ts";

export interface OutboxOptions {
  readonly clock: Clock;
  /** From the end of one batch to the start of the next; 0: as soon as the current work is through. */
  readonly gapMs: number;
  /** May reject; must settle in bounded time. */
  readonly send: (topics: readonly Topic[]) => Promise<unknown>;
}

const MAX_WAITING = 10_000;

export class Outbox {
  readonly #options: OutboxOptions;
  #waiting = new Set<Topic>();
  #state: "idle" | "due" | "sending" | "resting" = "idle";
  #cancelRest: CancelTimer = () => {};
  #onIdle: (() => void)[] = [];

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  add(topics: readonly Topic[]): void {
    for (const topic of topics) if (this.#waiting.size < MAX_WAITING) this.#waiting.add(topic);
    this.#wake();
  }

  /** Resolves once everything added so far was sent or dropped. */
  async flush(): Promise<void> {
    if (this.#state === "resting") {
      this.#cancelRest();
      this.#state = "idle";
      this.#wake();
    }
    if (this.#state === "idle") return;
    await new Promise<void>((resolve) => this.#onIdle.push(resolve));
    if (this.#waiting.size > 0) await this.flush();
  }

  #wake(): void {
    if (this.#state !== "idle" || this.#waiting.size === 0) return;
    this.#state = "due";
    this.#options.clock.afterDrain(() => void this.#send());
  }

  async #send(): Promise<void> {
    const { clock, gapMs, send } = this.#options;
    const topics = [...this.#waiting];
    this.#waiting = new Set();
    this.#state = "sending";
    await send(topics).catch(() => {});
    this.#state = gapMs > 0 ? "resting" : "idle";
    for (const resolve of this.#onIdle.splice(0)) resolve();
    if (this.#state === "resting") this.#cancelRest = clock.setTimer(gapMs, () => this.#rested());
    this.#wake();
  }

  #rested(): void {
    this.#state = "idle";
    this.#wake();
  }
}
