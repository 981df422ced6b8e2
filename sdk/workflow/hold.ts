// The way of every lock and semaphore: ask, wait, run the body in a scope of its own, and let go when all of the scope has
// ended. Nothing works under a lock that the run has given up.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure, TimeoutFailure } from "../protocol/failures.ts";
import { type HeldKey, requireRun, runWithAmbient } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";
import type { LockAsk, PendingLock, PendingTimer, RunContext } from "./run-context.ts";
import { SHORTEST_MS } from "./sleep.ts";
import { stopScope } from "./stop-scope.ts";

export interface HoldOptions {
  /** The function that the author called, for messages. */
  readonly called: string;
  /** How long to wait at the most; undefined for as long as it takes. */
  readonly timeout: Duration | undefined;
}

export async function hold<T>(
  ask: LockAsk,
  { called, timeout }: HoldOptions,
  body: (token: () => number) => T | Promise<T>,
): Promise<T> {
  const caller = `${called}()`;
  const { run, scope: outer, held } = requireRun(caller);
  const afterMs = timeout === undefined ? null : Math.max(SHORTEST_MS, toMs(timeout, `${called}({ timeout })`));
  run.refuseInReadOnly(caller);
  const { key } = ask;
  if (isHeld(held, key)) throw heldError(run, key, caller);
  if (outer.canceledBy !== undefined) throw outer.canceledBy;

  const lock = run.askLock(ask, outer);
  const timer =
    afterMs === null ? null : limitOf(lock, () => run.askTimer({ name: `lock ${key}`, due: { afterMs } }, outer));
  const scope = new CancelScope(outer);
  try {
    const granted = await (timer === null ? lock.granted : Promise.race([lock.granted, timer.fired]));
    timer?.withdraw();
    if (typeof granted !== "number") {
      const late = typeof timeout === "number" ? `${timeout} ms` : timeout;
      throw new TimeoutFailure("lock", `"${key}" was not granted within ${late}`);
    }
    return await runWithAmbient({ kind: "workflow", run, scope, held: { key, outer: held } }, () => body(lock.token));
  } finally {
    timer?.withdraw();
    await stopScope(run, scope, new CanceledFailure(`"${key}" is let go, and this was asked for under it`));
    lock.release();
  }
}

/** Where no limit can be had, there is no waiting for the lock. */
function limitOf(lock: PendingLock, ask: () => PendingTimer): PendingTimer {
  try {
    return ask();
  } catch (error) {
    lock.release();
    throw error;
  }
}

function isHeld(held: HeldKey | undefined, key: string): boolean {
  for (let each = held; each !== undefined; each = each.outer) if (each.key === key) return true;
  return false;
}

function heldError(run: RunContext, key: string, caller: string): EverstepError {
  const { workflowId, runId } = run.info;
  const message = `${caller} of run ${workflowId} asks for "${key}", which the code around it holds: it would wait for itself. Take it once, around both.`;
  return new EverstepError("LOCK_HELD", message, { details: { runId, key } });
}
