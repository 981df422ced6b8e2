// Who changes a run from outside, as it is kept: in the event of a termination, and on its way through the mailbox as the
// payload of mail that has no other. It is no value of the user's, and goes through no codec.

import { type EventRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";

/** Absent where the call did not say. */
export interface ActedBy {
  readonly actor?: string;
}

/** Null where nobody is named: the mail is as it would be without this. */
export function encodeActor(actor: string | undefined): Payload {
  return actor === undefined ? null : JSON.stringify({ actor });
}

/** The RunTerminated record of a run that somebody ends. */
export function terminationRecord(reason: string, actor: string | undefined): EventRecord {
  return toRecord({ type: "RunTerminated", reason, ...(actor !== undefined && { actor }) });
}

/** It was written by `encodeActor`, or came with a file: what names nobody is passed over. */
export function actedBy(payload: Payload): ActedBy {
  if (payload === null) return {};
  const { actor } = (JSON.parse(payload) ?? {}) as { readonly actor?: unknown };
  return typeof actor === "string" ? { actor } : {};
}
