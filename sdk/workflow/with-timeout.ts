// A limit of time for a part of a run, whatever it is made of.

import { type Duration, toMs } from "../protocol/duration.ts";
import { CanceledFailure, isCanceled, TimeoutFailure } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";
import { SHORTEST_MS } from "./sleep.ts";
import { stopScope } from "./stop-scope.ts";

/**
 * Runs `body`, and cancels what it waits for when it has not ended within `duration` ("30s", or ms; 0 counts as 1 ms). The
 * time is a timer in the history, taken back when the body ends first.
 *
 * Settles when `body` does: steps under way end first (unless their `onCancel` is "try" or "abandon"), and what is in
 * `nonCancellable` is waited for, so that nothing of it goes on behind the caller's back. A body that ends with a result
 * has it, also after its time. Else rejects with `TimeoutFailure` (`timeout: "scope"`) when time ran out, with
 * `CanceledFailure` when it was canceled from outside, which is not called a timeout even if both happened; and with what
 * `body` throws. Canceled before, it rejects and does not call `body`. Throws ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export async function withTimeout<T>(duration: Duration, body: () => Promise<T>): Promise<T> {
  const { run, scope: outer } = requireRun("withTimeout()");
  const afterMs = Math.max(SHORTEST_MS, toMs(duration, "withTimeout(duration)"));
  run.refuseInReadOnly("withTimeout()");
  if (outer.canceledBy !== undefined) throw outer.canceledBy;

  const scope = new CancelScope(outer);
  const timer = run.askTimer({ name: "timeout", due: { afterMs } }, outer);
  const late = `not done within ${typeof duration === "number" ? `${duration} ms` : duration}`;
  let isTimeUp = false;
  timer.fired.then(
    () => {
      isTimeUp = true;
      run.cancelScope(scope, new CanceledFailure(late));
    },
    () => {}, // canceled from outside, and so is the body
  );
  try {
    return await run.runInScope(scope, body);
  } catch (error) {
    if (!isTimeUp || !isCanceled(error)) throw error;
    await stopScope(run, scope, new CanceledFailure(late));
    throw outer.canceledBy ?? new TimeoutFailure("scope", late, { cause: error });
  } finally {
    timer.withdraw();
  }
}
