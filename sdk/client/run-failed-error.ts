// What `result()` throws when a run ended without one.

import { EverstepError } from "../protocol/errors.ts";
import type { ClosedStatus } from "../protocol/run.ts";

/** How a run ends without a result. One that continued as new has not ended so: the next run may bring one. */
export type BadEnd = Exclude<ClosedStatus, "completed" | "continuedAsNew">;

/** A run that ended as failed, canceled, terminated or timed out. `cause` is the failure, restored as an error. */
export class RunFailedError extends EverstepError {
  readonly workflowId: string;
  readonly status: BadEnd;

  constructor(workflowId: string, status: BadEnd, cause: Error) {
    super("RUN_FAILED", `Run ${workflowId} ended as ${status}: ${cause.message}`, {
      cause,
      details: { workflowId, status },
    });
    this.workflowId = workflowId;
    this.status = status;
  }
}
