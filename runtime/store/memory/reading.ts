// What a store tells about runs without changing them. Every array is a fresh one and every event in it is frozen, so
// no reader can reach into the store.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../../sdk/protocol/run.ts";
import type { LoadedHistory, MailItem, RunDetail } from "../store.ts";
import type { RunTable } from "./run-table.ts";
import { type StoredRun, summaryOf } from "./stored-run.ts";

export function historyOf(run: StoredRun): LoadedHistory {
  const heartbeats = [...run.heartbeats].map(([command, beat]) => ({ command, ...beat }));
  return {
    runId: run.runId,
    events: [...run.history],
    heartbeats: heartbeats.sort((a, b) => a.command - b.command),
  };
}

export function detailOf(run: StoredRun, now: number): RunDetail {
  return {
    ...summaryOf(run),
    events: run.history.length,
    epoch: run.head?.epoch ?? null,
    ownerId: run.head?.ownerId ?? null,
    wakeAt: run.head?.wakeAt ?? null,
    blocked: run.head?.blocked ?? null,
    crashCount: run.head?.crashCount ?? 0,
    unreadMail: run.head === null ? 0 : run.mailbox.length - run.head.takenMail,
    now,
  };
}

export function mailAfter(run: StoredRun | undefined, after: number, limit: number): readonly MailItem[] {
  return run?.mailbox.slice(after, after + limit) ?? [];
}

export function outcomesOf(
  table: RunTable,
  runIds: readonly string[],
): Map<string, { readonly status: ClosedStatus; readonly event: StoredEvent }> {
  const outcomes = new Map<string, { readonly status: ClosedStatus; readonly event: StoredEvent }>();
  for (const runId of runIds) {
    const run = table.get(runId);
    const event = run?.history.at(-1);
    if (run?.closed != null && event !== undefined) outcomes.set(runId, { status: run.closed.status, event });
  }
  return outcomes;
}
