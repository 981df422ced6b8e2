// What a run says to people who look at it: notes, which stay in its history, and details of the moment, which do not.

import { EverstepError } from "../protocol/errors.ts";
import {
  cutText,
  isNoteLevel,
  MAX_DETAILS_BYTES,
  MAX_NOTE_BYTES,
  NOTE_LEVELS,
  type NoteLevel,
} from "../protocol/notes.ts";
import { requireRun } from "./ambient.ts";

/**
 * Leaves a line for people in the run's history: what it has come to, or what is odd about it. `level` is "info" (the
 * default), "warn" or "error". Waits for nothing. A text of more than 2,000 bytes is cut. Each note is an event, compared at
 * replay: another text or level is a divergence. What is for the log of the process belongs into `log`.
 *
 * Throws ARGUMENT_INVALID for another level, or a text that is none or empty; OUTSIDE_WORKFLOW where no run is;
 * COMMAND_IN_READ_ONLY in a query handler or a condition.
 */
export function note(text: string): void;
export function note(level: NoteLevel, text: string): void;
export function note(...given: [text: string] | [level: NoteLevel, text: string]): void {
  const { run } = requireRun("note()");
  const [level, text] = given.length === 1 ? (["info", given[0]] as const) : given;
  if (!isNoteLevel(level)) throw invalid("level", `one of ${NOTE_LEVELS.join(", ")}`, level);
  if (typeof text !== "string" || text === "") throw invalid("text", "a text that is not empty", text);
  run.note(level, cutText(text, MAX_NOTE_BYTES));
}

/**
 * Sets what `describe` shows as the run's current details, in Markdown; "" takes them away. No event tells of it: it is
 * state of the code, which replay brings back. A text of more than 20,000 bytes is cut.
 *
 * Throws ARGUMENT_INVALID for what is no text; OUTSIDE_WORKFLOW where no run is; COMMAND_IN_READ_ONLY in a query handler or a
 * condition.
 */
export function setCurrentDetails(markdown: string): void {
  const { run } = requireRun("setCurrentDetails()");
  if (typeof markdown !== "string") throw invalid("markdown", "a text", markdown, "setCurrentDetails");
  run.setCurrentDetails(cutText(markdown, MAX_DETAILS_BYTES));
}

function invalid(argument: string, wanted: string, got: unknown, caller = "note"): EverstepError {
  const shown = typeof got === "string" ? JSON.stringify(got) : String(got);
  return new EverstepError("ARGUMENT_INVALID", `${caller}() takes ${wanted} as its ${argument}; got ${shown}.`, {
    details: { argument },
  });
}
