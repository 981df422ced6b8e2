// Starts one server process of our own, waits until it answers, and never leaves it or its folder behind: a keeper
// process ends both when the test process dies in a way that runs no hooks. Output is kept for the error message.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { createServer } from "node:net";
import { keepServer } from "../../runtime/embedded/keeper.ts";
import { eventually } from "./eventually.ts";

export interface ServerCommand {
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly user?: { readonly uid: number; readonly gid: number } | undefined;
  readonly env?: Readonly<Record<string, string>>;
  /** The server's own folder, removed by the keeper when nobody else can. */
  readonly dir: string;
  readonly stopSignal: NodeJS.Signals;
  /** Rejects until the server answers. */
  readonly ready: () => Promise<void>;
}

export interface ServerProcess {
  readonly pid: number;
  readonly isRunning: () => boolean;
  /** Sends the signal and waits until the process is gone. */
  readonly end: (signal: NodeJS.Signals) => Promise<void>;
}

export async function startServer(server: ServerCommand): Promise<ServerProcess> {
  const child = spawn(server.command, server.args, {
    stdio: ["ignore", "pipe", "pipe"],
    // A process group of its own: Ctrl+C reaches the tests first, and they stop their servers in order.
    detached: true,
    cwd: server.dir,
    ...(server.user ?? {}),
    ...(server.env === undefined ? {} : { env: { ...process.env, ...server.env } }),
  });
  const output = tailOf(child);
  const failed = once(child, "error").then(([error]) => Promise.reject(error));
  failed.catch(() => {});
  const exited = new Promise<void>((resolve) => {
    child.once("exit", () => resolve());
    child.once("error", () => resolve());
  });
  const { pid } = child;
  if (pid === undefined) return failed;

  const release = keepServer({
    pid,
    signal: server.stopSignal,
    removeDirs: [server.dir],
  });
  let isRunning = true;
  void exited.then(() => {
    isRunning = false;
    release();
  });
  child.unref();
  for (const pipe of [child.stdout, child.stderr]) if (pipe && "unref" in pipe) (pipe as { unref(): void }).unref();

  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (isRunning) child.kill(signal);
    child.ref();
    await exited;
  };
  try {
    await eventually(`${server.name} answers`, async () => {
      if (!isRunning) throw new ServerGone(`${server.name} ended while starting:\n${output()}`);
      await server.ready();
    });
  } catch (error) {
    await end("SIGKILL");
    throw error instanceof ServerGone
      ? error
      : new Error(`${server.name} did not start:\n${output()}`, {
          cause: error,
        });
  }
  return { pid, isRunning: () => isRunning, end };
}

/** Ends a wait at once: a process that is gone will never answer. */
class ServerGone extends Error {
  readonly isFinal = true;
}

function tailOf(child: ChildProcess): () => string {
  let text = "";
  const collect = (chunk: Buffer): void => {
    text = (text + chunk.toString("utf8")).slice(-4_000);
  };
  child.stdout?.on("data", collect);
  child.stderr?.on("data", collect);
  return () => text.trim();
}

/** A port nobody listens on now. Another process may still take it: callers start again on a fresh one. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  probe.listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  probe.close();
  await once(probe, "close");
  if (address === null || typeof address === "string") throw new Error("A TCP server without a TCP address.");
  return address.port;
}

export function removeDir(dir: string): void {
  rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
}
