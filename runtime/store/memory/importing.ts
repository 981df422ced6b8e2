// Runs that were started elsewhere come in whole.

import { changesIn, startedWith } from "../run-data.ts";
import type { ImportOutcome, ImportRequest } from "../starts.ts";
import type { RunTable } from "./run-table.ts";
import type { StoredRun } from "./stored-run.ts";

export function importRun(table: RunTable, request: ImportRequest, now: number): ImportOutcome {
  const { runId, workflowId, workflow, queue, version = null, attempt, startedAt, deadlineAt, closed } = request;
  const { events, mail, takenMail, tag } = request;
  const known = table.get(runId);
  if (known !== undefined) return known.tags[0] === tag ? "imported" : "runExists";
  if (closed === null && table.find({ workflowId })?.closed === null) return "workflowIdOpen";
  const [started] = events;
  const run = table.insertStartedElsewhere({
    runId,
    firstRunId: runId,
    forkedFrom: null,
    workflowId,
    workflow,
    queue,
    attempt,
    version,
    startedAt,
    deadlineAt,
    timeoutMs: deadlineAt === null ? null : deadlineAt - startedAt,
    history: events.map((event) => Object.freeze({ ...event })),
    tags: events.map(() => tag),
    mailbox: mailboxOf(runId, mail, takenMail),
    mailIds: new Set(mail.map(({ mailId }) => mailId)),
    refusals: new Map(),
    heartbeats: new Map(),
    data: new Map(),
    head:
      closed === null
        ? Object.freeze({
            epoch: 0,
            claimId: null,
            ownerId: null,
            takenMail,
            wakeAt: now,
            timer: null,
            crashCount: 0,
            awaitedLocks: 0,
            blocked: null,
            paused: null,
          })
        : null,
    closed: closed === null ? null : Object.freeze({ ...closed }),
  });
  if (started !== undefined) table.keepData(run, [...startedWith(started), ...changesIn(events)]);
  return "imported";
}

/** Each at its place, with nothing where a refused update was, or what has been taken and needs not be known again. */
function mailboxOf(runId: string, mail: ImportRequest["mail"], takenMail: number): StoredRun["mailbox"] {
  const mailbox: StoredRun["mailbox"] = [];
  for (const item of mail) {
    while (mailbox.length < item.mail - 1) mailbox.push(null);
    mailbox.push(Object.freeze({ runId, ...item }));
  }
  // What comes next stands behind all that was taken, or it would never be.
  while (mailbox.length < takenMail) mailbox.push(null);
  return mailbox;
}
