// A connection for hints: nothing waits for a Redis that is away, it comes back by itself with growing and spread-out
// pauses, and one that has gone silent is taken for dead.

import { Redis } from "ioredis";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { Backoff } from "../../world/backoff.ts";
import type { World } from "../../world/world.ts";

const SILENCE_MS = 5_000;

export interface ConnectionOptions {
  readonly url: string;
  readonly world: World;
  /** Seen in CLIENT LIST. */
  readonly name: string;
  /** Called for each failed attempt as well. Without it failures go unheard: somebody else tells of the outage. */
  readonly onError?: (error: unknown) => void;
}

export function openConnection({ url, world, name, onError = () => {} }: ConnectionOptions): Redis {
  if (!URL.canParse(url) || !/^rediss?:$/.test(new URL(url).protocol)) {
    throw new EverstepError(
      "CONFIGURATION_INVALID",
      "The Redis URL must look like redis://host:6379. Check REDIS_URL.",
    );
  }
  const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 1_000 });
  const redis = new Redis(url, {
    connectionName: name,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    connectTimeout: SILENCE_MS,
    socketTimeout: SILENCE_MS,
    retryStrategy: () => backoff.next(),
  });
  redis.on("ready", () => backoff.reset());
  redis.on("error", onError);
  return redis;
}
