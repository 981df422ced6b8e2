// What a run says to people: notes as it goes on, details of the moment, and what its starter said of it. No code decides by
// them, so what is too long for its place is cut in workflow code instead of failing the run.

import { EverstepError } from "./errors.ts";

export const NOTE_LEVELS = ["info", "warn", "error"] as const;
export type NoteLevel = (typeof NOTE_LEVELS)[number];

/** A note as `describe` tells it. */
export interface RunNote {
  /** Of its event. */
  readonly seq: number;
  /** Ms since the epoch, by the database's clock. */
  readonly at: number;
  readonly level: NoteLevel;
  readonly text: string;
}

/** All in bytes of UTF-8. */
export const MAX_NOTE_BYTES = 2_000;
export const MAX_SUMMARY_BYTES = 400;
export const MAX_DETAILS_BYTES = 20_000;

export function isNoteLevel(level: unknown): level is NoteLevel {
  return NOTE_LEVELS.some((known) => known === level);
}

/** The text, or as much of its beginning as fits with a mark that there was more; no character is cut in two. */
export function cutText(text: string, maxBytes: number): string {
  // No character takes less than a byte per unit: most texts need not be counted.
  if (text.length * 3 <= maxBytes || Buffer.byteLength(text) <= maxBytes) return text;
  let kept = "";
  let bytes = Buffer.byteLength(CUT);
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept + CUT;
}

const CUT = "…";

/** Throws ARGUMENT_INVALID for what is no text, is empty, or takes more bytes. */
export function assertShortText(text: unknown, maxBytes: number, what: string): asserts text is string {
  const bytes = typeof text === "string" ? Buffer.byteLength(text) : 0;
  if (bytes > 0 && bytes <= maxBytes) return;
  const got = typeof text === "string" ? `${bytes} bytes` : typeof text;
  const message = `${what} takes a text of 1 to ${maxBytes} bytes; got ${got}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}

/**
 * A summary that workflow code gives: cut where it is too long, undefined where it is empty, as one made of a name may be. Throws
 * ARGUMENT_INVALID for what is no text.
 */
export function cutSummary(summary: unknown, what: string): string | undefined {
  if (summary === undefined || summary === "") return undefined;
  if (typeof summary === "string") return cutText(summary, MAX_SUMMARY_BYTES);
  const message = `${what} takes a text; got ${summary === null ? "null" : typeof summary}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}
