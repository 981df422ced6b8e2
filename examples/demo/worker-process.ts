// The driver's side of a worker: a process with a name, a log file and an end.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { openSync } from "node:fs";
import { join } from "node:path";

export class WorkerProcess {
  readonly name: string;
  readonly logFile: string;
  readonly #child: ChildProcess;
  readonly #exit: Promise<string>;
  workerId = "";

  constructor(name: string, databaseUrl: string, folder: string) {
    this.name = name;
    this.logFile = join(folder, `${name.replace(" ", "-")}.log`);
    const log = openSync(this.logFile, "a");
    const { REDIS_URL: _, ...env } = process.env; // leases and wake-ups through Postgres: the demo needs nothing else
    this.#child = fork(new URL("worker.ts", import.meta.url), {
      env: { ...env, DATABASE_URL: databaseUrl },
      stdio: ["ignore", log, log, "ipc"],
    });
    this.#exit = once(this.#child, "exit").then(([code, signal]) => String(signal ?? code));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Rejects when the process ends before it works. */
  async whenReady(): Promise<void> {
    const ended = this.#exit.then((how) => Promise.reject(new Error(`${this.name} ended (${how}), see its log.`)));
    const [message] = await Promise.race([once(this.#child, "message"), ended]);
    this.workerId = (message as { workerId: string }).workerId;
  }

  /** Resolves with how the process ended: its exit code, or the signal that ended it. */
  async end(signal: "SIGTERM" | "SIGKILL"): Promise<string> {
    this.#child.kill(signal);
    return this.#exit;
  }
}
