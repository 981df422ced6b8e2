// A database that holds nothing but the table of the workers, for the tests of what is kept in it.

import pg from "pg";
import { type CreateDatabaseOptions, createDatabase, type TestDatabase } from "./databases.ts";

export async function createWorkerDatabase(options: CreateDatabaseOptions = {}): Promise<TestDatabase> {
  const database = await createDatabase({ ...options, isEmpty: true });
  const client = new pg.Client({ connectionString: database.url });
  await client.connect();
  try {
    await client.query(`
      create schema everstep;
      create table everstep.worker (
        worker_id    uuid primary key,
        heartbeat_at timestamptz not null,
        started_at   timestamptz not null default now(),
        host         text,
        pid          integer,
        info         jsonb
      )`);
  } finally {
    await client.end();
  }
  return database;
}
