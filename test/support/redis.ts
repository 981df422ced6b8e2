// The shared Redis, under a key prefix that no other test file has. The keys are removed after the file's last test.

import { randomBytes } from "node:crypto";
import { Redis } from "ioredis";
import { afterAll, inject } from "vitest";

export interface TestRedis {
  readonly url: string;
  /** Ends in a colon; to be put before every key and channel. */
  readonly prefix: string;
}

const prefixes = new Set<string>();
afterAll(async () => {
  if (prefixes.size > 0) await removeKeys(inject("redisUrl"), prefixes);
});

export function sharedRedis(): TestRedis {
  const url = inject("redisUrl");
  const prefix = `everstep-test-${randomBytes(6).toString("hex")}:`;
  prefixes.add(prefix);
  return { url, prefix };
}

async function removeKeys(url: string, from: ReadonlySet<string>): Promise<void> {
  const redis = new Redis(url);
  try {
    for (const prefix of from) {
      for await (const keys of redis.scanStream({
        match: `${prefix}*`,
        count: 500,
      }) as AsyncIterable<string[]>) {
        if (keys.length > 0) await redis.unlink(...keys);
      }
    }
  } finally {
    redis.disconnect();
  }
}
