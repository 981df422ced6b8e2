// A database for each test file: cloned from a template that is migrated once per set of migration files, dropped when
// the file is through. Files can so run side by side, look at every row, and leave nothing.

import { createHash, randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import pg from "pg";
import { afterAll, inject } from "vitest";
import { MIGRATIONS_DIR, migrate } from "../../runtime/store/postgres/migrate.ts";

export interface TestDatabase {
  readonly url: string;
  readonly name: string;
  /** Cuts every session still open and removes the database; harmless the second time. */
  readonly drop: () => Promise<void>;
}

export interface CreateDatabaseOptions {
  /** An empty database, for tests of the migrations themselves. */
  readonly isEmpty?: boolean;
  /** Another server than the shared one. */
  readonly serverUrl?: string;
}

const created = new Set<TestDatabase>();
afterAll(() => Promise.all([...created].map((database) => database.drop())));

/** To be called anywhere in a test file; the database goes after the file's last test at the latest. */
export async function createDatabase(options: CreateDatabaseOptions = {}): Promise<TestDatabase> {
  const serverUrl = options.serverUrl ?? inject("postgresUrl");
  const name = `everstep_test_${randomBytes(6).toString("hex")}`;
  await onServer(serverUrl, async (client) => {
    if (options.isEmpty) await client.query(`create database ${name}`);
    else await client.query(`create database ${name} template ${await migratedTemplate(client, serverUrl)}`);
  });
  const database: TestDatabase = {
    url: databaseUrl(serverUrl, name),
    name,
    drop: async () => {
      created.delete(database);
      await onServer(serverUrl, (client) => client.query(`drop database if exists ${name} with (force)`));
    },
  };
  // A server of the test's own goes with all its databases, and may be gone before the file ends.
  if (options.serverUrl === undefined) created.add(database);
  return database;
}

/** The template's name says which migrations made it, so that a server that outlives the run never clones an old one. */
async function migratedTemplate(client: pg.Client, serverUrl: string): Promise<string> {
  const hash = createHash("sha256");
  for (const file of readdirSync(MIGRATIONS_DIR).sort()) {
    hash.update(file).update(readFileSync(join(MIGRATIONS_DIR, file)));
  }
  const template = `everstep_template_${hash.digest("hex").slice(0, 16)}`;

  // Test files ask at the same time: one builds, under a name that is only given once the schema is whole.
  await client.query("select pg_advisory_lock(hashtext('everstep test template'))");
  const known = await client.query("select 1 from pg_database where datname = $1", [template]);
  if (known.rowCount === 0) {
    const draft = `${template}_draft`;
    await client.query(`drop database if exists ${draft} with (force)`);
    await client.query(`create database ${draft}`);
    await migrate({ url: databaseUrl(serverUrl, draft) });
    await client.query(`alter database ${draft} rename to ${template}`);
  }
  await client.query("select pg_advisory_unlock(hashtext('everstep test template'))");
  return template;
}

async function onServer<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}

function databaseUrl(serverUrl: string, name: string): string {
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  return url.href;
}
