// A number of permits that runs share, whoever executes them. A lock is a semaphore with one.

import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { hold } from "./hold.ts";
import { assertBody, type LockOptions } from "./lock.ts";

export interface SemaphoreOptions {
  /** How many there are: 1 to 1,000,000. */
  readonly permits: number;
}

export interface PermitOptions extends LockOptions {
  /** How many to take at once. Default 1. */
  readonly permits?: number;
}

export interface HeldPermits {
  /** The semaphore's name. */
  readonly key: string;
  readonly permits: number;
  /** Greater than that of every grant of this semaphore before. Read it where it is used, as that of a lock. */
  readonly fencingToken: number;
}

/** A semaphore. Made by `defineSemaphore`, used inside workflows. */
export interface SemaphoreDefinition {
  readonly name: string;
  readonly permits: number;
  /**
   * Runs `body` while the run holds permits. Whoever asks first gets them first, also when a later request would find
   * enough for itself: a large request is not overtaken for ever. Otherwise as `withLock`.
   *
   * Throws ARGUMENT_INVALID for more permits than there are, and what `withLock` throws.
   */
  with<T>(body: (held: HeldPermits) => T | Promise<T>, options?: PermitOptions): Promise<T>;
}

/**
 * Defines a semaphore by name, the same for all runs that use the name. Locks are semaphores with one permit: `withLock` of
 * a semaphore's name waits until nobody holds any of its permits, and keeps them all.
 *
 * How many permits there are is said by each request. Where they differ, as while a change is being deployed, no grant
 * exceeds what it says itself, nor what any request says that holds permits then: the smallest number counts.
 *
 * Throws ARGUMENT_INVALID for an unusable name or number.
 */
export function defineSemaphore(name: string, { permits: capacity }: SemaphoreOptions): SemaphoreDefinition {
  assertName(name, "defineSemaphore(name)");
  assertPermits(capacity, MAX_PERMITS, "defineSemaphore({ permits })");
  const called = `semaphore "${name}".with`;
  return {
    name,
    permits: capacity,
    async with(body, options = {}) {
      assertBody(body, called);
      const { permits = 1, timeout } = options;
      assertPermits(permits, capacity, `${called}({ permits })`);
      return hold({ key: name, permits, capacity }, { called, timeout }, (token) =>
        body({
          key: name,
          permits,
          get fencingToken() {
            return token();
          },
        }),
      );
    },
  };
}

const MAX_PERMITS = 1_000_000;

function assertPermits(permits: number, most: number, what: string): void {
  if (Number.isInteger(permits) && permits >= 1 && permits <= most) return;
  const message = `${what} takes a whole number from 1 to ${most}; got ${String(permits)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}
