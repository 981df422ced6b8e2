// Notices an event loop that does not turn: an endless loop in workflow or step code, or heavy work that should run
// elsewhere. Such a worker cannot renew its lease either, so its runs move on; the watchdog says why, and ends the
// process before it wakes up as a zombie with everything it has in memory.

import { Worker as Thread } from "node:worker_threads";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { CancelTimer, Clock } from "../world/world.ts";

export interface WatchdogLimits {
  /** Default 5,000. */
  readonly reportAfterMs?: number;
  /** Default 15,000. */
  readonly endAfterMs?: number;
}

export interface WatchdogOptions extends Required<WatchdogLimits> {
  readonly clock: Clock;
  /** Names of what may be executing: asked at each sign of life, since nobody can ask later. */
  readonly describe: () => readonly string[];
}

const BEAT_MS = 500;
const NAMES_BYTES = 1_024;

/** Throws CONFIGURATION_INVALID for limits that are no more than the pause between two signs of life. */
export function watchdogLimits(given: WatchdogLimits = {}): Required<WatchdogLimits> {
  const { reportAfterMs = 5_000, endAfterMs = 15_000 } = given;
  if (reportAfterMs >= 2 * BEAT_MS && endAfterMs >= reportAfterMs) return { reportAfterMs, endAfterMs };
  const message = `The worker setting watchdog takes a reportAfterMs of at least ${2 * BEAT_MS} and an endAfterMs not below it; got ${String(reportAfterMs)} and ${String(endAfterMs)}.`;
  throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "watchdog" } });
}

/** Answers how to stop it. */
export function startWatchdog({ clock, reportAfterMs, endAfterMs, describe }: WatchdogOptions): () => void {
  const beats = new Int32Array(new SharedArrayBuffer(8));
  const names = new Uint8Array(new SharedArrayBuffer(NAMES_BYTES));
  const encoder = new TextEncoder();
  let cancelBeat: CancelTimer = () => {};
  const beat = () => {
    const text = encoder.encode(describe().slice(0, 10).join(", ")).subarray(0, NAMES_BYTES);
    names.fill(0);
    names.set(text);
    Atomics.add(beats, 0, 1);
    cancelBeat = clock.setTimer(BEAT_MS, beat);
  };
  beat();
  const thread = new Thread(WATCH, {
    eval: true,
    workerData: { beats, names, reportAfterMs, endAfterMs, beatMs: BEAT_MS, pid: process.pid },
  });
  thread.unref();
  return () => {
    cancelBeat();
    void thread.terminate();
  };
}

// Runs in a thread of its own: the main thread is what is being watched.
const WATCH = `
const { workerData: { beats, names, reportAfterMs, endAfterMs, beatMs, pid } } = require("node:worker_threads");
const { writeSync } = require("node:fs");
let seen = Atomics.load(beats, 0), silentMs = 0, isReported = false, last = performance.now();
const say = (level, message) => writeSync(2, JSON.stringify({ level, service: "everstep", pid, blockedMs: Math.round(silentMs), runs: Buffer.from(names).toString("utf8").replace(/\\0+$/, ""), message }) + "\\n");
setInterval(() => {
  const now = performance.now();
  const passed = now - last;
  last = now;
  const current = Atomics.load(beats, 0);
  // A whole process that was stopped (SIGSTOP, a suspended machine) has not blocked its loop: time then passed here too.
  if (current !== seen || passed > beatMs * 4) { seen = current; silentMs = 0; isReported = false; return; }
  silentMs += passed;
  if (silentMs >= reportAfterMs && !isReported) { isReported = true; say("error", "the event loop is blocked: code of one of these runs, or a step, does not give way"); }
  if (silentMs >= endAfterMs) { say("error", "the event loop is still blocked: ending the process so that other workers take over"); process.kill(pid, "SIGKILL"); }
}, beatMs);
`;
