// Calls the store again while it is away, for a bounded time. Only for calls that are safe to repeat: starts and mail
// carry ids that the store deduplicates by, reads change nothing.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import { Backoff } from "../world/backoff.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";

export interface Insistence {
  readonly world: World;
  /** How long a call may be repeated before its error reaches the caller. */
  readonly forMs: number;
  readonly signal: AbortSignal;
}

export async function insist<T>({ world, forMs, signal }: Insistence, call: () => Promise<T>): Promise<T> {
  const startedAt = world.clock.monotonic();
  const backoff = new Backoff(world.chance, { firstMs: 20, maxMs: 1_000 });
  while (true) {
    try {
      return await call();
    } catch (error) {
      const isWorthIt = isEverstepError(error) && error.retryable && !signal.aborted;
      const waitMs = backoff.next();
      if (!isWorthIt || world.clock.monotonic() - startedAt + waitMs > forMs) throw error;
      await pause(world.clock, waitMs, signal);
    }
  }
}
