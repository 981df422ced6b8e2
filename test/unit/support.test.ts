// The test servers themselves: what the other tests lean on.

import { Redis } from "ioredis";
import pg from "pg";
import { expect, inject, test } from "vitest";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { sharedRedis } from "../support/redis.ts";
import { startPrivatePostgres, startPrivateRedis } from "../support/servers.ts";

async function ask(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

test("each call of createDatabase gives a database of its own, and dropping it twice is harmless", async () => {
  const [one, two] = await Promise.all([createDatabase({ isEmpty: true }), createDatabase({ isEmpty: true })]);
  await ask(one.url, "create table only_here (id int)");
  expect(await ask(two.url, "select to_regclass('only_here')")).toEqual([null]);
  await two.drop();
  await two.drop();
  expect(await ask(inject("postgresUrl"), `select 1 from pg_database where datname = '${two.name}'`)).toEqual([]);
});

test("databases are clones of one migrated template, also when many are asked for at once", async () => {
  const databases = await Promise.all([1, 2, 3, 4].map(() => createDatabase()));
  for (const { url } of databases) expect(await ask(url, "select count(*)::int from everstep.run")).toEqual([0]);
  const templates = "select count(*)::int from pg_database where datname like 'everstep_template_%'";
  expect(await ask(inject("postgresUrl"), templates)).toEqual([1]);
});

test("the shared Redis answers, and its prefix is unlike any other", async () => {
  const [one, two] = [sharedRedis(), sharedRedis()];
  expect(one.prefix).not.toBe(two.prefix);
  const redis = new Redis(one.url);
  await redis.set(`${one.prefix}key`, "value");
  expect(await redis.get(`${one.prefix}key`)).toBe("value");
  redis.disconnect();
});

test("a private Postgres keeps committed rows over an immediate restart, on the same address", async () => {
  const postgres = await startPrivatePostgres({ isDurable: true, maxConnections: 20 });
  try {
    await ask(postgres.url, "create table kept as select 42 as answer");
    await postgres.restart("immediate");
    expect(await ask(postgres.url, "select answer from kept")).toEqual([42]);
    await postgres.stop();
    await expect(ask(postgres.url, "select 1")).rejects.toThrow();
    await postgres.start();
    expect(await ask(postgres.url, "select answer from kept")).toEqual([42]);
  } finally {
    await postgres.remove();
  }
});

test("a private Redis comes back empty after a restart, and a frozen one answers when it thaws", async () => {
  const server = await startPrivateRedis();
  const redis = new Redis(server.url, { retryStrategy: () => 20 });
  redis.on("error", () => {});
  try {
    await redis.set("key", "value");
    await server.restart();
    expect(await eventually("Redis answers again", async () => [await redis.get("key")])).toEqual([null]);
    server.freeze();
    const pending = redis.ping();
    server.thaw();
    expect(await pending).toBe("PONG");
  } finally {
    redis.disconnect();
    await server.remove();
  }
});

test("behind the pooler a session belongs to a transaction, not to a client", async () => {
  const database = await createDatabase({ isEmpty: true });
  const pooler = await startPgbouncer(database.url, { poolSize: 1 });
  try {
    const [one, two] = [new pg.Client(pooler.url), new pg.Client(pooler.url)];
    await Promise.all([one.connect(), two.connect()]);
    const pids = await Promise.all([one, two].map((client) => client.query("select pg_backend_pid() as pid")));
    expect(pids[0]?.rows).toEqual(pids[1]?.rows);
    await Promise.all([one.end(), two.end()]);
  } finally {
    await pooler.remove();
  }
});

test("eventually fails with what it saw last", async () => {
  let asked = 0;
  const never = eventually("the count is zero", () => Promise.reject(new Error(`count ${++asked}`)), {
    withinMs: 50,
    everyMs: 5,
  });
  await expect(never).rejects.toThrow(/Not true within 50 ms: the count is zero\. Last seen: count \d+/);
  expect(asked).toBeGreaterThan(1);
});
