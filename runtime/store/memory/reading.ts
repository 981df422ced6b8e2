// What a store tells about runs without changing them. Every array is a fresh one and every event in it is frozen, so
// no reader can reach into the store.

import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus, RunSummary } from "../../../sdk/protocol/run.ts";
import type { ListRequest, LoadedHistory, MailItem, RunDetail } from "../store.ts";
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
  const mailbox = run?.mailbox ?? [];
  // Item n is at n - 1, until the run has continued as new and some have moved on.
  const from = run?.closed === null ? after : mailbox.findIndex(({ mail }) => mail > after);
  return from < 0 ? [] : mailbox.slice(from, from + limit);
}

export function listRuns(table: RunTable, request: ListRequest): RunSummary[] {
  const { workflow, workflowId, queue, status, limit, before } = request;
  const runs = table.started(workflowId);
  const end = before === undefined ? Number.POSITIVE_INFINITY : (table.get(before)?.ordinal ?? 0);
  const found: RunSummary[] = [];
  for (let place = runs.length - 1; place >= 0 && found.length < limit; place -= 1) {
    const run = runs[place];
    if (run === undefined || run.ordinal >= end) continue;
    if (workflow !== undefined && run.workflow !== workflow) continue;
    if (queue !== undefined && run.queue !== queue) continue;
    const summary = summaryOf(run);
    if (status === undefined || status.includes(summary.status)) found.push(summary);
  }
  return found;
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
