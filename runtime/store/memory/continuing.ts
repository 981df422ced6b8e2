// A run that goes on as a new one: made in the same stroke that has closed the run before it, whose unused mail moves over.

import { KINDS_OF_ONE_RUN } from "../errands.ts";
import { CANCEL_MAIL_ID } from "../mail-id.ts";
import type { Successor } from "../turns.ts";
import { nextVersion, startedAs } from "../versions.ts";
import type { RunTable } from "./run-table.ts";
import { insertHead } from "./starting.ts";
import type { StoredRun } from "./stored-run.ts";
import type { Versions } from "./versions.ts";

export function succeed(
  table: RunTable,
  versions: Versions,
  previous: StoredRun,
  next: Successor,
  takenMail: number,
  now: number,
): void {
  const { firstRunId, workflowId, mailIds } = previous;
  const version =
    next.version === undefined ? previous.version : nextVersion(next.version, versions.of(next.workflow, now));
  const started = startedAs(next.started, version);
  const moving = previous.mailbox
    .filter((item) => item !== null)
    .filter(
      ({ mail, kind }) =>
        !KINDS_OF_ONE_RUN.includes(kind) &&
        (mail > takenMail || (next.passedOn.includes(mail) && !previous.refusals.has(mail))),
    );
  // A cancel request that was obeyed must not stand in the way of one to the next run.
  if (!moving.some(({ kind }) => kind === "cancel")) mailIds.delete(CANCEL_MAIL_ID);
  const staying = previous.mailbox.filter((item) => item === null || !moving.includes(item));
  previous.mailbox.splice(0, previous.mailbox.length, ...staying);
  const { attempt = 1, delayMs = 0 } = next.retry ?? {};
  const { deadlineAt } = previous;
  const timeoutMs = next.retry === undefined || deadlineAt === null ? next.timeoutMs : deadlineAt - now;
  const chained = { version, started, firstRunId, workflowId, mailIds, attempt, delayMs, timeoutMs, claim: null };
  const run = insertHead(table, { ...next, ...chained }, now);
  for (const item of moving) table.putMail(run, item);
}
