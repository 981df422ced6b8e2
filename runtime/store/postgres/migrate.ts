// The schema, made and checked. Migrations are plain SQL files that only go forward; any number of processes may run
// them at once, one does and the others wait. Needs a direct connection: the lock belongs to the session.

import { readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { targetOf } from "./connection.ts";
import { isMissingTable, type Target, toStoreError } from "./errors.ts";
import { prepared } from "./statements.ts";

export const MIGRATIONS_DIR = fileURLToPath(new URL("./migrations/", import.meta.url));

/** Ours alone: the runner's default is shared with every other user of it in the database. */
const LOCK = 0x65766572;

export interface MigrateOptions {
  readonly url: string;
}

/** Brings the database's schema up to this release. Answers the names of the migrations that were missing. */
export async function migrate({ url }: MigrateOptions): Promise<string[]> {
  const target = targetOf(url);
  const client = new pg.Client({
    connectionString: url,
    application_name: "everstep-migrate",
    connectionTimeoutMillis: 10_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    // Loaded here because only this needs it, and a worker never does.
    const { runner } = await import("node-pg-migrate");
    const applied = await runner({
      dbClient: client,
      dir: MIGRATIONS_DIR,
      direction: "up",
      migrationsSchema: "everstep",
      migrationsTable: "migration",
      createMigrationsSchema: true,
      checkOrder: true,
      lockValue: LOCK,
      advisoryLockMode: "wait",
      logger: SILENT,
    });
    return applied.map(({ name }) => name);
  } catch (error) {
    throw toStoreError(error, target);
  } finally {
    await client.end().catch(() => {});
  }
}

// What it would say is in the answer or in the error.
const silence = (): void => {};
const SILENT = { debug: silence, info: silence, warn: silence, error: silence };

/** Names as the runner keeps them: without extension, in the order of application. */
export function knownMigrations(): string[] {
  return readdirSync(MIGRATIONS_DIR)
    .filter((file) => file.endsWith(".sql"))
    .map((file) => file.slice(0, -".sql".length))
    .sort();
}

const APPLIED = prepared({
  name: "everstep_applied_migrations",
  text: "select name, pg_is_in_recovery() as is_standby from everstep.migration order by id",
});

/** A pool, said without the driver's types: `migrate` is public, and whoever imports it need not have those. */
interface Queries {
  readonly target: Target;
  query<R extends Record<string, unknown>>(
    statement: { readonly name: string; readonly text: string },
    values: readonly unknown[],
  ): Promise<R[]>;
}

/** Rejects unless this database is one that this release can work on. */
export async function checkSchema(pool: Queries): Promise<void> {
  const { database, host } = pool.target;
  const where = `Database "${database}" at ${host}`;
  let rows: { name: string; is_standby: boolean }[];
  try {
    rows = await pool.query(APPLIED, []);
  } catch (error) {
    if (!isMissingTable(error)) throw error;
    throw new EverstepError("SCHEMA_MISSING", `${where} has no Everstep schema. Run \`everstep migrate\`.`, {
      cause: error,
    });
  }
  if (rows.some(({ is_standby }) => is_standby)) {
    throw new EverstepError(
      "STORE_REFUSED",
      `${where} is a standby, and histories are read and written on the primary. Check the database URL.`,
    );
  }
  const applied = new Set(rows.map(({ name }) => name));
  const known = knownMigrations();
  const missing = known.filter((name) => !applied.has(name));
  const unknown = [...applied].filter((name) => !known.includes(name));
  // Ahead first: running this release's migrations would not help.
  if (unknown.length > 0) {
    throw new EverstepError(
      "SCHEMA_AHEAD",
      `${where} was migrated by a newer release (${unknown.join(", ")}). Deploy that release, or a newer one, here too.`,
      {
        details: { unknown },
      },
    );
  }
  if (missing.length > 0) {
    const code = applied.size === 0 ? "SCHEMA_MISSING" : "SCHEMA_BEHIND";
    throw new EverstepError(code, `${where} lacks ${missing.join(", ")}. Run \`everstep migrate\`.`, {
      details: { missing },
    });
  }
}
