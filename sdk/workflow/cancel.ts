// Cleaning up although the run was asked to stop.

import { requireRun } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";

/**
 * Runs `body` so that a cancel request does not reach the steps, timers and waits it asks for: for compensation and
 * clean-up in `catch` and `finally`. Outside of it, everything asked for after a cancel rejects at once.
 *
 * Resolves and rejects as `body` does. Throws OUTSIDE_WORKFLOW where no run is.
 */
export function nonCancellable<T>(body: () => Promise<T>): Promise<T> {
  const { run, scope } = requireRun("nonCancellable()");
  return run.runInScope(new CancelScope(scope, true), body);
}
