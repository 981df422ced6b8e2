// Stopping a part of a run, and keeping a part of it from being stopped. What a scope's code asks for belongs to the
// scope, also what functions that it calls ask for.

import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";

/** A part of a run that its own code may cancel. */
export interface CancellableScope {
  /**
   * Calls `body` in the scope, any number of times, also side by side: all it asks for is canceled when the scope is.
   * Resolves and rejects as `body` does; rejects with `CanceledFailure`, and does not call it, when the scope is canceled.
   */
  run<T>(body: () => Promise<T>): Promise<T>;

  /**
   * Cancels what waits in the scope and in those made inside it: timers and waits reject with `CanceledFailure` at once,
   * steps according to their `onCancel`. What is asked for afterwards rejects without a trace in the history. What stands
   * in `nonCancellable` goes on. A second call changes nothing.
   *
   * Throws COMMAND_IN_READ_ONLY in a query handler or a condition, and ARGUMENT_INVALID from another run.
   */
  cancel(reason?: string): void;

  /** True once the scope, or one that it is in, was canceled. */
  readonly isCanceled: boolean;
}

/**
 * A scope that workflow code can cancel, inside the current one: it is canceled along with that one, and never cancels
 * it. A canceled scope costs no event by itself. Promises of it that nobody awaits may reject without harm.
 *
 * Throws OUTSIDE_WORKFLOW where no run is.
 */
export function cancelScope(): CancellableScope {
  const { run, scope: outer } = requireRun("cancelScope()");
  const scope = new CancelScope(outer);
  const assertOwnRun = (caller: string) => {
    if (requireRun(caller).run === run) return;
    const message = `${caller} belongs to run ${run.info.workflowId} and was called by another. Make a scope in each run.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "scope" } });
  };
  return {
    async run(body) {
      assertOwnRun("scope.run()");
      run.refuseInReadOnly("scope.run()");
      if (scope.canceledBy !== undefined) throw scope.canceledBy;
      return run.runInScope(scope, body);
    },
    cancel(reason = "the workflow canceled this part of itself") {
      assertOwnRun("scope.cancel()");
      run.cancelScope(scope, new CanceledFailure(reason));
    },
    get isCanceled() {
      return scope.canceledBy !== undefined;
    },
  };
}

/**
 * Runs `body` so that no cancellation from outside reaches the steps, timers and waits it asks for: for compensation and
 * clean-up in `catch` and `finally`. Outside of it, everything asked for after a cancel rejects at once.
 *
 * Resolves and rejects as `body` does. Throws OUTSIDE_WORKFLOW where no run is.
 */
export function nonCancellable<T>(body: () => Promise<T>): Promise<T> {
  const { run } = requireRun("nonCancellable()");
  return run.runInScope(new CancelScope(null), body);
}
