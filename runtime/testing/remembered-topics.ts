// Wake-ups that know what is listened to, so that everybody can be told to look.

import type { Topic, Wakeups } from "../wake/wakeups.ts";

export class RememberedTopics implements Wakeups {
  readonly #wakeups: Wakeups;
  readonly #listeners = new Map<Topic, number>();

  constructor(wakeups: Wakeups) {
    this.#wakeups = wakeups;
  }

  get subscribed(): readonly Topic[] {
    return [...this.#listeners.keys()];
  }

  publish(topics: readonly Topic[]): void {
    this.#wakeups.publish(topics);
  }

  subscribe(topic: Topic, listen: () => void): () => void {
    this.#listeners.set(topic, (this.#listeners.get(topic) ?? 0) + 1);
    const unsubscribe = this.#wakeups.subscribe(topic, listen);
    let isOver = false;
    return () => {
      unsubscribe();
      if (isOver) return;
      isOver = true;
      const left = (this.#listeners.get(topic) ?? 0) - 1;
      if (left > 0) this.#listeners.set(topic, left);
      else this.#listeners.delete(topic);
    };
  }

  close(): Promise<void> {
    return this.#wakeups.close();
  }
}
