// Leases in Redis: the contract on the shared server, and what a server of our own may do to them.

import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:net";
import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RedisLeases } from "../../runtime/lease/redis/redis-leases.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { sharedRedis } from "../support/redis.ts";
import { type PrivateRedis, startPrivateRedis } from "../support/servers.ts";
import { leasesContract } from "./leases.ts";

const settings = { ttlMs: 1_500 };
// This machine may be busy with other tests: only the tests of the budget itself keep it short.
const callBudgetMs = 5_000;
const shared = sharedRedis();

leasesContract("Redis", async () => ({
  ...settings,
  open: () =>
    new RedisLeases({ url: shared.url, keyPrefix: shared.prefix, world: systemWorld(), settings, callBudgetMs }),
  pass: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
  until: (what, fact) => eventually(what, fact),
  close: async () => {},
}));

describe("a Redis that fails", () => {
  let redis: PrivateRedis;
  let admin: Redis;
  let log: RecordedLog;
  const opened: RedisLeases[] = [];
  const open = (options: { url?: string; callBudgetMs?: number } = {}): RedisLeases => {
    log = new RecordedLog();
    const world = systemWorld({ log });
    const leases = new RedisLeases({
      url: redis.url,
      keyPrefix: randomUUID(),
      world,
      settings,
      callBudgetMs,
      ...options,
    });
    opened.push(leases);
    return leases;
  };
  const judging = (leases: RedisLeases) =>
    eventually("a stranger is judged", async () => (await leases.expired([randomUUID()])).length === 1);
  const unavailable = expect.objectContaining({ code: "LEASE_UNAVAILABLE" });

  beforeAll(async () => {
    redis = await startPrivateRedis();
    admin = new Redis(redis.url);
    admin.on("error", () => {});
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((leases) => leases.close()));
  });
  afterAll(async () => {
    admin.disconnect();
    await redis.remove();
  });

  test("FLUSHALL makes nobody look dead before one ttl has passed, and the dead are named after it", async () => {
    const leases = open();
    const [alive, dead] = [randomUUID(), randomUUID()];
    await judging(leases);
    await leases.renew(alive);
    await admin.flushall();
    const emptiedAt = performance.now();
    expect(await leases.expired([alive, dead])).toEqual([]);
    await leases.renew(alive);
    await eventually("the dead one is named", async () => {
      await leases.renew(alive);
      const expired = await leases.expired([alive, dead]);
      expect(expired).not.toContain(alive);
      return expired.includes(dead);
    });
    expect(performance.now() - emptiedAt).toBeGreaterThanOrEqual(settings.ttlMs - 1);
  });

  test("a restart costs one warning and one line of relief, and nobody is declared gone until one ttl after it", async () => {
    const leases = open();
    const [alive, dead] = [randomUUID(), randomUUID()];
    await judging(leases);
    await leases.renew(alive);
    await redis.stop();
    for (let call = 0; call < 5; call++) await expect(leases.renew(alive)).rejects.toEqual(unavailable);
    await expect(leases.expired([alive])).rejects.toEqual(unavailable);
    await new Promise((resolve) => setTimeout(resolve, settings.ttlMs));
    await redis.start();
    const startedAt = performance.now();
    await eventually(
      "the lease can be asked for again",
      async () => (await leases.expired([alive, dead])).length === 0,
    );
    await eventually("the lease is renewed", () => leases.renew(alive).then(() => true));
    await eventually("the dead one is named", async () => {
      await leases.renew(alive);
      const expired = await leases.expired([alive, dead]);
      expect(expired).not.toContain(alive);
      return expired.includes(dead);
    });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(settings.ttlMs - 1);
    expect(log.at("warn")).toEqual([expect.stringContaining("does not answer")]);
    expect(log.at("info")).toEqual([expect.stringContaining("answers again")]);
  });

  test("a Redis that has gone silent costs no more than the budget, and is found again", async () => {
    const leases = open({ callBudgetMs: 200 });
    const worker = randomUUID();
    await eventually("the lease is held", () => leases.renew(worker).then(() => true));
    redis.freeze();
    try {
      await expect(leases.renew(worker)).rejects.toThrow("no answer within 200 ms");
    } finally {
      redis.thaw();
    }
    await eventually("the lease is held again", () => leases.renew(worker).then(() => true));
    // Whoever could not ask a moment ago judges nobody yet.
    expect(await leases.expired([randomUUID()])).toEqual([]);
  });

  test("a silent connection is given up and made anew", async () => {
    const accepted: { destroy(): void }[] = [];
    const deaf = createServer((socket) => accepted.push(socket.on("error", () => {})));
    deaf.listen(0, "127.0.0.1");
    await once(deaf, "listening");
    const address = deaf.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const leases = open({ url: `redis://127.0.0.1:${port}`, callBudgetMs: 50 });
    await expect(leases.renew(randomUUID())).rejects.toEqual(unavailable);
    await eventually("a second connection was tried", () => accepted.length > 1);
    await leases.close();
    for (const socket of accepted) socket.destroy();
    deaf.close();
    await once(deaf, "close");
  });

  test("a worker id that two processes use is held by the first of them alone", async () => {
    const keyPrefix = randomUUID();
    const [one, other] = [0, 1].map(() => {
      const leases = new RedisLeases({
        url: redis.url,
        keyPrefix,
        world: systemWorld({ log }),
        settings,
        callBudgetMs,
      });
      opened.push(leases);
      return leases;
    });
    const worker = randomUUID();
    await one?.renew(worker);
    await expect(other?.renew(worker)).rejects.toThrow("another process holds it");
    await other?.release(worker);
    await one?.renew(worker);
    await one?.release(worker);
    await other?.renew(worker);
  });

  test("a Redis that may evict leases is warned of at the start", async () => {
    await admin.config("SET", "maxmemory-policy", "allkeys-lru");
    try {
      open();
      await eventually("the warning is there", () => log.at("warn").some((line) => line.includes("noeviction")));
      expect(log.lines[0]?.fields).toEqual({ policy: "allkeys-lru" });
    } finally {
      await admin.config("SET", "maxmemory-policy", "noeviction");
    }
  });

  test("no password reaches a message, a cause or the log", async () => {
    await admin.config("SET", "requirepass", "right");
    try {
      const leases = open({ url: redis.url.replace("redis://", "redis://:pass-w%C3%B6rd@"), callBudgetMs: 1_000 });
      const error: unknown = await leases.renew(randomUUID()).catch((reason: unknown) => reason);
      expect(error).toEqual(unavailable);
      await eventually("the outage is told", () => log.at("warn").length > 0);
      const { inspect } = await import("node:util");
      expect(inspect([error, log.lines], { depth: 20 })).not.toMatch(/pass-w/);
    } finally {
      await admin.auth("right").catch(() => {});
      await admin.config("SET", "requirepass", "");
    }
  });

  test("what is not a Redis URL, or a prefix that breaks the hash tag, is refused at once", () => {
    const refused = expect.objectContaining({ code: "CONFIGURATION_INVALID" });
    expect(() => open({ url: "http://:secret@somewhere" })).toThrow(refused);
    expect(() => new RedisLeases({ url: redis.url, keyPrefix: "a}b", world: systemWorld({ log }) })).toThrow(refused);
  });
});
