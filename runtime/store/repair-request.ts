// What cuts waits of a run short, as it travels through the mailbox: mail of the kind that the request is, with the waits that
// are meant, and who asked. Which those are was looked up in the history when it was sent; by the time the run comes to it they
// may be over.

import type { RepairRequest } from "../../sdk/protocol/event.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { ActedBy } from "./acted-by.ts";

export interface Wait {
  readonly command: number;
  /** Of a step: the attempt that it waits to make. */
  readonly attempt?: number;
}

/**
 * Nothing of it is the user's: it goes through no codec. Who asked stands last in the list, where releases that know nothing
 * of it see no wait.
 */
export function encodeWaits(waits: readonly Wait[], { actor }: ActedBy = {}): Payload {
  const each = waits.map(({ command, attempt }) => (attempt === undefined ? { command } : { command, attempt }));
  return JSON.stringify(actor === undefined ? each : [...each, { actor }]);
}

/** It was written by `encodeWaits`, or came with a file: what is no wait there is none. */
export function decodeWaits(payload: Payload): { readonly waits: readonly Wait[] } & ActedBy {
  const list: unknown = JSON.parse(payload ?? "[]");
  if (!Array.isArray(list)) return { waits: [] };
  const actor: unknown = list.at(-1)?.actor;
  const waits = list.filter((wait) => typeof wait?.command === "number");
  return typeof actor === "string" ? { waits, actor } : { waits };
}

export function repairMailId(request: RepairRequest, requestId: string): string {
  return `${request}:${requestId}`;
}

/** The sender's id of a request in the mailbox. */
export function requestIdOf(mailId: string): string {
  return mailId.slice(mailId.indexOf(":") + 1);
}
