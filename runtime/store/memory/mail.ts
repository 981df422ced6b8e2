// The mailboxes: accepted once, in order, by open runs only. A run keeps the ids of its mail for ever, so that a
// sender who asks again after the close still learns that its first try was accepted.

import type { MailItem, MailOutcome, MailRequest } from "../mail.ts";
import type { RunTable } from "./run-table.ts";
import { isToBeRetried, type StoredRun } from "./stored-run.ts";

export function sendMail(table: RunTable, request: MailRequest, now: number): MailOutcome {
  const run = table.find(request.to);
  if (run === undefined) {
    return { outcome: "notFound", mail: null, runId: null, queue: null, ownerId: null, events: 0 };
  }
  const outcome = putMail(table, run, request, now);
  const isAccepted = outcome === "accepted";
  return {
    outcome,
    mail: isAccepted ? run.mailbox.length : null,
    runId: run.runId,
    queue: run.queue,
    ownerId: run.head?.ownerId ?? null,
    events: isAccepted ? run.history.length : 0,
  };
}

export function putMail(
  table: RunTable,
  run: StoredRun,
  item: Omit<MailItem, "mail" | "runId">,
  now: number,
): "accepted" | "duplicate" | "closed" {
  if (run.mailIds.has(item.mailId)) return "duplicate";
  if (run.closed !== null) return "closed";
  table.putMail(run, item);
  // Mail does not shorten the pause before another attempt. Who wants the run to stop does not wait for it.
  if (item.kind === "cancel" || !isToBeRetried(run)) table.wake(run, now);
  return "accepted";
}
