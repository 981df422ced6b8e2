// Wake-ups over Redis pub/sub, a channel per topic: `<prefix>:<topic>`, the message naming the sender. Local listeners
// are told without the round trip, so our own messages are passed over. One connection listens (subscriptions.ts), one
// publishes; what cannot be published at once is dropped.

import type { Redis } from "ioredis";
import { withinBudget } from "../../world/budget.ts";
import type { World } from "../../world/world.ts";
import { Outbox } from "../outbox.ts";
import { Subscribers } from "../subscribers.ts";
import type { Topic, Wakeups } from "../wakeups.ts";
import { openConnection } from "./connection.ts";
import { Subscriptions } from "./subscriptions.ts";

export interface RedisWakeupsOptions {
  readonly url: string;
  /** Processes that share it wake each other. Default "everstep". */
  readonly keyPrefix?: string;
  readonly world: World;
}

const SEND_BUDGET_MS = 1_000;

export class RedisWakeups implements Wakeups {
  readonly #prefix: string;
  readonly #world: World;
  readonly #sender: string;
  readonly #subscribers: Subscribers;
  readonly #subscriptions: Subscriptions;
  readonly #publisher: Redis;
  readonly #outbox: Outbox;
  #isClosed = false;

  constructor({ url, keyPrefix = "everstep", world }: RedisWakeupsOptions) {
    this.#prefix = `${keyPrefix}:`;
    this.#world = world;
    this.#sender = world.chance.uuid();
    this.#subscribers = new Subscribers(world);
    // Both connections fail together; the listening one tells of it.
    this.#publisher = openConnection({ url, world, name: "everstep-publish" });
    this.#outbox = new Outbox({ clock: world.clock, gapMs: 0, send: (topics) => this.#send(topics) });
    this.#subscriptions = new Subscriptions({
      url,
      world,
      prefix: this.#prefix,
      sender: this.#sender,
      subscribers: this.#subscribers,
    });
  }

  publish(topics: readonly Topic[]): void {
    if (this.#isClosed) return;
    this.#subscribers.hint(topics);
    this.#outbox.add(topics);
  }

  subscribe(topic: Topic, listen: () => void): () => void {
    if (this.#isClosed) return () => {};
    const isNew = !this.#subscribers.has(topic);
    const remove = this.#subscribers.add(topic, listen);
    if (isNew) this.#subscriptions.add(topic);
    return () => {
      remove();
      if (!this.#subscribers.has(topic)) this.#subscriptions.remove(topic);
    };
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#subscribers.clear();
    this.#subscriptions.close();
    await this.#outbox.flush();
    this.#publisher.disconnect();
  }

  /** One trip for all of them, unordered as hints are. */
  async #send(topics: readonly Topic[]): Promise<void> {
    const pipeline = this.#publisher.pipeline();
    for (const topic of topics) pipeline.publish(this.#prefix + topic, this.#sender);
    await withinBudget(this.#world.clock, SEND_BUDGET_MS, pipeline.exec(), () => new Error("no answer"));
  }
}
