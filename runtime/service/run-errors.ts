// What a caller is told who names a run that is not there, or is past what was asked of it.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { idIn } from "../store/run-ref.ts";

/** The run, as its caller calls it. */
export const nameOf = idIn;

export function notFound(name: string): EverstepError {
  const message = `There is no run ${name} in this database. Check the id, and that client and worker use the same database.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name } });
}

/** Of a run that is not kept any more, in a chain that `name` is part of. */
export function notKept(name: string, runId: string): EverstepError {
  const message = `Run ${name} continued as new, and what it continued as (run id ${runId}) has been deleted: its retention has passed.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name, runId } });
}

/** Of a run that closed and was deleted while somebody waited for it. */
export function deletedMeanwhile(name: string, runId: string): EverstepError {
  const message = `Run ${name} (run id ${runId}) has been deleted before its result was read: its retention has passed. Keep runs longer than their callers may be cut off.`;
  return new EverstepError("RUN_NOT_FOUND", message, { details: { run: name, runId } });
}

/** `consequence`: what it no longer does, in a sentence. */
export function closedError(name: string, consequence: string): EverstepError {
  return new EverstepError("RUN_CLOSED", `Run ${name} is closed. ${consequence}`, { details: { run: name } });
}
