// How long a run may be open: as long as it may by itself, and never longer than what its chain has left.

/** Null: without end. */
export type LimitMs = number | null;

export function shorterOf(one: LimitMs, other: LimitMs): LimitMs {
  if (one === null || other === null) return one ?? other;
  return Math.min(one, other);
}

/** What a chain that may go on for `chainTimeoutMs` from `startedAt` has left, in whole ms; at least 1, to be closed by. */
export function leftOf(chainTimeoutMs: number, startedAt: number, now: number): number {
  // Worker's clocks count in fractions. Rounded up: a limit never comes early.
  return Math.max(1, Math.ceil(startedAt + chainTimeoutMs - now));
}
