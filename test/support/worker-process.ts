// A worker as it is deployed: a process of its own, told what to run by its arguments, that a test may stop, freeze,
// kill and look at. Nothing of it outlives the test: it ends when its channel to the test closes, and is killed at the
// test's end.

import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";
import type { WorkerStats } from "../../runtime/worker/worker-loop.ts";
import type { WorkerOptions } from "../../runtime/worker.ts";
import { eventually } from "./eventually.ts";

/** What can be said to another process: the options of a worker without its functions. */
export type PortableWorkerOptions = Omit<WorkerOptions, "workflows" | "log">;

export interface WorkerProcessOptions extends PortableWorkerOptions {
  /** A module beside test/e2e/workers/main.ts; every workflow it exports is run. */
  readonly module: string;
  readonly env?: Readonly<Record<string, string>>;
}

export interface ProcessEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

export interface WorkerProcess {
  readonly pid: number;
  /** What it wrote to both outputs: log lines as objects, anything else as `{ message }`. */
  readonly lines: readonly Record<string, unknown>[];
  readonly ended: Promise<ProcessEnd>;
  readonly isRunning: () => boolean;
  readonly stats: () => Promise<WorkerStats>;
  readonly signal: (signal: NodeJS.Signals) => void;
  /** SIGKILL, and gone when this resolves. */
  readonly kill: () => Promise<ProcessEnd>;
  /** SIGTERM, and gone when this resolves. */
  readonly stop: () => Promise<ProcessEnd>;
}

const main = fileURLToPath(new URL("../e2e/workers/main.ts", import.meta.url));
const ARGS = ["--conditions=everstep-source", "--import", "tsx", main];

/** Resolves when the worker claims runs; rejects with its output when it ends before. */
export async function workerStarted(worker: WorkerProcess): Promise<WorkerProcess> {
  await eventually("the worker process claims runs", () => {
    if (!worker.isRunning()) throw new WorkerGone(`The worker ended while starting: ${JSON.stringify(worker.lines)}`);
    return worker.lines.some(({ message }) => message === "worker started");
  });
  return worker;
}

/** Starts the process and waits for nothing. */
export function spawnWorkerProcess({ module, env = {}, ...options }: WorkerProcessOptions): WorkerProcess {
  const { DATABASE_URL: _database, REDIS_URL: _redis, ...inherited } = process.env;
  const child = spawn(process.execPath, [...ARGS, module, JSON.stringify(options)], {
    stdio: ["ignore", "pipe", "pipe", "ipc"],
    env: { ...inherited, ...env },
  });
  const lines: Record<string, unknown>[] = [];
  collectLines(child, lines);
  let end: ProcessEnd | undefined;
  const ended = new Promise<ProcessEnd>((resolve) => {
    child.once("close", (code, signal) => {
      end = { code, signal };
      resolve(end);
    });
  });
  const signal = (name: NodeJS.Signals): void => {
    if (end === undefined) child.kill(name);
  };
  const kill = (): Promise<ProcessEnd> => {
    signal("SIGKILL");
    return ended;
  };
  onTestFinished(async () => void (await kill()));
  return {
    pid: child.pid ?? Number.NaN,
    lines,
    ended,
    isRunning: () => end === undefined,
    stats: () => askForStats(child),
    signal,
    kill,
    stop: () => {
      signal("SIGTERM");
      return ended;
    },
  };
}

function collectLines(child: ChildProcess, lines: Record<string, unknown>[]): void {
  for (const output of [child.stdout, child.stderr]) {
    if (output === null) continue;
    createInterface({ input: output }).on("line", (line) => lines.push(parseLine(line)));
  }
}

function parseLine(line: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null) return { ...value };
  } catch {
    // Not of the log: what a process writes when it dies, for instance.
  }
  return { message: line };
}

function askForStats(child: ChildProcess): Promise<WorkerStats> {
  return new Promise((resolve, reject) => {
    const gone = () => reject(new Error("The worker process is gone."));
    child.once("close", gone);
    child.once("message", (stats) => {
      child.off("close", gone);
      resolve(stats as WorkerStats);
    });
    child.send("stats", (error) => {
      if (error) reject(error);
    });
  });
}

/** Ends a wait at once: a process that is gone will never start. */
class WorkerGone extends Error {
  readonly isFinal = true;
}
