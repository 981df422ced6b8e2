// A Redis of our own, on a free port, keeping nothing on disk: a stopped and started one is the empty Redis that the
// leases must survive. Without the redis-server binary the tests fail and say what to install.

import { existsSync, mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { Redis } from "ioredis";
import { freePort, removeDir, type ServerProcess, startServer } from "./private-server.ts";

export interface PrivateRedis {
  readonly url: string;
  readonly port: number;
  readonly isRunning: () => boolean;
  readonly stop: () => Promise<void>;
  /** Starts again, empty, on the same port. */
  readonly start: () => Promise<void>;
  readonly restart: () => Promise<void>;
  /** Holds the process still: it accepts connections and answers nothing, like a stalled machine. */
  readonly freeze: () => void;
  readonly thaw: () => void;
  /** Forgets every key at once. */
  readonly flush: () => Promise<void>;
  readonly remove: () => Promise<void>;
}

export async function startPrivateRedis(): Promise<PrivateRedis> {
  const command = findOnPath("redis-server", "apt-get install redis-server / brew install redis");
  const dir = mkdtempSync(join(tmpdir(), "everstep-redis-"));
  let port = await freePort();
  const launch = (): Promise<ServerProcess> =>
    startServer({
      name: "redis-server",
      command,
      args: ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", dir],
      dir,
      stopSignal: "SIGKILL",
      ready: () => ask(port, (redis) => redis.ping()),
    });
  let server: ServerProcess;
  try {
    server = await launch().catch(async () => {
      port = await freePort(); // someone else took the first one between looking and listening
      return launch();
    });
  } catch (error) {
    removeDir(dir);
    throw error;
  }

  const stop = (): Promise<void> => server.end("SIGKILL");
  const start = async (): Promise<void> => {
    if (!server.isRunning()) server = await launch();
  };
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    isRunning: () => server.isRunning(),
    stop,
    start,
    restart: async () => {
      await stop();
      await start();
    },
    freeze: () => void process.kill(server.pid, "SIGSTOP"),
    thaw: () => void process.kill(server.pid, "SIGCONT"),
    flush: () => ask(port, (redis) => redis.flushall()),
    remove: async () => {
      await stop();
      removeDir(dir);
    },
  };
}

async function ask(port: number, question: (redis: Redis) => Promise<unknown>): Promise<void> {
  const redis = new Redis({
    host: "127.0.0.1",
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    connectTimeout: 2_000,
  });
  redis.on("error", () => {});
  try {
    await redis.connect();
    await question(redis);
  } finally {
    redis.disconnect();
  }
}

/** The binary's path; when it is missing, an error that says how to get it. Nothing is skipped for want of a server. */
export function findOnPath(binary: string, installWith: string): string {
  const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin", "/usr/local/bin", "/opt/homebrew/bin"];
  const found = folders.map((folder) => join(folder, binary)).find((path) => existsSync(path));
  if (found === undefined)
    throw new Error(`The tests need ${binary}, which is not on the PATH. Install it: ${installWith}.`);
  return found;
}
