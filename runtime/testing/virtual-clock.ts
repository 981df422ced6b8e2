// The clock of one test environment: it stands until somebody lets it jump to the next timer. Holds no timer of Node's,
// so nothing of it is left open. Counts what is asked of it: whoever skips time sees by that whether anything moves.

import { OrderedHeap } from "../store/memory/ordered-heap.ts";
import { systemClock } from "../world/system.ts";
import type { CancelTimer, Clock } from "../world/world.ts";

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly fire: () => void;
  isSet: boolean;
}

/**
 * For the runtime's regular looks at what no hint announced. In one process hints arrive, and time that is skipped would
 * be spent on nothing else: a wait this long never ends here.
 */
export const NEVER_MS = 1e15;
/** What jitter and fractions leave of it. Longer than any duration and any date that a workflow can ask for in earnest. */
const ENDLESS_MS = NEVER_MS / 10;

export class VirtualClock implements Clock {
  readonly #startedAt: number;
  readonly #timers = new OrderedHeap<Timer>((a, b) => (a.at === b.at ? a.order < b.order : a.at < b.at));
  #elapsedMs = 0;
  #timersSet = 0;
  #stirs = 0;
  #onStir: (() => void) | undefined;

  constructor(startedAt: number) {
    this.#startedAt = startedAt;
  }

  now(): number {
    return this.#startedAt + this.#elapsedMs;
  }

  monotonic(): number {
    return this.#elapsedMs;
  }

  setTimer(ms: number, fire: () => void): CancelTimer {
    this.stir();
    if (ms >= ENDLESS_MS) return () => {};
    const timer = { at: this.#elapsedMs + Math.max(0, ms), order: this.#timersSet++, fire, isSet: true };
    this.#timers.add(timer);
    return () => {
      if (!timer.isSet) return;
      this.#unset(timer);
      this.stir();
    };
  }

  afterDrain(call: () => void): void {
    this.stir();
    systemClock.afterDrain(call);
  }

  // ---------------------------------------------------------------- for whoever skips time

  /** Grows whenever something moves. */
  get stirs(): number {
    return this.#stirs;
  }

  get hasDue(): boolean {
    const next = this.#timers.first;
    return next !== undefined && next.at <= this.#elapsedMs;
  }

  stir(): void {
    this.#stirs++;
    const tell = this.#onStir;
    this.#onStir = undefined;
    tell?.();
  }

  /** Resolves when something moves. For one caller at a time. */
  stirred(): Promise<void> {
    return new Promise((resolve) => {
      this.#onStir = resolve;
    });
  }

  /** Moves on to the next timer and fires what is due then, in order. False when there is none. */
  jump(): boolean {
    const next = this.#timers.first;
    if (next === undefined) return false;
    this.#elapsedMs = Math.max(this.#elapsedMs, next.at);
    const setBefore = this.#timersSet;
    for (let due = this.#due(setBefore); due !== undefined; due = this.#due(setBefore)) {
      this.#unset(due);
      due.fire();
    }
    return true;
  }

  #due(setBefore: number): Timer | undefined {
    const first = this.#timers.first;
    return first !== undefined && first.at <= this.#elapsedMs && first.order < setBefore ? first : undefined;
  }

  #unset(timer: Timer): void {
    timer.isSet = false;
    this.#timers.remove(timer);
  }
}
