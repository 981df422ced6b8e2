// Notices an event loop that does not turn: an endless loop in workflow or step code, or heavy work that should run
// elsewhere. Such a worker cannot renew its lease either, so its runs move on; the watchdog says why, and ends the
// process before it wakes up as a zombie with everything it has in memory.

import { Worker as Thread } from "node:worker_threads";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { AMBIENT_KEY } from "../../sdk/workflow/ambient.ts";
import type { CancelTimer, Clock } from "../world/world.ts";

export interface WatchdogLimits {
  /** Default 5,000. */
  readonly reportAfterMs?: number;
  /** Default 15,000. */
  readonly endAfterMs?: number;
}

export interface WatchdogOptions extends Required<WatchdogLimits> {
  readonly clock: Clock;
}

const BEAT_MS = 500;

/** Throws CONFIGURATION_INVALID for limits that are no more than the pause between two signs of life. */
export function watchdogLimits(given: WatchdogLimits = {}): Required<WatchdogLimits> {
  const { reportAfterMs = 5_000, endAfterMs = 15_000 } = given;
  if (reportAfterMs >= 2 * BEAT_MS && endAfterMs >= reportAfterMs) return { reportAfterMs, endAfterMs };
  const message = `The worker setting watchdog takes a reportAfterMs of at least ${2 * BEAT_MS} and an endAfterMs not below it; got ${String(reportAfterMs)} and ${String(endAfterMs)}.`;
  throw new EverstepError("CONFIGURATION_INVALID", message, { details: { setting: "watchdog" } });
}

/** Answers how to stop it. */
export function startWatchdog({ clock, reportAfterMs, endAfterMs }: WatchdogOptions): () => void {
  const beats = new Int32Array(new SharedArrayBuffer(4));
  let cancelBeat: CancelTimer = () => {};
  const beat = () => {
    Atomics.add(beats, 0, 1);
    cancelBeat = clock.setTimer(BEAT_MS, beat);
  };
  beat();
  const thread = new Thread(WATCH, {
    eval: true,
    workerData: { beats, reportAfterMs, endAfterMs, beatMs: BEAT_MS, pid: process.pid, ambientKey: AMBIENT_KEY },
  });
  thread.unref();
  return () => {
    cancelBeat();
    void thread.terminate();
  };
}

// Runs in a thread of its own: the main thread is what is being watched. What that one executes is learnt when it has
// to be, by stopping it for a moment with the inspector: work that turns pays nothing for being watched. Native code
// cannot be stopped (a synchronous child process, for instance); the report then goes without the place.
const WATCH = `
const { workerData: { beats, reportAfterMs, endAfterMs, beatMs, pid, ambientKey } } = require("node:worker_threads");
const { Session } = require("node:inspector");
const { writeSync } = require("node:fs");

let seen = Atomics.load(beats, 0), silentMs = 0, isReported = false, last = performance.now();
const say = (place, message) =>
  writeSync(2, JSON.stringify({ level: "error", service: "everstep", pid, blockedMs: Math.round(silentMs), ...place, message }) + "\\n");

const CURRENT = \`(() => {
  const at = globalThis[Symbol.for(\${JSON.stringify(ambientKey)})]?.getStore();
  if (at?.kind === "workflow") return { workflowId: at.run.info.workflowId, runId: at.run.info.runId };
  return at?.kind === "step" ? { workflowId: at.step.workflowId, runId: at.step.runId, step: at.name } : {};
})()\`;

function findPlace(tell) {
  const session = new Session();
  let isDone = false;
  const done = (place) => {
    if (isDone) return;
    isDone = true;
    session.disconnect();
    tell(place);
  };
  session.connectToMainThread();
  const files = new Map();
  session.on("Debugger.scriptParsed", ({ params: { scriptId, url } }) => files.set(scriptId, url));
  const fileOf = (frame) => files.get(frame.location.scriptId) ?? "";
  session.once("Debugger.paused", ({ params: { callFrames } }) => {
    // Who called into Node is of interest, not where in it.
    const frame = callFrames.find((each) => !fileOf(each).startsWith("node:")) ?? callFrames[0];
    const code = fileOf(frame) + ":" + (frame.location.lineNumber + 1);
    const question = { callFrameId: frame.callFrameId, expression: CURRENT, returnByValue: true };
    session.post("Debugger.evaluateOnCallFrame", question, (error, reply) => done({ ...reply?.result?.value, code }));
  });
  session.post("Debugger.enable");
  session.post("Debugger.pause");
  setTimeout(() => done({}), beatMs);
}

setInterval(() => {
  const now = performance.now();
  const passed = now - last;
  last = now;
  const current = Atomics.load(beats, 0);
  // A whole process that was stopped (SIGSTOP, a suspended machine) has not blocked its loop: time then passed here too.
  if (current !== seen || passed > beatMs * 4) { seen = current; silentMs = 0; isReported = false; return; }
  silentMs += passed;
  if (silentMs >= reportAfterMs && !isReported) {
    isReported = true;
    findPlace((place) => say(place, "the event loop is blocked: the code at this place does not give way"));
  }
  if (silentMs >= endAfterMs) {
    say({}, "the event loop is still blocked: ending the process so that other workers take over");
    process.kill(pid, "SIGKILL");
  }
}, beatMs);
`;
