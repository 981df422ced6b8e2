// A run's history as a file. The history is read first and the mail after it: what was taken in between stands among the
// mail, so the file is a moment of the run, however long the reading takes.

import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import {
  HISTORY_FORMAT,
  HISTORY_VERSION,
  type HistoryFile,
  type UntakenMail,
} from "../../sdk/protocol/history-file.ts";
import { refuseUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import { refuseUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import { historyPages, mailPages } from "../store/pages.ts";
import type { RunDetail } from "../store/runs.ts";
import type { Store } from "../store/store.ts";

type ExportStore = Pick<Store, "readHistory" | "readMail" | "readUpdates">;

/** Payloads are in plain form. Rejects with PAYLOAD_UNREADABLE where one of them cannot be read. */
export async function exportRun(store: ExportStore, run: RunDetail): Promise<HistoryFile> {
  const { runId, workflow, workflowId, queue, startedAt, closedAt, deadlineAt } = run;
  const events = await readEvents(store, runId);
  for (const record of events) refuseHalfRead(record, workflowId);
  const mail = closedAt === null ? await untakenMail(store, run, takenMailIn(events)) : [];
  return {
    format: HISTORY_FORMAT,
    version: HISTORY_VERSION,
    workflow,
    workflowId,
    runId,
    queue,
    startedAt,
    closedAt,
    deadlineAt,
    events,
    mail,
  };
}

/** All events there are, page by page. */
export async function readEvents(store: Pick<Store, "readHistory">, runId: string): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  for await (const page of historyPages(store, runId, 0)) events.push(...page);
  return events;
}

function refuseHalfRead(record: StoredEvent, workflowId: string): void {
  refuseUnreadable(record.payload, `Event ${record.seq} of run ${workflowId}`);
  const event = fromRecord(record);
  if (event !== undefined) refuseUnreadableEvent(event, workflowId);
}

/** The place in the mailbox of the newest item that these events tell of. */
export function takenMailIn(events: readonly StoredEvent[]): number {
  let taken = 0;
  for (const record of events) {
    // Whichever its type: most of the others are not worth reading.
    const event = record.data?.includes('"mail":') ? fromRecord(record) : undefined;
    if (event !== undefined && "mail" in event) taken = Math.max(taken, event.mail ?? 0);
  }
  return taken;
}

async function untakenMail(
  store: ExportStore,
  { runId, workflowId }: RunDetail,
  taken: number,
): Promise<UntakenMail[]> {
  const found: UntakenMail[] = [];
  for await (const page of mailPages(store, runId, taken)) {
    for (const { mail, payload } of page) refuseUnreadable(payload, `Mail ${mail} of run ${workflowId}`);
    found.push(...page.map(({ mail, kind, mailId, name, payload }) => ({ mail, kind, mailId, name, payload })));
  }
  // No event tells that an update was refused: it is out of the mailbox all the same, and was answered.
  const updates = found.filter(({ kind }) => kind === "update");
  const traces = await store.readUpdates(updates.map(({ mailId }) => ({ runId, mailId, after: 0 })));
  const refused = new Set(updates.filter((_, index) => traces[index]?.refusal != null));
  // Who waits for the run waits for it here.
  return found.filter((item) => !refused.has(item) && item.kind !== "adopt");
}
