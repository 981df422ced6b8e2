// A run made of the first events of another.

import { terminationRecord } from "../acted-by.ts";
import type { ForkOutcome, ForkRequest } from "../store.ts";
import type { RunTable } from "./run-table.ts";
import { closeFromOutside, STORE_TAG } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";

export function forkRun(table: RunTable, request: ForkRequest, now: number): ForkOutcome {
  const { sourceId, runId, workflowId, terminates, actor } = request;
  const source = table.get(sourceId);
  if (table.get(runId) !== undefined) return { outcome: "forked", runId };
  if (source === undefined) return { outcome: "notFound", runId: sourceId };
  const latest = table.find({ workflowId });
  const isFreed = latest === source && terminates !== null;
  if (latest?.closed === null && !isFreed) return { outcome: "refused", runId: latest.runId };
  if (terminates !== null && source.closed === null) {
    closeFromOutside(table, source, "terminated", terminationRecord(terminates, actor), now);
  }
  const fork = insertFork(table, source, request, now);
  for (const { seq, at, ...record } of source.history.slice(0, request.at)) {
    table.append(fork, [seq === request.at ? (request.edited ?? record) : record], STORE_TAG, at);
  }
  table.append(fork, [request.forked], STORE_TAG, now);
  table.keepData(fork, request.data);
  return { outcome: "forked", runId };
}

function insertFork(table: RunTable, source: StoredRun, request: ForkRequest, now: number): StoredRun {
  const { runId, workflowId, at, takenMail, keepsSignals, timeoutMs } = request;
  const fork = table.insert({
    runId,
    firstRunId: runId,
    workflowId,
    workflow: source.workflow,
    queue: source.queue,
    attempt: source.attempt,
    version: request.version ?? null,
    startedAt: now,
    deadlineAt: timeoutMs === null ? null : now + timeoutMs,
    timeoutMs,
    forkedFrom: Object.freeze({ runId: source.runId, event: at }),
    history: [],
    tags: [],
    mailbox: [],
    mailIds: new Set(),
    refusals: new Map([...source.refusals].filter(([mail]) => mail <= takenMail)),
    heartbeats: new Map(),
    data: new Map(),
    head: Object.freeze({
      epoch: 0,
      claimId: null,
      ownerId: null,
      takenMail: 0,
      wakeAt: now,
      crashCount: 0,
      blocked: null,
      paused: null,
    }),
    closed: null,
  });
  for (const item of source.mailbox) {
    if (item === null) fork.mailbox.push(null);
    else if (item.mail <= takenMail || (keepsSignals && item.kind === "signal")) table.putMail(fork, item);
  }
  table.change(fork, { takenMail });
  return fork;
}
