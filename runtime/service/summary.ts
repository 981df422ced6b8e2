// One sentence: what a run is doing, or why it is not moving.

import type { Failure } from "../../sdk/protocol/failure.ts";
import type { PendingWork } from "../../sdk/protocol/pending-work.ts";
import { isClosed, type RunStatus } from "../../sdk/protocol/run.ts";
import type { RunDetail } from "../store/runs.ts";

export function summarize(
  run: RunDetail,
  pending: PendingWork | null,
  { lastFailure = null }: { readonly lastFailure?: Failure | null } = {},
): string {
  if (isClosed(run.status)) return `The run is ${ENDS[run.status] ?? run.status}.`;
  const { paused } = run;
  const by = paused?.actor === undefined ? "" : ` by ${paused.actor}`;
  const pause = paused === null ? "" : `Paused since ${new Date(paused.at).toISOString()}${by}: ${paused.reason}. `;
  if (run.blocked !== null) return `${pause}Blocked (${run.blocked.kind}): ${run.blocked.message}`;
  if (paused !== null && run.ownerId === null) return pause.trimEnd();
  const place = `${pause}${placeOf(run)}${lastFailure === null ? "" : ` ${lastOf(lastFailure)}`}`;
  return pending === null ? place : `${place} ${waitOf(pending, run.now)}`;
}

/** Started with a delay that is not over: nothing is asked for yet, so nothing is pending. */
export function isYetToBegin({ events, ownerId, crashCount, wakeAt, now }: RunDetail): boolean {
  return events === 1 && ownerId === null && crashCount === 0 && wakeAt !== null && wakeAt > now;
}

function placeOf(run: RunDetail): string {
  const attempt = run.attempt === 1 ? "" : `Attempt ${run.attempt}. `;
  return `${attempt}${whereabouts(run)}`;
}

function whereabouts(run: RunDetail): string {
  if (isYetToBegin(run)) {
    const at = new Date(run.wakeAt ?? run.now).toISOString();
    return run.attempt > 1 ? `Begins at ${at}.` : `Begins at ${at}, or with a signal.`;
  }
  if (run.awaitedLocks > 0) {
    const locks = run.awaitedLocks === 1 ? "the lock" : `${run.awaitedLocks} locks`;
    return `Forked: it stands still until it has ${locks} again that it held.`;
  }
  if (run.ownerId !== null) return "Executed by a worker.";
  if (run.wakeAt === null) return "Parked: it waits for mail.";
  if (run.wakeAt > run.now) return `Parked until ${new Date(run.wakeAt).toISOString()}.`;
  const code = run.version === null ? "" : ` that has version ${run.version} of "${run.workflow}"`;
  return `Due for ${seconds(run.now - run.wakeAt)}: it waits for a worker of queue "${run.queue}"${code}.`;
}

function lastOf({ type, message }: Failure): string {
  return `The attempt before it failed: ${type}: ${cut(message)}`;
}

function cut(message: string): string {
  const line = message.replaceAll(/\s+/g, " ").trim();
  return line.length <= MOST_OF_A_MESSAGE ? line : `${line.slice(0, MOST_OF_A_MESSAGE)}…`;
}

function waitOf(pending: PendingWork, now: number): string {
  const parts: string[] = [];
  for (const step of pending.steps) {
    const retry =
      step.nextAttemptAt !== null && step.nextAttemptAt > now
        ? `, attempt ${step.attempt} in ${seconds(step.nextAttemptAt - now)}`
        : "";
    const outside = step.isDeferred ? ` to be completed from outside` : "";
    const last = step.lastError === null ? "" : ` (last error: ${step.lastError})`;
    parts.push(`step "${step.name}"${outside}${retry}${last}`);
  }
  for (const timer of pending.timers) {
    parts.push(
      timer.fireAt === null
        ? `timer "${timer.name}"`
        : `timer "${timer.name}" until ${new Date(timer.fireAt).toISOString()}`,
    );
  }
  for (const child of pending.children) parts.push(`child run ${child.workflowId} ("${child.name}")`);
  for (const lock of pending.locks) if (lock.fencingToken === null) parts.push(`lock "${lock.name}"`);
  for (const message of pending.messages) parts.push(`its "${message}" to another run`);
  for (const signal of pending.signals) parts.push(`signal "${signal}"`);
  if (pending.conditions > 0) parts.push(pending.conditions === 1 ? "a condition" : `${pending.conditions} conditions`);
  for (const { kind, name } of pending.handlers) parts.push(`the handler of ${kind} "${name}"`);
  if (parts.length === 0) return "Nothing is pending.";
  const shown = parts.slice(0, MOST_SHOWN).join(", ");
  return `Waits for ${shown}${parts.length > MOST_SHOWN ? ` and ${parts.length - MOST_SHOWN} more` : ""}.`;
}

const ENDS: Partial<Record<RunStatus, string>> = {
  timedOut: "closed: it timed out",
  continuedAsNew: "closed: it went on as a new run",
};

const MOST_SHOWN = 5;
const MOST_OF_A_MESSAGE = 200;

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(ms < 10_000 ? 1 : 0)} s`;
}
