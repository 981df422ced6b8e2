// The code no longer fits the history. Said with both sides, so that whoever reads it knows what to change.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";

export interface Divergence {
  readonly workflowId: string;
  readonly event: HistoryEvent;
  /** What history says, as a short noun phrase. */
  readonly recorded: string;
  /** What the code did instead. */
  readonly asked: string;
  /** Where the code asked for it: a stack line, when call sites were recorded. */
  readonly site: string | undefined;
}

export function divergenceError(divergence: Divergence): EverstepError {
  const { workflowId, event, recorded, asked, site } = divergence;
  const where = site === undefined ? "" : ` (at ${site})`;
  return new EverstepError(
    "DIVERGENCE",
    `Run ${workflowId} replayed differently. Event ${event.seq} is ${recorded}; ${asked}${where}. ` +
      "Its history is untouched: deploy code that fits it and the run goes on.",
    { details: { workflowId, seq: event.seq, recorded, asked, ...(site === undefined ? {} : { site }) } },
  );
}

export function describeEvent(event: HistoryEvent): string {
  if ("command" in event) return `${event.type}("${event.name}") for command ${event.command}`;
  if (event.type === "PatchMarked") return `PatchMarked("${event.name}"), asked for after event ${event.since}`;
  if (event.type === "CompensationBegun") return `CompensationBegun, of what was done after event ${event.since}`;
  return "name" in event ? `${event.type}("${event.name}")` : event.type;
}

/** The first line of a stack that is the author's code: neither ours nor Node's, nor that of an interceptor in between. */
export function callSite(stack: string | undefined): string | undefined {
  const lines = (stack ?? "").split("\n").slice(1);
  const isAuthors = (line: string) => !OURS.test(line) && !line.includes("node:");
  const asked = lines.slice(lines.findLastIndex((line) => AROUND.test(line)) + 1);
  const site = asked.find(isAuthors) ?? lines.find(isAuthors);
  return site?.trim().replace(/^at\s+/, "");
}

/** Of whoever calls it, deep enough to reach past interceptors to the author's call. */
export function deepStack(): string | undefined {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = 60;
  const { stack } = new Error();
  Error.stackTraceLimit = stackTraceLimit;
  return stack;
}

// The frames between an author's call and the engine: this folder and the workflow functions, as source or as built.
const OURS = /[\\/](?:runtime[\\/]replay|sdk[\\/](?:workflow|protocol))[\\/]/;
// What calls interceptors: the author's call is below its last frame.
const AROUND = /[\\/]runtime[\\/]replay[\\/]asking-hooks\./;
