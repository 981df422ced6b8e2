// Wake-ups over Postgres: the contract, and lost, deaf and pooled connections.

import { randomUUID } from "node:crypto";
import pg from "pg";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { PostgresWakeups } from "../../runtime/wake/postgres/postgres-wakeups.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { startPrivatePostgres } from "../support/servers.ts";
import { everythingSentIsHeard, wakeupsContract } from "./wakeups.ts";

wakeupsContract("Postgres", async () => {
  const database = await createDatabase({ isEmpty: true });
  return { open: (world) => new PostgresWakeups({ url: database.url, world }), close: async () => {} };
});

describe("a Postgres that fails", () => {
  let url: string;
  const opened: PostgresWakeups[] = [];
  const open = (options: { log?: RecordedLog; url?: string; probeTimeoutMs?: number } = {}): PostgresWakeups => {
    const { log = new RecordedLog(), ...rest } = options;
    const wakeups = new PostgresWakeups({ url, world: systemWorld({ log }), ...rest });
    opened.push(wakeups);
    return wakeups;
  };
  const query = async (text: string, values: unknown[] = []): Promise<pg.QueryResult> => {
    const client = new pg.Client({ connectionString: url });
    await client.connect();
    return client.query(text, values).finally(() => client.end());
  };

  beforeAll(async () => {
    url = (await createDatabase({ isEmpty: true })).url;
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((wakeups) => wakeups.close()));
  });

  test("after its listening connection was cut a subscriber is called once, and hints flow again", async () => {
    const log = new RecordedLog();
    const [here, there] = [open(), open({ log })];
    let calls = 0;
    there.subscribe("queue/a", () => calls++);
    await eventually("it listens", () => {
      here.publish(["queue/a"]);
      return calls > 0;
    });
    await everythingSentIsHeard(here, there);
    calls = 0;
    await query(
      "select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1 and datname = current_database()",
      ["everstep-wake-listen"],
    );
    await eventually("the relief is told", () => log.at("info").length > 0);
    await eventually("the subscriber is called", () => calls > 0);
    expect(calls).toBe(1);
    await eventually("hints flow again", () => {
      here.publish(["queue/a"]);
      return calls > 1;
    });
    expect(log.at("warn")).toEqual([expect.stringContaining("is lost")]);
    expect(log.at("info")).toHaveLength(1);
  });

  test("a restart of the server is one outage, and whoever subscribed during it is called", async () => {
    const postgres = await startPrivatePostgres();
    try {
      const log = new RecordedLog();
      const wakeups = open({ url: postgres.url, log });
      const calls = { early: 0, late: 0 };
      wakeups.subscribe("queue/early", () => calls.early++);
      await eventually("it listens", () => calls.early > 0);
      await postgres.stop("immediate");
      await eventually("the outage is told", () => log.at("warn").length > 0);
      calls.early = 0;
      wakeups.publish(["queue/other"]);
      wakeups.subscribe("queue/late", () => calls.late++);
      await postgres.start();
      await eventually("both are called", () => calls.early > 0 && calls.late > 0);
      expect(calls).toEqual({ early: 1, late: 1 });
      expect(log.at("warn")).toHaveLength(1);
      expect(log.at("info")).toHaveLength(1);
    } finally {
      await Promise.all(opened.splice(0).map((wakeups) => wakeups.close()));
      await postgres.remove();
    }
  });

  test("closing while Postgres is away ends and leaves nothing behind", async () => {
    const nowhere = new URL(url);
    nowhere.port = "1";
    const log = new RecordedLog();
    const wakeups = open({ url: nowhere.href, log });
    wakeups.publish(["queue/a"]);
    await eventually("the outage is told", () => log.at("warn").length > 0);
    await wakeups.close();
  });

  test("behind a pooler in transaction mode nothing is heard, which is told once, and sending still works", async () => {
    const pgbouncer = await startPgbouncer(url, { poolSize: 4 });
    try {
      const log = new RecordedLog();
      const there = open();
      let calls = 0;
      there.subscribe("queue/a", () => calls++);
      const pooled = open({ url: pgbouncer.url, log, probeTimeoutMs: 1_000 });
      await eventually("the deafness is told", () => log.at("warn").length > 0);
      expect(log.at("warn")).toEqual([expect.stringContaining("pooler")]);
      await eventually("a hint from behind the pooler arrives", () => {
        pooled.publish(["queue/a"]);
        return calls > 0;
      });
    } finally {
      await Promise.all(opened.splice(0).map((wakeups) => wakeups.close()));
      await pgbouncer.remove();
    }
  });

  test("a direct connection hears its own probe, and warns of nothing", async () => {
    const log = new RecordedLog();
    open({ log, probeTimeoutMs: 2_000 });
    const heard = new pg.Client({ connectionString: url });
    await heard.connect();
    try {
      const payloads: string[] = [];
      heard.on("notification", ({ payload }) => payloads.push(payload ?? ""));
      await heard.query("listen everstep_wake");
      open({ log, probeTimeoutMs: 2_000 });
      await eventually("the probe passes", () => payloads.some((payload) => payload.endsWith(',"?"]')));
      await new Promise((resolve) => setTimeout(resolve, 2_500));
      expect(log.lines).toEqual([]);
    } finally {
      await heard.end();
    }
  });

  test("what others send on the channel harms nobody", async () => {
    const log = new RecordedLog();
    const wakeups = open({ log });
    let calls = 0;
    wakeups.subscribe("queue/a", () => calls++);
    await eventually("it listens", () => calls > 0);
    const before = calls;
    for (const payload of ["", "{", "7", "null", "[]", "[1,2]", '{"a":1}', '["x",["queue/a"]]']) {
      await query("select pg_notify('everstep_wake', $1)", [payload]);
    }
    await query("select pg_notify('everstep_wake', $1)", [JSON.stringify([randomUUID(), "queue/a"])]);
    await eventually("the good one is heard", () => calls > before);
    expect(calls).toBe(before + 1);
    expect(log.lines).toEqual([]);
  });
});
