// The Postgres that is measured against: the one of DATABASE_URL, or an embedded one with its durability on, and a fresh
// database in it for each measurement.

import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { startEmbeddedPostgres } from "../runtime/embedded/embedded-postgres.ts";
import { systemWorld } from "../runtime/world/system.ts";
import { systemLog } from "../runtime/world/system-log.ts";

export async function onPostgres<T>(work: (serverUrl: string) => Promise<T>): Promise<T> {
  const given = process.env.DATABASE_URL;
  if (given) return await work(given);
  const dataDir = mkdtempSync(join(tmpdir(), "everstep-bench-"));
  // Postgres may not run as root: the user it then runs as must be able to enter.
  chmodSync(dataDir, 0o755);
  const world = systemWorld({ log: systemLog({ level: "warn" }) });
  try {
    const server = await startEmbeddedPostgres({ world, dataDir: join(dataDir, "postgres") });
    try {
      return await work(server.url);
    } finally {
      await server.stop();
    }
  } finally {
    rmSync(dataDir, { recursive: true, force: true });
  }
}

export async function describeMachine(serverUrl: string): Promise<Record<string, string>> {
  const client = new pg.Client({ connectionString: serverUrl });
  await client.connect();
  const show = async (name: string) => String((await client.query(`show ${name}`)).rows[0]?.[name]);
  const machine = {
    cores: String(cpus().length),
    node: process.version,
    postgres: await show("server_version"),
    fsync: await show("fsync"),
    synchronous_commit: await show("synchronous_commit"),
    leases: process.env.REDIS_URL ? "redis" : "postgres",
  };
  await client.end();
  return machine;
}

/** A database of its own for each measurement: no leftovers, no bloat from the one before. */
export async function onFreshDatabase<T>(serverUrl: string, work: (databaseUrl: string) => Promise<T>): Promise<T> {
  const name = `everstep_bench_${process.pid}`;
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  try {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.query(`create database ${name}`);
    const url = new URL(serverUrl);
    url.pathname = `/${name}`;
    return await work(url.toString());
  } finally {
    await admin.query(`drop database if exists ${name} with (force)`);
    await admin.end();
  }
}
