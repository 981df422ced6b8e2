// Code that something outside its run's history wakes, or would have to: a run cannot go on from there, since no replay
// would get there again.

import { EverstepError } from "../../sdk/protocol/errors.ts";

interface NamedRun {
  readonly runId: string;
  readonly workflowId: string;
}

export function askedFromOutside({ runId, workflowId }: NamedRun, caller: string): EverstepError {
  const message = `${caller} was asked for by code of run ${workflowId} that something outside its history woke. Whatever it waited for belongs in a step.`;
  return new EverstepError("FOREIGN_WAIT", message, { details: { runId, caller } });
}

export function endedFromOutside({ runId, workflowId }: NamedRun): EverstepError {
  const message = `Run ${workflowId} was ended by something outside its history. Whatever its code waited for last belongs in a step.`;
  return new EverstepError("FOREIGN_WAIT", message, { details: { runId } });
}

export function updateEndedFromOutside({ runId, workflowId }: NamedRun, update: string): EverstepError {
  const message = `The handler of update "${update}" of run ${workflowId} was ended by something outside the run's history. Whatever it waited for last belongs in a step.`;
  return new EverstepError("FOREIGN_WAIT", message, { details: { runId } });
}

/** `whereabouts`: how far the code got. */
export function waitsForNothingKnown({ runId, workflowId }: NamedRun, whereabouts: string): EverstepError {
  const message = `Run ${workflowId} waits for something that is no step, timer, signal, update or condition, ${whereabouts}. Nothing in its history can ever wake it; wrap what it waits for in step().`;
  return new EverstepError("FOREIGN_WAIT", message, { details: { runId } });
}
