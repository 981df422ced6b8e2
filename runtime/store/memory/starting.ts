// Starts: one decision after the other, each seeing what those before it did. What stands in the way of a start is the
// open run of its workflow id, or else the latest closed one.

import { type EventRecord, toRecord } from "../../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../../sdk/protocol/run.ts";
import { startedWith } from "../run-data.ts";
import type { StartOutcome, StartRequest } from "../starts.ts";
import { putMail } from "./mail.ts";
import type { RunTable } from "./run-table.ts";
import { type StoredRun, statusOf } from "./stored-run.ts";

/** Events the store writes by itself belong to no owner's turn. */
export const STORE_TAG = "store";

export function startRun(
  table: RunTable,
  startRequests: Map<string, StoredRun>,
  request: StartRequest,
  now: number,
): StartOutcome {
  const { requestId } = request;
  const earlier = requestId === null ? undefined : startRequests.get(requestId);
  const { outcome, run, isNew }: Decision =
    earlier === undefined ? decide(table, request, now) : { outcome: "started", run: earlier, isNew: false };
  // A refusal is not kept: the next try may find nothing in its way.
  if (requestId !== null && outcome !== "refused") startRequests.set(requestId, run);
  const { runId, startedAt: at, deadlineAt } = run;
  const claimed = isNew && request.claim !== null ? { at, deadlineAt } : null;
  return { outcome, runId, status: statusOf(run), ownerId: run.head?.ownerId ?? null, claimed };
}

interface Decision {
  readonly outcome: StartOutcome["outcome"];
  readonly run: StoredRun;
  /** Started by this very request. */
  readonly isNew: boolean;
}

function decide(table: RunTable, request: StartRequest, now: number): Decision {
  const { runId, workflowId, onConflict, mail } = request;
  const repeated = table.get(runId);
  if (repeated !== undefined) return { outcome: "started", run: repeated, isNew: false };

  const latest = table.find({ workflowId });
  if (latest?.closed === null) {
    if (onConflict === "fail") return { outcome: "refused", run: latest, isNew: false };
    if (onConflict === "useExisting") {
      if (mail !== null) putMail(table, latest, mail, now);
      return { outcome: "existing", run: latest, isNew: false };
    }
    const reason = `Run ${runId} was started in its place.`;
    closeFromOutside(table, latest, "terminated", toRecord({ type: "RunTerminated", reason }), now);
  } else if (latest !== undefined && !mayRepeat(request, latest)) {
    return { outcome: "refused", run: latest, isNew: false };
  }
  return { outcome: "started", run: insertRun(table, request, now), isNew: true };
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
  const { runId, mail } = request;
  const run = insertHead(table, { ...request, firstRunId: runId, attempt: 1, mailIds: new Set() }, now);
  // Part of the start, so it does not cut the delay short as mail sent later does.
  if (mail !== null) table.putMail(run, mail);
  return run;
}

type NewRun = Pick<
  StoredRun,
  "runId" | "firstRunId" | "workflowId" | "workflow" | "queue" | "attempt" | "timeoutMs" | "mailIds"
> &
  Pick<StartRequest, "version" | "started" | "carriesData" | "delayMs" | "claim">;

/** A run with its first event and an empty mailbox. */
export function insertHead(table: RunTable, request: NewRun, now: number): StoredRun {
  const {
    runId,
    firstRunId,
    workflowId,
    workflow,
    queue,
    version = null,
    attempt,
    timeoutMs,
    mailIds,
    claim,
  } = request;
  const run = table.insert({
    runId,
    firstRunId,
    workflowId,
    workflow,
    queue,
    attempt,
    version,
    startedAt: now,
    deadlineAt: timeoutMs === null ? null : now + timeoutMs,
    timeoutMs,
    forkedFrom: null,
    history: [],
    tags: [],
    mailbox: [],
    mailIds,
    refusals: new Map(),
    heartbeats: new Map(),
    data: new Map(),
    head: Object.freeze({
      epoch: claim === null ? 0 : 1,
      claimId: claim?.claimId ?? null,
      ownerId: claim?.workerId ?? null,
      takenMail: 0,
      wakeAt: claim === null ? now + request.delayMs : null,
      timer: null,
      crashCount: claim === null ? 0 : 1,
      awaitedLocks: 0,
      blocked: null,
      paused: null,
    }),
    closed: null,
  });
  table.append(run, [request.started], STORE_TAG, now);
  if (request.carriesData === true) table.keepData(run, startedWith(request.started));
  return run;
}
