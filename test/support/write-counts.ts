// What a database was made to do, in numbers that no other machine would give differently: statements, transactions,
// rows and bytes of WAL. Read before and after, with nobody else connected: backends report what they did when they end.

import pg from "pg";
import { eventually } from "./eventually.ts";
import { type PrivatePostgres, startPrivatePostgres } from "./private-postgres.ts";

export interface WriteCounts {
  /** As sent by clients, `begin` and `commit` included. */
  readonly statements: number;
  readonly transactions: number;
  readonly inserted: number;
  readonly updated: number;
  /** Of `updated`, those that touched no index. */
  readonly hotUpdated: number;
  readonly deleted: number;
  readonly walBytes: number;
}

/**
 * A server whose counts mean something: durable, so that commits take their time and batches form as they do in life;
 * whole pages are not logged and nothing is vacuumed, because when that happens depends on the hour.
 */
export async function startCountingPostgres(): Promise<PrivatePostgres> {
  const server = await startPrivatePostgres({
    isDurable: true,
    settings: {
      full_page_writes: "off",
      autovacuum: "off",
      checkpoint_timeout: "1h",
      max_wal_size: "8GB",
      shared_preload_libraries: "pg_stat_statements",
      "pg_stat_statements.save": "off",
    },
  });
  await onDatabase(server.url, (client) => client.query("create extension pg_stat_statements"));
  return server;
}

/** Everything counted in this database of a counting server so far. Waits until nobody is connected to it. */
export async function readWriteCounts(server: PrivatePostgres, databaseUrl: string): Promise<WriteCounts> {
  const database = new URL(databaseUrl).pathname.slice(1);
  const outside = await onDatabase(server.url, async (client) => {
    await eventually("nobody is connected", async () => {
      const { rows } = await client.query("select from pg_stat_activity where datname = $1", [database]);
      return rows.length === 0;
    });
    const { rows } = await client.query<{ statements: number; transactions: number; wal: number }>(
      `select (pg_current_wal_insert_lsn() - '0/0')::float8 as wal, s.xact_commit::float8 as transactions,
         (select coalesce(sum(calls), 0)::float8 from pg_stat_statements where dbid = s.datid) as statements
       from pg_stat_database s where s.datname = $1`,
      [database],
    );
    return rows[0];
  });
  const inside = await onDatabase(databaseUrl, async (client) => {
    const { rows } = await client.query<Pick<WriteCounts, "inserted" | "updated" | "hotUpdated" | "deleted">>(
      `select coalesce(sum(n_tup_ins), 0)::float8 as inserted, coalesce(sum(n_tup_upd), 0)::float8 as updated,
         coalesce(sum(n_tup_hot_upd), 0)::float8 as "hotUpdated", coalesce(sum(n_tup_del), 0)::float8 as deleted
       from pg_stat_user_tables`,
    );
    return rows[0];
  });
  if (outside === undefined || inside === undefined) throw new Error(`There is no database ${database}.`);
  return { statements: outside.statements, transactions: outside.transactions, walBytes: outside.wal, ...inside };
}

export function mapCounts(
  counts: WriteCounts,
  change: (value: number, name: keyof WriteCounts) => number,
): WriteCounts {
  const entries = (Object.keys(counts) as (keyof WriteCounts)[]).map((name) => [name, change(counts[name], name)]);
  return Object.fromEntries(entries) as unknown as WriteCounts;
}

async function onDatabase<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
