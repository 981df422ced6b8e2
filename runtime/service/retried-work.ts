// What `retryFrom` goes back to: the end of a step, or of a child.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type {
  ChildEnded,
  ChildStartFailed,
  HistoryEvent,
  StepCompleted,
  StepFailed,
} from "../../sdk/protocol/event.ts";
import type { RunDetail } from "../store/runs.ts";

export type WorkEnd = HistoryEvent & (StepCompleted | StepFailed | ChildEnded | ChildStartFailed);

/**
 * The last end of the step, or of the child, of this name, a child's workflow id being a name of it, too. Null: of what failed
 * last. Throws ARGUMENT_INVALID when there is none.
 */
export function endToRetry(source: RunDetail, events: readonly HistoryEvent[], name: string | null): WorkEnd {
  const ids = new Map(
    events.flatMap((event) => (event.type === "ChildRequested" ? [[event.command, event.childWorkflowId]] : [])),
  );
  const isMeant = (end: WorkEnd) =>
    name === null ? hasFailed(end) : end.name === name || (!isOfStep(end) && ids.get(end.command) === name);
  const end = events.findLast((event): event is WorkEnd => isEnd(event) && isMeant(event));
  if (end !== undefined) return end;
  const { workflowId, runId } = source;
  const message =
    name === null ? nothingFailed(source, events) : `No step or child "${name}" of run ${workflowId} has ended.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { runId, argument: "step" } });
}

function nothingFailed({ workflowId }: RunDetail, events: readonly HistoryEvent[]): string {
  const what = `No step or child of run ${workflowId} has failed`;
  const last = events.at(-1);
  if (last?.type !== "RunFailed") return `${what}. Name the one to go back to, or an event: reset({ at }).`;
  const { type, message } = last.failure;
  return `${what}: its own code did (${type}: ${message}). reset() goes on from its last event, with the code as it is now.`;
}

function isEnd(event: HistoryEvent): event is WorkEnd {
  return isOfStep(event) || event.type === "ChildEnded" || event.type === "ChildStartFailed";
}

function isOfStep(event: HistoryEvent): event is HistoryEvent & (StepCompleted | StepFailed) {
  return event.type === "StepCompleted" || event.type === "StepFailed";
}

function hasFailed(end: WorkEnd): boolean {
  return end.type === "ChildEnded" ? end.failure !== null : end.type !== "StepCompleted";
}
