// A lock that runs take turns at, whoever executes them.

import type { Duration } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { hold } from "./hold.ts";

export interface LockOptions {
  /** How long to wait at the most; 0 counts as 1 ms. Default: as long as it takes. */
  readonly timeout?: Duration;
}

export interface HeldLock {
  readonly key: string;
  /**
   * Greater than that of every holder of the key before. Hand it to what the lock protects, and have that refuse a smaller
   * one than it has seen: so a step that was thought dead changes nothing any more. Read it where it is used, as
   * `lock.fencingToken` in the body of the step: a fork of the run has another one from the moment in which it has the lock.
   */
  readonly fencingToken: number;
}

/**
 * Runs `body` while no other run, nor another place of this one, holds `key`. Whoever asks first gets it first, by the order
 * in which the database took the requests. It belongs to the run: it survives the death of a worker, and is let go when
 * `body` has ended or the run has, however. While it waits, the run is parked.
 *
 * Resolves and rejects as `body` does. What `body` has asked for and not awaited is canceled then, and waited for, before the
 * lock is let go. Rejects with `TimeoutFailure` (`timeout: "lock"`) when it was not granted in time, and with
 * `CanceledFailure` when the run or its scope is canceled meanwhile; then `body` is not called. Throws LOCK_HELD inside the
 * body of the same key, ARGUMENT_INVALID, OUTSIDE_WORKFLOW and COMMAND_IN_READ_ONLY.
 */
export async function withLock<T>(
  key: string,
  body: (lock: HeldLock) => T | Promise<T>,
  options: LockOptions = {},
): Promise<T> {
  assertName(key, "withLock(key)");
  assertBody(body, "withLock");
  const { timeout } = options;
  return hold({ key, permits: 1, capacity: 1 }, { called: "withLock", timeout }, (token) =>
    body({
      key,
      get fencingToken() {
        return token();
      },
    }),
  );
}

export function assertBody(body: unknown, called: string): void {
  if (typeof body === "function") return;
  const message = `${called}() takes a function to run while it is held; got ${typeof body}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "body" } });
}
