// What `result()` throws when a run ended without one.

import { EverstepError } from "../protocol/errors.ts";
import type { ClosedStatus } from "../protocol/run.ts";

/** A run that ended as failed, canceled, terminated or timed out. `cause` is the failure, restored as an error. */
export class RunFailedError extends EverstepError {
  readonly workflowId: string;
  readonly status: Exclude<ClosedStatus, "completed">;

  constructor(workflowId: string, status: Exclude<ClosedStatus, "completed">, cause: Error) {
    super("RUN_FAILED", `Run ${workflowId} ended as ${status}: ${cause.message}`, {
      cause,
      details: { workflowId, status },
    });
    this.workflowId = workflowId;
    this.status = status;
  }
}
