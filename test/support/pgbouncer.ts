// A pgbouncer of our own in transaction mode: what hosted Postgres often puts in front. Session state (prepared
// statements, LISTEN, session advisory locks, SET) does not survive from one transaction to the next behind it.

import { chmodSync, chownSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pg from "pg";
import { findServerUser } from "../../runtime/embedded/server-user.ts";
import { findOnPath } from "./private-redis.ts";
import { freePort, removeDir, startServer } from "./private-server.ts";

export interface Pgbouncer {
  /** The same database as the given URL's, through the pooler. */
  readonly url: string;
  readonly remove: () => Promise<void>;
}

export interface PgbouncerOptions {
  /** Server connections per database; few, so that transactions really change places. */
  readonly poolSize?: number;
}

export async function startPgbouncer(databaseUrl: string, { poolSize = 4 }: PgbouncerOptions = {}): Promise<Pgbouncer> {
  const command = findOnPath("pgbouncer", "apt-get install pgbouncer / brew install pgbouncer");
  const target = new URL(databaseUrl);
  const user = findServerUser(); // pgbouncer, too, refuses to run as root
  const dir = mkdtempSync(join(tmpdir(), "everstep-pgbouncer-"));
  const port = await freePort();
  const config = join(dir, "pgbouncer.ini");
  const users = join(dir, "users.txt");
  const name = decodeURIComponent(target.username || "postgres");
  writeFileSync(users, `"${name}" "${decodeURIComponent(target.password)}"\n`);
  writeFileSync(
    config,
    [
      "[databases]",
      `* = host=${target.hostname} port=${target.port || "5432"}`,
      "[pgbouncer]",
      "listen_addr = 127.0.0.1",
      `listen_port = ${port}`,
      "unix_socket_dir =",
      "auth_type = trust",
      `auth_file = ${users}`,
      "pool_mode = transaction",
      `default_pool_size = ${poolSize}`,
      "max_client_conn = 500",
      "ignore_startup_parameters = extra_float_digits",
    ].join("\n"),
  );
  for (const path of [dir, config, users]) {
    chmodSync(path, path === dir ? 0o700 : 0o600);
    if (user) chownSync(path, user.uid, user.gid);
  }
  const pooled = new URL(databaseUrl);
  pooled.host = `127.0.0.1:${port}`;
  try {
    const server = await startServer({
      name: "pgbouncer",
      command,
      args: [config],
      user,
      dir,
      stopSignal: "SIGKILL",
      ready: () => answers(pooled.href),
    });
    return {
      url: pooled.href,
      remove: async () => {
        await server.end("SIGKILL");
        removeDir(dir);
      },
    };
  } catch (error) {
    removeDir(dir);
    throw error;
  }
}

async function answers(url: string): Promise<void> {
  const client = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 2_000,
  });
  client.on("error", () => {});
  try {
    await client.connect();
    await client.query("select 1");
  } finally {
    await client.end();
  }
}
