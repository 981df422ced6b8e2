// Starts: one decision after the other, each seeing what those before it did. What stands in the way of a start is the
// open run of its workflow id, or else the latest closed one.

import { type EventRecord, toRecord } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../../sdk/protocol/run.ts";
import type { StartOutcome, StartRequest } from "../store.ts";
import { putMail } from "./mail.ts";
import type { RunTable } from "./run-table.ts";
import { headOf, type StoredRun, statusOf } from "./stored-run.ts";

/** Events the store writes by itself belong to no owner's turn. */
const STORE_TAG = "store";

export function startRun(
  table: RunTable,
  requestIds: Map<string, StoredRun>,
  request: StartRequest,
  now: number,
): StartOutcome {
  const repeated = request.requestId === null ? undefined : requestIds.get(request.requestId);
  if (repeated !== undefined) return outcomeOf("started", repeated);

  const latest = table.find({ workflowId: request.workflowId });
  if (latest?.closed === null) {
    if (request.onConflict === "fail") return outcomeOf("refused", latest);
    if (request.onConflict === "useExisting") {
      if (request.signal !== null) putMail(table, latest, { kind: "signal", ...request.signal }, now);
      return outcomeOf("existing", latest);
    }
    const reason = `Run ${request.runId} was started in its place.`;
    closeFromOutside(table, latest, "terminated", toRecord({ type: "RunTerminated", reason }), now);
  } else if (latest !== undefined && !mayRepeat(request, latest)) {
    return outcomeOf("refused", latest);
  }

  const run = insertRun(table, request, now);
  if (request.requestId !== null) requestIds.set(request.requestId, run);
  return outcomeOf("started", run);
}

/** Ends a run whoever owns it: the owner finds its claim gone at its next write. */
export function closeFromOutside(
  table: RunTable,
  run: StoredRun,
  status: ClosedStatus,
  closing: EventRecord,
  now: number,
): void {
  table.append(run, [closing], STORE_TAG, now);
  table.close(run, status, now);
}

function mayRepeat(request: StartRequest, latest: StoredRun): boolean {
  if (request.onReuse === "reject") return false;
  return request.onReuse === "allow" || latest.closed?.status !== "completed";
}

function insertRun(table: RunTable, request: StartRequest, now: number): StoredRun {
  const { runId, workflowId, workflow, queue, timeoutMs, signal } = request;
  const run = table.insert({
    runId,
    workflowId,
    workflow,
    queue,
    startedAt: now,
    deadlineAt: timeoutMs === null ? null : now + timeoutMs,
    timeoutMs,
    history: [],
    tags: [],
    mailbox: [],
    mailIds: new Set(),
    heartbeats: new Map(),
    head: Object.freeze({
      epoch: 0,
      claimId: null,
      ownerId: null,
      takenMail: 0,
      wakeAt: now + request.delayMs,
      crashCount: 0,
      blocked: null,
    }),
    closed: null,
  });
  table.append(run, [request.started], STORE_TAG, now);
  // Part of the start, so it does not cut the delay short as mail sent later does.
  if (signal !== null) table.putMail(run, { kind: "signal", ...signal });
  return run;
}

function outcomeOf(outcome: StartOutcome["outcome"], run: StoredRun): StartOutcome {
  const ownerId = run.closed === null ? headOf(run).ownerId : null;
  return { outcome, runId: run.runId, status: statusOf(run), ownerId };
}
