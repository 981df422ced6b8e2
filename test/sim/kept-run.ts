// All that the store keeps of a run, read while it is there: what is deleted is checked at the end like all else.

import type { RunDetail } from "../../runtime/store/runs.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";

export interface KeptRun {
  readonly detail: RunDetail;
  readonly stored: readonly StoredEvent[];
  /** Ids of everything that was put into the mailbox, in order. */
  readonly mail: readonly string[];
  /** Updates that were taken out of the mailbox without an event, by their mail ids. */
  readonly refused: ReadonlyMap<string, UpdateRefusal>;
}

/** Null: there is no such run. */
export async function readKept(store: Store, runId: string): Promise<KeptRun | null> {
  const detail = await store.findRun({ runId });
  if (detail === null) return null;
  const all = Number.MAX_SAFE_INTEGER;
  const stored = await store.readHistory(runId, 0, all);
  const mail = (await store.readMail([{ runId, after: 0 }], all)).map(({ mailId }) => mailId);
  const traces = await store.readUpdates(mail.map((mailId) => ({ runId, mailId, after: 0 })));
  const refused = traces.flatMap(({ refusal }, index): [string, UpdateRefusal][] =>
    refusal === null ? [] : [[mail[index] ?? "", refusal]],
  );
  return { detail, stored, mail, refused: new Map(refused) };
}
