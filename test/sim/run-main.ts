// The simulation in a process of its own: it puts the history's clock and chance in place of the globals, as a worker
// does, and a test runner would not like that.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

export interface Ended {
  readonly code: number;
  readonly output: string;
}

const MAIN = fileURLToPath(new URL("main.ts", import.meta.url));

export function runMain(...options: string[]): Promise<Ended> {
  const node = ["--conditions=everstep-source", "--import", "tsx", MAIN, ...options];
  return new Promise((resolve) => {
    const child = execFile(process.execPath, node, { maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === "number" ? error.code : -1;
      resolve({ code, output: stdout + stderr });
    });
    // A test that ran out of time leaves nothing behind that would slow down the others.
    onTestFinished(() => void child.kill("SIGKILL"));
  });
}
