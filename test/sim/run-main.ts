// The simulation in a process of its own: it puts the history's clock and chance in place of the globals, as a worker
// does, and a test runner would not like that.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";

export interface Ended {
  readonly code: number;
  readonly output: string;
}

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

/** `signal` is the test's own: a simulation whose test ran out of time ends with it, and slows down no other. */
export function runMain(signal: AbortSignal, ...options: string[]): Promise<Ended> {
  const node = ["--conditions=everstep-source", "--import", "tsx", MAIN, ...options];
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      node,
      { maxBuffer: 64 * 1024 * 1024, signal, killSignal: "SIGKILL" },
      (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
        resolve({ code, output: stdout + stderr });
      },
    );
  });
}
