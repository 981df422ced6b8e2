// Wake-ups over Redis: the contract on the shared server, and outages of a server of our own.

import { Redis } from "ioredis";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { RedisWakeups } from "../../runtime/wake/redis/redis-wakeups.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { eventually } from "../support/eventually.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { sharedRedis } from "../support/redis.ts";
import { type PrivateRedis, startPrivateRedis } from "../support/servers.ts";
import { everythingSentIsHeard, wakeupsContract } from "./wakeups.ts";

const shared = sharedRedis();

wakeupsContract("Redis", async () => ({
  open: (world) => new RedisWakeups({ url: shared.url, keyPrefix: shared.prefix, world }),
  close: async () => {},
}));

describe("a Redis that fails", () => {
  let redis: PrivateRedis;
  const opened: RedisWakeups[] = [];
  const open = (log = new RecordedLog(), url = redis.url): RedisWakeups => {
    const wakeups = new RedisWakeups({ url, world: systemWorld({ log }) });
    opened.push(wakeups);
    return wakeups;
  };

  beforeAll(async () => {
    redis = await startPrivateRedis();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((wakeups) => wakeups.close()));
  });
  afterAll(() => redis.remove());

  test("after an outage every subscriber is called once, then hints flow again, at one warning and one relief", async () => {
    const log = new RecordedLog();
    const [here, there] = [open(), open(log)];
    const calls = { a: 0, b: 0 };
    there.subscribe("queue/a", () => calls.a++);
    there.subscribe("queue/b", () => calls.b++);
    await eventually("both are subscribed", () => {
      here.publish(["queue/a", "queue/b"]);
      return calls.a > 0 && calls.b > 0;
    });
    await everythingSentIsHeard(here, there);
    await redis.stop();
    await eventually("the outage is told", () => log.at("warn").length > 0);
    here.publish(["queue/a"]);
    there.publish([]);
    const late = { calls: 0 };
    there.subscribe("queue/late", () => late.calls++);
    [calls.a, calls.b] = [0, 0];
    await redis.start();
    await eventually("the relief is told", () => log.at("info").length > 0);
    await eventually("everyone was called", () => calls.a > 0 && calls.b > 0 && late.calls > 0);
    expect([calls.a, calls.b, late.calls]).toEqual([1, 1, 1]);
    await eventually("hints flow again", () => {
      here.publish(["queue/b", "queue/late"]);
      return calls.b > 1 && late.calls > 1;
    });
    expect(log.at("warn")).toHaveLength(1);
    expect(log.at("info")).toHaveLength(1);
  });

  test("whoever subscribes while Redis was never reached is called once it is", async () => {
    await redis.stop();
    const wakeups = open();
    let calls = 0;
    wakeups.subscribe("queue/a", () => calls++);
    wakeups.publish(["queue/other"]);
    await redis.start();
    await eventually("the subscriber is called", () => calls > 0);
    expect(calls).toBe(1);
  });

  test("a cut listening connection alone is noticed, and its subscribers called", async () => {
    const [here, there] = [open(), open()];
    let calls = 0;
    there.subscribe("queue/a", () => calls++);
    await eventually("it is subscribed", () => {
      here.publish(["queue/a"]);
      return calls > 0;
    });
    await everythingSentIsHeard(here, there);
    const admin = new Redis(redis.url);
    try {
      calls = 0;
      await admin.call("CLIENT", "KILL", "TYPE", "pubsub");
      await eventually("the subscriber is called", () => calls > 0);
    } finally {
      admin.disconnect();
    }
  });

  test("closing while Redis is away ends at once and leaves nothing behind", async () => {
    await redis.stop();
    const wakeups = open();
    wakeups.subscribe("queue/a", () => {});
    wakeups.publish(["queue/a"]);
    await wakeups.close();
    await redis.start();
  });

  test("what is not a Redis URL is refused at once, without showing it", () => {
    expect(() => open(new RecordedLog(), "postgres://user:secret@host")).toThrow(
      expect.objectContaining({ code: "CONFIGURATION_INVALID", message: expect.not.stringContaining("secret") }),
    );
  });
});
