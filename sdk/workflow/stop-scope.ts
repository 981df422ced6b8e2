// The end of a scope: canceled, and waited for.

import type { CanceledFailure } from "../protocol/failures.ts";
import { CancelScope } from "./cancel-scope.ts";
import type { RunContext } from "./run-context.ts";

/**
 * Cancels what is left in the scope and waits until all of it has come to its end: the steps that were under way, and what
 * the code that waited for them did in the same turn. Never rejects: no cancellation shortens it.
 */
export function stopScope(run: RunContext, scope: CancelScope, failure: CanceledFailure): Promise<void> {
  run.cancelScope(scope, failure);
  // As a condition it is looked at when the code is quiet. A promise would be settled before the code that waits for the
  // last step has been told.
  return run.waitUntil(() => scope.isIdle, new CancelScope(null)).held;
}
