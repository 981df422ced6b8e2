// The listening connection. A subscription that could not be made at once, or was lost with the connection, calls its
// listeners when Redis has confirmed it: whatever was published before that has been missed.

import type { Redis } from "ioredis";
import { OutageLog } from "../../world/outage.ts";
import { describeFailure } from "../../world/secrets.ts";
import type { CancelTimer, World } from "../../world/world.ts";
import type { Subscribers } from "../subscribers.ts";
import type { Topic } from "../wakeups.ts";
import { openConnection } from "./connection.ts";

export interface SubscriptionsOptions {
  readonly url: string;
  readonly world: World;
  /** Of every channel's name. */
  readonly prefix: string;
  /** Whose messages to pass over: our own. */
  readonly sender: string;
  readonly subscribers: Subscribers;
}

/** A connection without traffic does not notice that its other end is gone: we ask. */
const PING_EVERY_MS = 5_000;
const CHANNELS_AT_ONCE = 1_000;

export class Subscriptions {
  readonly #redis: Redis;
  readonly #options: SubscriptionsOptions;
  readonly #outage: OutageLog;
  readonly #joining = new Set<Topic>();
  readonly #leaving = new Set<Topic>();
  /** To be told once they are subscribed. */
  readonly #late = new Set<Topic>();
  #isSyncing = false;
  #isClosed = false;
  #cancelPing: CancelTimer;

  constructor(options: SubscriptionsOptions) {
    this.#options = options;
    const { url, world, prefix, sender, subscribers } = options;
    this.#outage = new OutageLog(world, {
      down: "The Redis of the wake-ups cannot be reached. Work is found by polling until it is back.",
      up: "The Redis of the wake-ups is back.",
    });
    this.#redis = openConnection({
      url,
      world,
      name: "everstep-subscribe",
      onError: (error) => this.#outage.down(describeFailure(error, url)),
    });
    this.#redis.on("close", () => this.#lost());
    this.#redis.on("ready", () => void this.#sync());
    this.#redis.on("message", (channel: string, from: string) => {
      if (from !== sender) subscribers.hint([channel.slice(prefix.length) as Topic]);
    });
    this.#cancelPing = this.#pingLater();
  }

  add(topic: Topic): void {
    this.#leaving.delete(topic);
    this.#joining.add(topic);
    if (this.#redis.status !== "ready") this.#late.add(topic);
    this.#syncSoon();
  }

  remove(topic: Topic): void {
    this.#joining.delete(topic);
    this.#late.delete(topic);
    this.#leaving.add(topic);
    this.#syncSoon();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancelPing();
    this.#redis.disconnect();
  }

  #lost(): void {
    if (this.#isClosed) return;
    this.#outage.down("The connection was closed.");
    this.#leaving.clear();
    for (const topic of this.#options.subscribers.topics()) {
      this.#joining.add(topic);
      this.#late.add(topic);
    }
  }

  #syncSoon(): void {
    if (!this.#isSyncing) this.#options.world.clock.afterDrain(() => void this.#sync());
  }

  /** One at a time, until what Redis knows is what is wanted. A failure leaves the rest to the next connection or ping. */
  async #sync(): Promise<void> {
    if (this.#isSyncing || this.#isClosed || this.#redis.status !== "ready") return;
    this.#isSyncing = true;
    try {
      while (this.#joining.size + this.#leaving.size > 0) {
        await this.#leave([...this.#leaving].slice(0, CHANNELS_AT_ONCE));
        await this.#join([...this.#joining].slice(0, CHANNELS_AT_ONCE));
      }
      this.#outage.up();
    } catch (error) {
      if (!this.#isClosed) this.#outage.down(describeFailure(error, this.#options.url));
    } finally {
      this.#isSyncing = false;
    }
  }

  async #join(topics: readonly Topic[]): Promise<void> {
    if (topics.length === 0) return;
    for (const topic of topics) this.#joining.delete(topic);
    try {
      await this.#redis.subscribe(...topics.map((topic) => this.#options.prefix + topic));
    } catch (error) {
      for (const topic of topics) {
        if (!this.#options.subscribers.has(topic)) continue;
        this.#joining.add(topic);
        this.#late.add(topic);
      }
      throw error;
    }
    this.#options.subscribers.hint(topics.filter((topic) => this.#late.delete(topic)));
  }

  async #leave(topics: readonly Topic[]): Promise<void> {
    if (topics.length === 0) return;
    for (const topic of topics) this.#leaving.delete(topic);
    await this.#redis.unsubscribe(...topics.map((topic) => this.#options.prefix + topic));
  }

  #pingLater(): CancelTimer {
    return this.#options.world.clock.setTimer(PING_EVERY_MS, () => {
      this.#cancelPing = this.#pingLater();
      if (this.#redis.status !== "ready") return;
      // An answer that does not come ends the connection by its silence limit.
      this.#redis.ping().catch(() => {});
      void this.#sync();
    });
  }
}
