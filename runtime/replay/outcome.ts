// How the code of a run ended: of itself, and held against what history says.

import type { HistoryEvent, RunCanceled, RunCompleted, RunContinued, RunFailed } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { isCanceled, toFailure } from "../../sdk/protocol/failures.ts";
import { encodePayload, hashPayload, type Payload } from "../../sdk/protocol/payload.ts";
import { isContinueAsNew, type NextRun } from "../../sdk/workflow/continue-as-new.ts";

export type Outcome =
  | { readonly type: "completed"; readonly result: Payload }
  /** `error`: what was thrown. */
  | { readonly type: "failed"; readonly failure: Failure; readonly error: unknown }
  | { readonly type: "canceled"; readonly failure: Failure }
  | { readonly type: "continued"; readonly next: NextRun & { readonly workflow: string } };

export type EndEvent = HistoryEvent & (RunCompleted | RunFailed | RunCanceled | RunContinued);

const ENDS = {
  RunCompleted: "completed",
  RunFailed: "failed",
  RunCanceled: "canceled",
  RunContinued: "continued",
} as const;

// A run that failed and is tried again ends by what tells of the next one.
function endOf(event: EndEvent): Outcome["type"] {
  return event.type === "RunContinued" && event.retry !== undefined ? "failed" : ENDS[event.type];
}

/** The main function returned. */
export function returned(result: unknown, workflow: string): Outcome {
  try {
    return { type: "completed", result: encodePayload(result, `result of workflow "${workflow}"`) };
  } catch (error) {
    return { type: "failed", failure: toFailure(error), error };
  }
}

/** The main function threw. `isCancelRequested`: the run was told to cancel before. */
export function threw(error: unknown, workflow: string, isCancelRequested: boolean): Outcome {
  if (isContinueAsNew(error)) {
    return { type: "continued", next: { ...error.next, workflow: error.next.workflow ?? workflow } };
  }
  const failure = toFailure(error);
  return isCancelRequested && isCanceled(error) ? { type: "canceled", failure } : { type: "failed", failure, error };
}

/**
 * What the code did instead of what history says; undefined when that is the same. Failures are not compared: their stacks
 * differ from release to release.
 */
export function differenceFrom(event: EndEvent, outcome: Outcome): string | undefined {
  if (endOf(event) !== outcome.type) return `the code ended as ${outcome.type}`;
  if (event.type === "RunCompleted" && outcome.type === "completed" && event.result !== outcome.result) {
    return "the code returned another result";
  }
  if (event.type !== "RunContinued" || outcome.type !== "continued") return undefined;
  const { workflow, input } = outcome.next;
  if (event.workflow !== workflow) return `the code continued as workflow "${workflow}"`;
  return hashPayload(event.input) === hashPayload(input) ? undefined : "the code continued with another input";
}
