// A history as the store has it, read for a run: all of it, or why the run cannot be built on it. A payload that is no value
// here blocks the run, wherever it is: nothing may be built on it, and none written of it.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { whyUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import { whyUnreadableEvent } from "../../sdk/protocol/readable-event.ts";
import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { LoadedHistory } from "../store/claims.ts";
import { sizeOf } from "./outbox.ts";

/** `bytes`: roughly what the run keeps of it in memory. */
export type ReadHistory =
  | { readonly events: readonly HistoryEvent[]; readonly bytes: number }
  | { readonly blocked: BlockedReason };

export function readHistory(workflowId: string, { events: stored, heartbeats }: LoadedHistory): ReadHistory {
  const events: HistoryEvent[] = [];
  let bytes = 0;
  for (const { details } of heartbeats) {
    const blocked = unreadable(details, workflowId, "a heartbeat");
    if (blocked !== undefined) return { blocked };
  }
  for (const record of stored) {
    const blocked = unreadable(record.payload, workflowId, `event ${record.seq}`);
    if (blocked !== undefined) return { blocked };
    const event = fromRecord(record);
    if (event === undefined) {
      const message = `Run ${workflowId} has an event of a type (${record.type}, seq ${record.seq}) that this release does not know. Deploy the release that wrote it, or a newer one.`;
      return { blocked: { kind: "divergence", message } };
    }
    // These have a payload more among their data.
    if (event.type === "StepAttemptFailed" || event.type === "RunStarted") {
      const why = whyUnreadableEvent(event);
      if (why !== undefined) return { blocked: reasonOf(why, workflowId, `event ${event.seq}`) };
    }
    bytes += sizeOf(record);
    events.push(event);
  }
  return { events, bytes };
}

/** Why the run is blocked by a payload; undefined when it can be read. */
export function unreadable(payload: Payload, workflowId: string, where: string): BlockedReason | undefined {
  const why = whyUnreadable(payload);
  return why === undefined ? undefined : reasonOf(why, workflowId, where);
}

function reasonOf(why: string, workflowId: string, where: string): BlockedReason {
  return { kind: "unreadablePayload", message: `Run ${workflowId}, ${where}: ${why}` };
}
