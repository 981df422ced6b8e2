// What may be a name or an id. They go into keys, logs, URLs and terminals: no control characters, nothing that is not
// Unicode text, nothing endless.

import { EverstepError } from "./errors.ts";

/** Longest name of a workflow, step, signal, query or queue, in UTF-16 units. */
export const MAX_NAME_LENGTH = 200;
/** Longest workflow id, in UTF-16 units. */
export const MAX_WORKFLOW_ID_LENGTH = 1_000;

/** Refuses what cannot name a workflow, step, signal, query or queue. `what` names the argument. Throws ARGUMENT_INVALID. */
export function assertName(name: unknown, what: string): asserts name is string {
  check(name, what, MAX_NAME_LENGTH);
}

/** Refuses what cannot be a workflow id. `what` names the argument. Throws ARGUMENT_INVALID. */
export function assertWorkflowId(id: unknown, what: string): asserts id is string {
  check(id, what, MAX_WORKFLOW_ID_LENGTH);
}

// Control characters (C0, DEL, C1) and, in this mode, surrogates without their other half.
const REFUSED = /[\p{Cc}\p{Cs}]/u;

function check(text: unknown, what: string, maxLength: number): void {
  if (typeof text !== "string") {
    refuse(what, `must be a string; got ${text === null ? "null" : typeof text}`);
  }
  if (text === "") refuse(what, "must not be empty");
  if (text.length > maxLength) refuse(what, `is ${text.length} characters long; at most ${maxLength} are allowed`);
  const position = text.search(REFUSED);
  if (position === -1) return;
  const unit = text.charCodeAt(position);
  const kind = unit >= 0xd800 ? "half a surrogate pair" : "a control character";
  const shown = `U+${unit.toString(16).toUpperCase().padStart(4, "0")}`;
  refuse(what, `holds ${kind} (${shown} at position ${position}), which is not allowed`);
}

function refuse(what: string, why: string): never {
  throw new EverstepError("ARGUMENT_INVALID", `${what} ${why}.`, { details: { argument: what } });
}
