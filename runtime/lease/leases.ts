// Who is alive. A worker keeps one lease; its claims hang on it. A lease is only ever a hint: Postgres has the last word
// by epoch and claim id, so a wrong answer here wastes work and never writes it.

export interface LeaseSettings {
  /** How long one renewal lasts, in ms. Default 6,000. */
  readonly ttlMs: number;
}

export const DEFAULT_LEASE_TTL_MS = 6_000;

export interface Leases {
  /**
   * Takes or renews the lease of `workerId` for the whole ttl. Only ever touches that worker's own lease. Resolves when
   * the lease is known to be held; rejects with LEASE_UNAVAILABLE when that is not known (the call may have landed).
   * The caller counts its trust from before the call.
   */
  renew(workerId: string): Promise<void>;

  /** Gives the lease up, so that nobody waits for its ttl. Rejects with LEASE_UNAVAILABLE. */
  release(workerId: string): Promise<void>;

  /**
   * Those of `workerIds` that are certainly without a lease, judged by the lease keeper's own clock. Empty during the
   * grace period after the keeper came back without its memory (an emptied Redis must not make everyone look dead):
   * one ttl counted from the first call that finds the keeper empty. Rejects with LEASE_UNAVAILABLE.
   */
  expired(workerIds: readonly string[]): Promise<string[]>;

  close(): Promise<void>;
}
