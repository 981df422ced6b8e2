// Waiting for the workflow's own state to become what it waits for.

import { type Duration, toMs } from "../protocol/duration.ts";
import { requireRun } from "./ambient.ts";
import type { PendingTimer } from "./run-context.ts";

export interface ConditionOptions {
  /** How long to wait at the most; none by default. */
  readonly timeout: Duration;
}

/**
 * Waits until `predicate` returns true. It is evaluated at once and again after everything that happens to the run
 * (a step's result, a signal, a timer), so it must be quick and must change nothing: asking for a step or a timer in it
 * throws COMMAND_IN_READ_ONLY. Waiting conditions wake in the order they were asked for. What it throws rejects the wait.
 *
 * With a timeout it resolves to true when the predicate held, to false when time ran out; a timeout of 0 looks once.
 * Rejects with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export function condition(predicate: () => boolean): Promise<void>;
export function condition(predicate: () => boolean, options: ConditionOptions): Promise<boolean>;
export async function condition(predicate: () => boolean, options?: ConditionOptions): Promise<unknown> {
  const { run, scope } = requireRun("condition()");
  run.refuseInReadOnly("condition()");
  if (options === undefined) return run.waitUntil(predicate, scope).held;
  const timeoutMs = toMs(options.timeout, "condition({ timeout })");
  if (scope.canceledBy !== undefined) throw scope.canceledBy;

  const waiting = run.waitUntil(predicate, scope);
  if (timeoutMs === 0) {
    waiting.withdraw();
    return waiting.isHeldNow;
  }
  const settled = waiting.held.then(() => true);
  if (waiting.isHeldNow) return settled;
  let timer: PendingTimer | undefined;
  try {
    timer = run.askTimer({ name: "condition", due: { afterMs: timeoutMs } }, scope);
    return await Promise.race([settled, timer.fired.then(() => false)]);
  } finally {
    waiting.withdraw();
    timer?.withdraw();
  }
}
