// Migrations, what a store says about the database it finds, and a database that goes away under it.

import pg from "pg";
import { afterEach, describe, expect, test } from "vitest";
import { knownMigrations, migrate } from "../../runtime/store/postgres/migrate.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { createDatabase } from "../support/databases.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { startRequest } from "./store/stage.ts";

const stores: Store[] = [];
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
});

function open(url: string): Store {
  const store = openPostgresStore({ url, connectTimeoutMs: 2_000 }, { log: new RecordedLog() });
  stores.push(store);
  return store;
}

async function execute(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  await client.query(text).finally(() => client.end());
}

describe("the schema", () => {
  test("of eight processes that migrate an empty database at once, one does and the others wait", async () => {
    const { url } = await createDatabase({ isEmpty: true });
    const applied = await Promise.all(Array.from({ length: 8 }, () => migrate({ url })));
    expect(applied.filter((names) => names.length > 0)).toEqual([knownMigrations()]);
    await open(url).checkReady();
    expect(await migrate({ url })).toEqual([]);
  });

  test("a database without it says so", async () => {
    const { url } = await createDatabase({ isEmpty: true });
    await expect(open(url).checkReady()).rejects.toMatchObject({
      code: "SCHEMA_MISSING",
      message: expect.stringContaining("everstep migrate"),
    });
  });

  test("a database that lacks a migration, or has one that this release does not know, is refused", async () => {
    const { url } = await createDatabase();
    await execute(url, "update everstep.migration set name = '9999_from_the_future'");
    await expect(open(url).checkReady()).rejects.toMatchObject({ code: "SCHEMA_AHEAD" });
    await execute(url, "delete from everstep.migration");
    await expect(open(url).checkReady()).rejects.toMatchObject({ code: "SCHEMA_MISSING" });
  });

  test("an unknown database is refused, and an unreachable server named without the password", async () => {
    const { url } = await createDatabase();
    const unknown = new URL(url);
    unknown.pathname = "/no_such_database";
    await expect(open(unknown.href).checkReady()).rejects.toMatchObject({ code: "STORE_REFUSED" });

    const closed = new URL(url);
    closed.host = "127.0.0.1:1";
    closed.password = "hunter2";
    const error = await open(closed.href)
      .checkReady()
      .catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: "STORE_UNAVAILABLE", message: expect.stringContaining("127.0.0.1:1") });
    expect(JSON.stringify(error) + String(error)).not.toContain("hunter2");
  });
});

describe("a store whose database", () => {
  test("ends every connection goes on with new ones", async () => {
    const { url } = await createDatabase();
    const store = open(url);
    const first = startRequest();
    await store.startRuns([first]);
    await execute(
      url,
      "select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    );
    const again = () => store.startRuns([startRequest()]);
    const outcomes = await again().catch(again);
    expect(outcomes).toMatchObject([{ outcome: "started" }]);
    expect(await store.findRun({ runId: first.runId })).toMatchObject({ status: "running" });
  });

  test("rejects a statement's content says that nothing was stored, and takes the next", async () => {
    const { url } = await createDatabase();
    const store = open(url);
    const bad = startRequest({ workflowId: "with\u0000nul" });
    await expect(store.startRuns([bad])).rejects.toMatchObject({ code: "STORE_REJECTED" });
    const broken = startRequest({ delayMs: Number.NaN, started: { ...bad.started, type: 99_999 } });
    await expect(store.startRuns([broken])).rejects.toMatchObject({ code: "STORE_REJECTED" });
    expect(await store.findRun({ runId: broken.runId })).toBeNull();
    expect(await store.startRuns([startRequest()])).toMatchObject([{ outcome: "started" }]);
  });
});
