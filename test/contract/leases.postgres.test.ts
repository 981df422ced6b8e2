// Leases in Postgres: the contract, directly and through a pooler in transaction mode, and what a server of our own
// may do to them.

import { randomUUID } from "node:crypto";
import { inspect } from "node:util";
import pg from "pg";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { PostgresLeases } from "../../runtime/lease/postgres/postgres-leases.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { type PrivatePostgres, startPrivatePostgres } from "../support/servers.ts";
import { leasesContract } from "./leases.ts";

const settings = { ttlMs: 1_500 };
// This machine may be busy with other tests: only the tests of the budget itself keep it short.
const callBudgetMs = 10_000;
const world = systemWorld();
const pass = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

leasesContract("Postgres", async () => {
  const database = await createDatabase();
  return {
    ...settings,
    open: () => new PostgresLeases({ database: database.url, world, settings, callBudgetMs }),
    pass,
    until: (what, fact) => eventually(what, fact),
    close: async () => {},
  };
});

leasesContract("Postgres behind a pooler", async () => {
  const database = await createDatabase();
  const pgbouncer = await startPgbouncer(database.url, { poolSize: 2 });
  return {
    ...settings,
    open: () => new PostgresLeases({ database: pgbouncer.url, world, settings, callBudgetMs }),
    pass,
    until: (what, fact) => eventually(what, fact),
    close: () => pgbouncer.remove(),
  };
});

describe("a Postgres that fails", () => {
  let postgres: PrivatePostgres;
  let url: string;
  let log: RecordedLog;
  const opened: PostgresLeases[] = [];
  const open = (options: { database?: string | pg.Pool; callBudgetMs?: number } = {}): PostgresLeases => {
    log = new RecordedLog();
    const leases = new PostgresLeases({
      database: url,
      world: systemWorld({ log }),
      settings,
      callBudgetMs,
      ...options,
    });
    opened.push(leases);
    return leases;
  };
  const judging = (leases: PostgresLeases) =>
    eventually("a stranger is judged", async () => (await leases.expired([randomUUID()])).length === 1);
  const unavailable = expect.objectContaining({ code: "LEASE_UNAVAILABLE" });

  beforeAll(async () => {
    postgres = await startPrivatePostgres();
    url = (await createDatabase({ serverUrl: postgres.url })).url;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((leases) => leases.close()));
  });
  afterAll(() => postgres.remove());

  test("after a restart nobody is declared gone until one ttl after it, also by a process that did not see it", async () => {
    const leases = open();
    const [alive, dead] = [randomUUID(), randomUUID()];
    await judging(leases);
    await leases.renew(alive);
    await postgres.stop("immediate");
    for (let call = 0; call < 3; call++) await expect(leases.renew(alive)).rejects.toEqual(unavailable);
    await pass(settings.ttlMs);
    await postgres.start();
    const startedAt = performance.now();
    const newcomerLog = log;
    const newcomer = open();
    expect(await eventually("a newcomer may ask", () => newcomer.expired([alive, dead]))).toEqual([]);
    expect(await eventually("we may ask again", () => leases.expired([alive, dead]))).toEqual([]);
    await eventually("the dead one is named", async () => {
      await leases.renew(alive);
      const [ours, theirs] = [await leases.expired([alive, dead]), await newcomer.expired([alive, dead])];
      expect([...ours, ...theirs]).not.toContain(alive);
      return ours.includes(dead) && theirs.includes(dead);
    });
    // The server calls itself started a moment before it answers us.
    expect(performance.now() - startedAt).toBeGreaterThan(settings.ttlMs / 2);
    expect(newcomerLog.at("warn")).toEqual([expect.stringContaining("does not answer")]);
    expect(newcomerLog.at("info")).toEqual([expect.stringContaining("answers again")]);
  });

  test("whoever could not ask a moment ago judges nobody until one ttl later", async () => {
    const leases = open({ callBudgetMs: 500 });
    await judging(leases);
    const blocker = new pg.Client({ connectionString: url });
    await blocker.connect();
    try {
      await blocker.query("begin");
      await blocker.query("lock table everstep.worker in access exclusive mode");
      await expect(leases.renew(randomUUID())).rejects.toThrow("no answer within 500 ms");
      await blocker.query("rollback");
    } finally {
      await blocker.end();
    }
    expect(await eventually("an answer", () => leases.expired([randomUUID()]))).toEqual([]);
    await judging(leases);
  });

  test("a cut session is replaced without a lost call", async () => {
    const leases = open();
    const worker = randomUUID();
    await leases.renew(worker);
    const admin = new pg.Client({ connectionString: url });
    await admin.connect();
    try {
      const cut = await admin.query(
        "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'everstep-lease'",
      );
      expect(cut.rowCount).toBeGreaterThan(0);
    } finally {
      await admin.end();
    }
    await eventually("the lease is renewed", () => leases.renew(worker).then(() => true));
  });

  test("a heartbeat from the future, after the server's clock was set back, keeps nobody alive", async () => {
    const pool = new pg.Pool({ connectionString: url, max: 2 });
    try {
      const leases = open({ database: pool });
      await judging(leases);
      const worker = randomUUID();
      await leases.renew(worker);
      await pool.query("update everstep.worker set heartbeat_at = now() + interval '1 hour' where worker_id = $1", [
        worker,
      ]);
      expect(await leases.expired([worker])).toEqual([worker]);
      await leases.renew(worker);
      expect(await leases.expired([worker])).toEqual([]);
      await leases.close();
      expect((await pool.query("select 1 as still_open")).rowCount).toBe(1);
    } finally {
      await pool.end();
    }
  });

  test("no password reaches a message, a cause or the log", async () => {
    const target = new URL(url);
    target.port = "1";
    target.password = "pass-wörd";
    for (const database of [target.href, "postgres://user:pass-w@[broken"]) {
      const leases = open({ database });
      const error: unknown = await leases.renew(randomUUID()).catch((reason: unknown) => reason);
      expect(error).toEqual(unavailable);
      expect(log.at("warn")).toHaveLength(1);
      expect(inspect([error, log.lines], { depth: 20 })).not.toMatch(/pass-w/);
    }
  });
});
