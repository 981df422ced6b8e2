// Who listens to what in this process. Hints that come in the same moment are told once, after the current work is
// through, so that a publisher is never interrupted by a listener; a listener that throws harms nobody else.

import type { Clock, Log } from "../world/world.ts";
import type { Topic } from "./wakeups.ts";

export class Subscribers {
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners = new Map<Topic, Set<() => void>>();
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
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners);
    const call = () => listen();
    listeners.add(call);
    return () => {
      listeners.delete(call);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
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

  #tell(): void {
    const hinted = this.#hinted;
    this.#hinted = new Set();
    for (const topic of hinted) {
      const listeners = this.#listeners.get(topic);
      // A listener taken away by another one before its turn is not called any more.
      for (const listen of [...(listeners ?? [])]) if (listeners?.has(listen)) this.#call(topic, listen);
    }
  }

  #call(topic: Topic, listen: () => void): void {
    try {
      listen();
    } catch (error) {
      this.#log.error({ topic, error }, "A listener for wake-ups threw. Polling will do what it left undone.");
    }
  }
}
