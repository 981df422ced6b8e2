// A connection to Redis for calls that must not wait: each has a budget, nothing is queued while Redis is away and
// nothing is sent twice. Losing it costs one warning; it comes back by itself, and never takes the process down.

import { Redis } from "ioredis";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { Backoff } from "../../world/backoff.ts";
import { withinBudget } from "../../world/budget.ts";
import { OutageLog } from "../../world/outage.ts";
import { describeFailure } from "../../world/secrets.ts";
import type { World } from "../../world/world.ts";

export interface RedisConnectionOptions {
  readonly url: string;
  readonly world: World;
  readonly callBudgetMs: number;
  /** The connection was lost: what others could do meanwhile is unknown. */
  readonly onLost: () => void;
}

/** A reply that is this late will not be waited for: the connection is taken for dead and made anew. */
const SILENCE_MS = 2_000;

export class RedisConnection {
  readonly #redis: Redis;
  readonly #options: RedisConnectionOptions;
  readonly #outage: OutageLog;
  #isClosed = false;

  constructor(options: RedisConnectionOptions) {
    const { url, world, onLost } = options;
    if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
      throw new EverstepError(
        "CONFIGURATION_INVALID",
        "The Redis URL must look like redis://host:6379. Check REDIS_URL.",
      );
    }
    this.#options = options;
    this.#outage = new OutageLog(world, {
      down: "The Redis of the leases does not answer. Without it, workers are judged by what else is known of them.",
      up: "The Redis of the leases answers again.",
    });
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 1_000 });
    this.#redis = new Redis(url, {
      connectionName: "everstep-lease",
      enableOfflineQueue: false,
      autoResendUnfulfilledCommands: false,
      maxRetriesPerRequest: 0,
      connectTimeout: SILENCE_MS,
      socketTimeout: SILENCE_MS,
      retryStrategy: () => backoff.next(),
      // A failover left us with a replica: ask the address again.
      reconnectOnError: (error) => error.message.startsWith("READONLY"),
    });
    this.#redis.on("error", (error: unknown) => this.#outage.down(describeFailure(error, url)));
    this.#redis.on("close", () => {
      if (this.#isClosed) return;
      onLost();
      this.#outage.down("The connection was closed.");
    });
    this.#redis.on("ready", () => backoff.reset());
    this.#redis.once("ready", () => void this.#warnOfEviction());
  }

  /** Rejects with the driver's error, or when the budget is spent; what was sent may then still be done. */
  async call<T>(command: (redis: Redis) => Promise<T>): Promise<T> {
    const { world, callBudgetMs, url } = this.#options;
    const late = () => new Error(`no answer within ${callBudgetMs} ms`);
    try {
      const answer = await withinBudget(world.clock, callBudgetMs, this.#whenReady().then(command), late);
      this.#outage.up();
      return answer;
    } catch (error) {
      if (!this.#isClosed) this.#outage.down(describeFailure(error, url));
      throw error;
    }
  }

  close(): void {
    this.#isClosed = true;
    this.#redis.disconnect();
  }

  /** Connecting is worth the budget; between two attempts the answer is known. */
  #whenReady(): Promise<Redis> {
    const redis = this.#redis;
    if (redis.status === "ready") return Promise.resolve(redis);
    if (redis.status !== "connecting" && redis.status !== "connect") {
      return Promise.reject(new Error(redis.status === "end" ? "the connection is closed" : "not connected"));
    }
    return new Promise((resolve, reject) => {
      const settle = () => {
        redis.off("ready", settle);
        redis.off("close", settle);
        redis.off("end", settle);
        if (redis.status === "ready") resolve(redis);
        else reject(new Error("not connected"));
      };
      redis.on("ready", settle);
      redis.on("close", settle);
      redis.on("end", settle);
    });
  }

  /** An evicted lease makes a living worker look dead: safe, but its work is done twice. */
  async #warnOfEviction(): Promise<void> {
    const info = await this.#redis.info("memory").catch(() => "");
    const policy = /^maxmemory_policy:(\S+)/m.exec(info)?.[1];
    if (policy === undefined || policy === "noeviction") return;
    this.#options.world.log.warn(
      { policy },
      "This Redis may evict leases, and then living workers look dead. Set maxmemory-policy to noeviction.",
    );
  }
}
