// What a run waits for, as its engine knows it: the answer to the query that every run has.

import type { PendingStepWork, PendingTimerWork, PendingWork } from "../../sdk/protocol/pending-work.ts";
import type { RunEngine } from "../replay/engine.ts";

export function describePending(engine: RunEngine): PendingWork {
  const steps: PendingStepWork[] = [];
  const timers: PendingTimerWork[] = [];
  for (const pending of engine.pendingCommands()) {
    const { command } = pending;
    if (pending.kind === "StartTimer") {
      timers.push({ kind: "timer", command, name: pending.name, fireAt: pending.fireAt });
      continue;
    }
    steps.push({
      kind: "step",
      command,
      name: pending.ask.name,
      attempt: pending.failedAttempts + 1,
      lastError: pending.lastFailure?.message ?? null,
      nextAttemptAt: pending.deferral === null ? pending.nextAttemptAt : null,
      isCancelRequested: pending.cancelRequested !== null,
      isDeferred: pending.deferral !== null,
    });
  }
  const { signals, conditions } = engine.waits;
  const handlers = engine.handlersUnderWay.all();
  return {
    steps,
    timers,
    signals,
    handlers,
    conditions,
    unreadSignals: engine.unreadSignals().map(({ name }) => name),
    currentDetails: engine.data.currentDetails,
  };
}
