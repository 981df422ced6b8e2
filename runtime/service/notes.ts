// What a run and its starter said to people, and why it is tried again, read from the history for whoever describes it.

import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { RunNote } from "../../sdk/protocol/notes.ts";
import type { RunDetail } from "../store/runs.ts";
import type { Store } from "../store/store.ts";

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

/** What its first event tells of a run, where lists tell that there is something. */
export async function readBeginning(
  store: Pick<Store, "readHistory">,
  { runId, data, attempt }: RunDetail,
): Promise<{ readonly staticDetails: string | null; readonly lastFailure: Failure | null }> {
  const [first] = data.summary === undefined && attempt === 1 ? [] : await store.readHistory(runId, 0, 1);
  const event = first === undefined ? undefined : fromRecord(first);
  if (event?.type !== "RunStarted") return { staticDetails: null, lastFailure: null };
  return { staticDetails: event.details ?? null, lastFailure: event.continues?.retry?.failure ?? null };
}
