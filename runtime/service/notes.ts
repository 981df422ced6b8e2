// What a run and its starter said to people, read from the history for whoever describes it.

import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { RunNote } from "../../sdk/protocol/notes.ts";
import type { RunDetail, Store } from "../store/store.ts";

const MOST_SHOWN = 10;

/** The last ones, oldest first. */
export async function readNotes(store: Pick<Store, "readEventsOfType">, { runId }: RunDetail): Promise<RunNote[]> {
  const found = await store.readEventsOfType([runId], EVENT_CODES.RunNoted, MOST_SHOWN);
  return (found.get(runId) ?? []).flatMap((stored) => {
    const event = fromRecord(stored);
    if (event?.type !== "RunNoted") return [];
    const { seq, at, name: level, text } = event;
    return [{ seq, at, level, text }];
  });
}

export async function readDetails(
  store: Pick<Store, "readHistory">,
  { runId, data }: RunDetail,
): Promise<string | null> {
  if (data.summary === undefined) return null;
  const [first] = await store.readHistory(runId, 0, 1);
  const event = first === undefined ? undefined : fromRecord(first);
  return event?.type === "RunStarted" ? (event.details ?? null) : null;
}
