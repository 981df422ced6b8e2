// What cuts waits of a run short, as it travels through the mailbox: mail of the kind that the request is, with the waits that
// are meant. Which those are was looked up in the history when it was sent; by the time the run comes to it they may be over.

import type { RepairRequest } from "../../sdk/protocol/event.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";

export interface Wait {
  readonly command: number;
  /** Of a step: the attempt that it waits to make. */
  readonly attempt?: number;
}

/** Nothing of it is the user's: it goes through no codec. */
export function encodeWaits(waits: readonly Wait[]): Payload {
  return JSON.stringify(
    waits.map(({ command, attempt }) => (attempt === undefined ? { command } : { command, attempt })),
  );
}

/** It was written by `encodeWaits`, or came with a file: what is no wait there is none. */
export function decodeWaits(payload: Payload): readonly Wait[] {
  const waits: unknown = JSON.parse(payload ?? "[]");
  return Array.isArray(waits) ? waits.filter((wait) => typeof wait?.command === "number") : [];
}

export function repairMailId(request: RepairRequest, requestId: string): string {
  return `${request}:${requestId}`;
}

/** The sender's id of a request in the mailbox. */
export function requestIdOf(mailId: string): string {
  return mailId.slice(mailId.indexOf(":") + 1);
}
