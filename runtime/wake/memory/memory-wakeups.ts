// Wake-ups within one process. One bus stands for the server; each process, real or simulated, opens its own end of it.

import type { Clock, Log } from "../../world/world.ts";
import { Subscribers } from "../subscribers.ts";
import type { Topic, Wakeups } from "../wakeups.ts";

export class MemoryWakeBus {
  readonly #ends = new Set<Subscribers>();

  open(world: { readonly clock: Clock; readonly log: Log }): Wakeups {
    const subscribers = new Subscribers(world);
    this.#ends.add(subscribers);
    return {
      publish: (topics: readonly Topic[]) => {
        if (this.#ends.has(subscribers)) for (const end of this.#ends) end.hint(topics);
      },
      subscribe: (topic, listen) => {
        if (!this.#ends.has(subscribers)) return () => {};
        return subscribers.add(topic, listen);
      },
      close: async () => {
        this.#ends.delete(subscribers);
        subscribers.clear();
      },
    };
  }
}
