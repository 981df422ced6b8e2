// What must be the same of a run whenever and wherever it is executed: which events, with which names, numbers and values.
// Not when they happened, nor where an error's stack lay.

import { isDeepStrictEqual } from "node:util";
import type { ShownEvent } from "../../sdk/client/front-door.ts";
import { isWebhookStep, withoutWebhookId } from "../../sdk/protocol/webhook.ts";

export type Shape = Readonly<Record<string, unknown>>;

/** Says when, not what, is drawn anew for each run or attempt, or names a run that got its id by chance. */
const MOMENTS = ["at", "seq", "seed", "firstAttemptAt", "startedAt", "delayMs", "verifier"];
/** Counted over all runs of a database. */
const TOKENS = ["fencingToken"];
const RUN_IDS = ["nextRunId", "childRunId", "childWorkflowId", "continues", "parent", "root"];
const PASSING = new Set([...MOMENTS, ...TOKENS, ...RUN_IDS]);

export function shapeOf(event: ShownEvent): Shape {
  return Object.fromEntries(
    Object.entries(event)
      .filter(([key, value]) => !isPassing(event, key) && value !== undefined)
      .map(([key, value]) => [key, steady(event, key, value)]),
  );
}

/** A webhook's token is drawn anew by each execution, and names the signals by which it is delivered to. */
function steady({ type, name }: ShownEvent & { readonly name?: string }, key: string, value: unknown): unknown {
  if (key === "failure") return withoutStack(value);
  if (type === "StepCompleted" && key === "result" && isWebhookStep(name ?? "")) return "a token";
  return (key === "name" || key === "signalId") && typeof value === "string" ? withoutWebhookId(value) : value;
}

/** The hash of mail covers whom it is for, which may be a child. */
function isPassing({ type }: ShownEvent, key: string): boolean {
  return PASSING.has(key) || (type === "ExternalRequested" && key === "inputHash");
}

function withoutStack(failure: unknown): unknown {
  if (typeof failure !== "object" || failure === null) return failure;
  const { stack: _, cause, ...rest } = failure as { stack?: string; cause?: unknown };
  return cause === undefined ? rest : { ...rest, cause: withoutStack(cause) };
}

/** How the run ended. */
export function outcomeOf(events: readonly ShownEvent[]): Shape {
  const last = events.at(-1);
  return last === undefined ? {} : shapeOf(last);
}

/**
 * How its steps ended, whichever came first and whatever their numbers: a crash may change who is asked first, where the
 * workflow goes by that. One line for each, in the order of the lines.
 */
export function stepsOf(events: readonly ShownEvent[]): string[] {
  return events
    .filter(({ type }) => type === "StepCompleted" || type === "StepFailed")
    .map((event) => {
      const { command: _, ...shape } = shapeOf(event);
      return wordsOf(shape);
    })
    .sort();
}

/** The first line of `left` and of `right` that the other has not, as often. */
export function firstDifference(left: readonly string[], right: readonly string[]): [string, string] | undefined {
  const [missing] = without(left, right);
  const [added] = without(right, left);
  if (missing === undefined && added === undefined) return undefined;
  return [missing ?? "nothing more", added ?? "nothing more"];
}

function without(lines: readonly string[], taken: readonly string[]): string[] {
  const left = [...taken];
  return lines.filter((line) => {
    const index = left.indexOf(line);
    if (index >= 0) left.splice(index, 1);
    return index < 0;
  });
}

export const isSame = (left: unknown, right: unknown): boolean => isDeepStrictEqual(left, right);

const LONGEST_VALUE = 200;

/** One line on one event: `StepCompleted "charge", attempt 2: "ch_1"`. */
export function wordsOf(event: Shape): string {
  const { type, name, attempt, result, failure, payload, reason } = event;
  const value = failure === undefined ? (result ?? payload ?? reason) : messageOf(failure);
  const named = typeof name === "string" ? ` "${name}"` : "";
  const tried = typeof attempt === "number" && attempt > 1 ? `, attempt ${attempt}` : "";
  const valued = value === undefined || value === null ? "" : `: ${short(String(value))}`;
  return `${String(type)}${named}${tried}${valued}`;
}

function messageOf(failure: unknown): string {
  const { type, message, cause } = failure as { type?: string; message?: string; cause?: unknown };
  const because = cause === undefined ? "" : ` (${messageOf(cause)})`;
  return `${type}: ${message}${because}`;
}

function short(text: string): string {
  return text.length <= LONGEST_VALUE ? text : `${text.slice(0, LONGEST_VALUE)}…`;
}
