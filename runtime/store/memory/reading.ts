// What a store tells about runs without changing them. Every array is a fresh one and every event in it is frozen, so
// no reader can reach into the store.

import { EVENT_CODES, STEP_CODES } from "../../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../../sdk/protocol/run.ts";
import type { LoadedHistory } from "../claims.ts";
import type { MailItem, UpdateLook, UpdateTrace } from "../mail.ts";
import { updateIdOf } from "../mail-id.ts";
import type { RunDetail, StepRef } from "../runs.ts";
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
    awaitedLocks: run.head?.awaitedLocks ?? 0,
    crashCount: run.head?.crashCount ?? 0,
    unreadMail: run.head === null ? 0 : run.mailbox.length - run.head.takenMail,
    now,
  };
}

export function mailAfter(run: StoredRun | undefined, after: number, limit: number): readonly MailItem[] {
  const mailbox = run?.mailbox ?? [];
  // Item n is at n - 1, until the run has continued as new and some have moved on.
  const from = run?.closed === null ? after : mailbox.findIndex((item) => item !== null && item.mail > after);
  return from < 0 ? [] : mailbox.slice(from).filter(isThere).slice(0, limit);
}

function isThere(item: MailItem | null): item is MailItem {
  return item !== null;
}

export function eventsOfType(
  table: RunTable,
  runIds: readonly string[],
  type: number,
  limit = Number.POSITIVE_INFINITY,
): Map<string, readonly StoredEvent[]> {
  const found = new Map<string, readonly StoredEvent[]>();
  for (const runId of runIds) {
    const events = table.get(runId)?.history.filter((event) => event.type === type) ?? [];
    if (events.length > 0) found.set(runId, events.slice(-limit));
  }
  return found;
}

export function stepEventsOf(run: StoredRun | undefined, step: StepRef): readonly StoredEvent[] {
  const isOfStep = ({ command, name }: StoredEvent) =>
    "command" in step ? command === step.command : name === step.name;
  return run?.history.filter((event) => STEP_CODES.includes(event.type) && isOfStep(event)) ?? [];
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

export function updateTraceOf(table: RunTable, { runId, mailId, after }: UpdateLook): UpdateTrace {
  const asked = table.get(runId);
  const isMeant = (each: MailItem | null) => each?.mailId === mailId && each.kind === "update";
  const run = asked && (table.chainOf(asked).find(({ mailbox }) => mailbox.some(isMeant)) ?? asked);
  const item = run?.mailbox.find(isMeant);
  if (run === undefined || item == null) {
    return {
      runId,
      mail: null,
      refusal: null,
      events: [],
      seen: run?.history.length ?? 0,
      closed: run?.closed?.status ?? null,
    };
  }
  return {
    runId: run.runId,
    mail: item.mail,
    refusal: run.refusals.get(item.mail) ?? null,
    events: run.history.slice(run.runId === runId ? after : 0).filter((event) => isOfUpdate(event, updateIdOf(mailId))),
    seen: run.history.length,
    closed: run.closed?.status ?? null,
  };
}

function isOfUpdate({ type, data }: StoredEvent, updateId: string): boolean {
  if (type !== EVENT_CODES.UpdateAccepted && type !== EVENT_CODES.UpdateCompleted) return false;
  return data !== null && (JSON.parse(data) as { updateId?: string }).updateId === updateId;
}
