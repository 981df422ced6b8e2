// Who listens to what in this process. Hints that come in the same moment are told once, after the current work is
// through, so that a publisher is never interrupted by a listener; a listener that throws harms nobody else.

import type { Clock, Log } from "../world/world.ts";
import type { Topic } from "./wakeups.ts";

/** Apart from its function: the same one may listen twice. */
interface Listener {
  readonly listen: () => void;
}

export class Subscribers {
  readonly #clock: Clock;
  readonly #log: Log;
  // A set only where there are several: one comes and goes with each run that is waited for.
  readonly #listeners = new Map<Topic, Listener | Set<Listener>>();
  #hinted = new Set<Topic>();

  constructor(world: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = world.clock;
    this.#log = world.log;
  }

  has(topic: Topic): boolean {
    return this.#listeners.has(topic);
  }

  topics(): Topic[] {
    return [...this.#listeners.keys()];
  }

  /** Returns how to stop. The same function may be added twice, and is then called twice. */
  add(topic: Topic, listen: () => void): () => void {
    const listener: Listener = { listen };
    const others = this.#listeners.get(topic);
    if (others instanceof Set) others.add(listener);
    else this.#listeners.set(topic, others === undefined ? listener : new Set([others, listener]));
    return () => this.#remove(topic, listener);
  }

  /** Calls the listeners of these topics soon, once each. Topics nobody listens to cost nothing. */
  hint(topics: Iterable<Topic>): void {
    const wasEmpty = this.#hinted.size === 0;
    for (const topic of topics) if (this.#listeners.has(topic)) this.#hinted.add(topic);
    if (wasEmpty && this.#hinted.size > 0) this.#clock.afterDrain(() => this.#tell());
  }

  clear(): void {
    this.#listeners.clear();
    this.#hinted.clear();
  }

  #remove(topic: Topic, listener: Listener): void {
    const listeners = this.#listeners.get(topic);
    const isLast =
      listeners instanceof Set ? listeners.delete(listener) && listeners.size === 0 : listeners === listener;
    if (isLast) this.#listeners.delete(topic);
  }

  #tell(): void {
    const hinted = this.#hinted;
    this.#hinted = new Set();
    for (const topic of hinted) {
      const listeners = this.#listeners.get(topic);
      if (listeners === undefined) continue;
      if (!(listeners instanceof Set)) this.#call(topic, listeners);
      // A listener taken away by another one before its turn is not called any more.
      else for (const each of [...listeners]) if (listeners.has(each)) this.#call(topic, each);
    }
  }

  #call(topic: Topic, { listen }: Listener): void {
    try {
      listen();
    } catch (error) {
      this.#log.error({ topic, error }, "A listener for wake-ups threw. Polling will do what it left undone.");
    }
  }
}
