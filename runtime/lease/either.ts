// Two keepers, so that losing one costs nothing: leases are renewed in both, and a worker is alive if either says so.
//
// What must stay true: whoever renewed in the last ttl with a keeper that can be asked is not among the expired. A
// worker called dead wrongly (it only reached a keeper that has gone since) loses work done, never writes any: its
// claims are compared in Postgres. The fallback keeps its memory and lives where the runs live, so it decides alone
// when the primary cannot tell; without it nobody is judged, for nobody could be rescued.

import type { Leases } from "./leases.ts";

export interface EitherLeasesOptions {
  /** The quick one: Redis. */
  readonly primary: Leases;
  /** The one with a memory: Postgres. */
  readonly fallback: Leases;
}

/** No worker has the nil UUID, so a keeper that can tell the dead always names it; one in its grace period does not. */
const NOBODY = "00000000-0000-0000-0000-000000000000";

export class EitherLeases implements Leases {
  readonly #primary: Leases;
  readonly #fallback: Leases;

  constructor({ primary, fallback }: EitherLeasesOptions) {
    this.#primary = primary;
    this.#fallback = fallback;
  }

  async renew(workerId: string): Promise<void> {
    const primary = this.#primary.renew(workerId);
    const fallback = this.#fallback.renew(workerId);
    try {
      await Promise.any([primary, fallback]);
    } catch {
      await fallback;
    }
  }

  async release(workerId: string): Promise<void> {
    const [primary, fallback] = await Promise.allSettled([
      this.#primary.release(workerId),
      this.#fallback.release(workerId),
    ]);
    if (fallback.status === "rejected") throw fallback.reason;
    if (primary.status === "rejected") throw primary.reason;
  }

  async expired(workerIds: readonly string[]): Promise<string[]> {
    const asked = this.#primary.expired([...workerIds, NOBODY]).catch(() => []);
    const inFallback = await this.#fallback.expired(workerIds);
    const inPrimary = new Set(await asked);
    if (!inPrimary.has(NOBODY)) return inFallback;
    return inFallback.filter((workerId) => inPrimary.has(workerId));
  }

  async close(): Promise<void> {
    await Promise.all([this.#primary.close(), this.#fallback.close()]);
  }
}
