// Whether an event is as it was written. For showing it, what cannot be read may stand as a note that says why; a copy that
// is kept, or replayed, must not have such notes in the place of facts.

import { EverstepError } from "./errors.ts";
import type { Event, HistoryEvent } from "./event.ts";
import { UNREADABLE_FAILURE } from "./event-record.ts";
import type { Failure } from "./failure.ts";
import type { Payload } from "./payload.ts";
import { whyUnreadable } from "./payload-encoded.ts";

/** Throws PAYLOAD_UNREADABLE for an event with a payload that this process cannot read. */
export function refuseUnreadableEvent(event: HistoryEvent, workflowId: string): void {
  const why = whyUnreadableEvent(event);
  if (why === undefined) return;
  const message = `Event ${event.seq} (${event.type}) of run ${workflowId} cannot be read: ${why}`;
  throw new EverstepError("PAYLOAD_UNREADABLE", message, { details: { workflowId, seq: event.seq } });
}

/** Undefined when it can be read. */
export function whyUnreadableEvent(event: Event): string | undefined {
  const parts = event as { readonly [Part in (typeof PAYLOADS)[number]]?: Payload };
  for (const part of PAYLOADS) {
    const why = whyUnreadable(parts[part] ?? null);
    if (why !== undefined) return why;
  }
  // Elsewhere `details` are words for people.
  if (event.type === "StepReported") return whyUnreadable(event.details);
  const failure = failureIn(event);
  return failure?.type === UNREADABLE_FAILURE ? failure.message : undefined;
}

function failureIn(event: Event): Failure | null | undefined {
  if ("failure" in event) return event.failure;
  if (event.type === "RunContinued") return event.retry?.failure;
  return event.type === "RunStarted" ? event.continues?.retry?.failure : null;
}

const PAYLOADS = ["input", "result", "payload", "heartbeat"] as const;
