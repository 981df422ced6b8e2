// What a run waits for, as its engine knows it: the answer to the query that every run has.

import {
  isLimit,
  type PendingChildWork,
  type PendingLockWork,
  type PendingStepWork,
  type PendingTimerWork,
  type PendingWork,
} from "../../sdk/protocol/pending-work.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { PendingStep, PendingTimer } from "../replay/pending.ts";

export function describePending(engine: RunEngine): PendingWork {
  const steps: PendingStepWork[] = [];
  const timers: PendingTimerWork[] = [];
  const children: PendingChildWork[] = [];
  const messages: string[] = [];
  for (const pending of engine.pendingCommands()) {
    const { command } = pending;
    switch (pending.kind) {
      case "RunStep":
        steps.push(stepWork(pending));
        break;
      case "StartTimer":
        timers.push(timerWork(pending));
        break;
      case "StartChild": {
        const { name, workflowId, childRunId, isStarted } = pending;
        children.push({ kind: "child", command, name, workflowId, runId: childRunId, isStarted });
        break;
      }
      case "SendMessage":
        messages.push(pending.name);
        break;
      case "AcquireLock":
        // With those that are held, below.
        break;
    }
  }
  const locks = (engine.locks?.all ?? []).map(
    ({ command, name, permits, fencingToken, isAwaited }): PendingLockWork => ({
      kind: "lock",
      command,
      name,
      permits,
      fencingToken: isAwaited ? null : fencingToken,
    }),
  );
  const { signals, conditions } = engine.waits;
  const handlers = engine.handlersUnderWay.all();
  return {
    steps,
    children,
    messages,
    timers,
    locks,
    signals,
    handlers,
    conditions,
    unreadSignals: engine.unreadSignals().map(({ name }) => name),
    currentDetails: engine.data.currentDetails,
  };
}

function timerWork({ command, name, fireAt, summary }: PendingTimer): PendingTimerWork {
  return { kind: "timer", command, name, isLimit: isLimit(name), fireAt, summary: summary ?? null };
}

function stepWork({
  command,
  ask,
  failedAttempts,
  lastFailure,
  nextAttemptAt,
  cancelRequested,
  deferral,
}: PendingStep): PendingStepWork {
  return {
    kind: "step",
    command,
    name: ask.name,
    attempt: failedAttempts + 1,
    lastError: lastFailure?.message ?? null,
    nextAttemptAt: deferral === null ? nextAttemptAt : null,
    isCancelRequested: cancelRequested !== null,
    isDeferred: deferral !== null,
    summary: ask.summary ?? null,
  };
}
