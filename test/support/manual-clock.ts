// A clock that stands until it is moved. Timers fire in order of their time, each at its own time.

import type { CancelTimer, Clock } from "../../runtime/world/world.ts";

export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<{ readonly at: number; readonly fire: () => void }>();

  now(): number {
    return 1_750_000_000_000 + this.#now;
  }

  monotonic(): number {
    return this.#now;
  }

  setTimer(ms: number, fire: () => void): CancelTimer {
    const timer = { at: this.#now + Math.max(0, ms), fire };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  afterDrain(call: () => void): void {
    setImmediate(call);
  }

  /** Moves on by `ms`, firing what falls due, and lets all that follows from each timer happen before the next. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    for (;;) {
      await new Promise<void>((resolve) => setImmediate(resolve));
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at);
      if (next === undefined) break;
      this.#timers.delete(next);
      this.#now = Math.max(this.#now, next.at);
      next.fire();
    }
    this.#now = end;
  }
}
