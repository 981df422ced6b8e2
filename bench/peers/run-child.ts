// Starts a child for one measurement and brings back what it found, or why it found nothing.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { Assignment, Outcome } from "./child.ts";
import type { Contestant } from "./roster.ts";

const LIMIT_MS = 300_000;

const child = fileURLToPath(new URL("./child.ts", import.meta.url));
const tsx = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;

export async function runChild(contestant: Contestant, assignment: Omit<Assignment, "module">): Promise<Outcome> {
  const { module } = contestant;
  const started = spawn(
    contestant.node,
    [
      ...(contestant.nodeOptions ?? []),
      "--expose-gc",
      "--import",
      tsx,
      child,
      JSON.stringify({ ...assignment, module }),
    ],
    // What engines print is no part of the report. Its own group: whatever server it started ends with it.
    { stdio: ["ignore", 2, 2, "ipc"], detached: true },
  );
  let outcome: Outcome | undefined;
  started.once("message", (message) => {
    outcome = message as Outcome;
  });
  let isLate = false;
  const limit = setTimeout(() => {
    isLate = true;
    endGroup(started.pid);
  }, LIMIT_MS);
  const endWithUs = () => endGroup(started.pid);
  process.once("exit", endWithUs);
  const endBySignal = (signal: NodeJS.Signals) => process.exit(signal === "SIGINT" ? 130 : 143);
  process.once("SIGINT", endBySignal);
  process.once("SIGTERM", endBySignal);
  try {
    const [code, signal] = (await once(started, "exit")) as [number | null, NodeJS.Signals | null];
    if (isLate) return { type: "unable", reason: `did not finish within ${LIMIT_MS / 1000} s` };
    return outcome ?? { type: "unable", reason: `its process ended with ${signal ?? code} before it was done` };
  } finally {
    clearTimeout(limit);
    process.off("exit", endWithUs);
    process.off("SIGINT", endBySignal);
    process.off("SIGTERM", endBySignal);
    endGroup(started.pid);
  }
}

function endGroup(pid: number | undefined): void {
  try {
    if (pid !== undefined) process.kill(-pid, "SIGKILL");
  } catch {
    // already gone
  }
}
