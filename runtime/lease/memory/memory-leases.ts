// Leases of workers that live in one process: tests, simulation, the in-process runtime. One keeper stands for the
// server, and each process, real or simulated, opens its own leases on it. Time is the monotonic time of the clock.

import type { Clock } from "../../world/world.ts";
import { DEFAULT_LEASE_TTL_MS, type LeaseSettings, type Leases } from "../leases.ts";
import { leaseUnavailable } from "../unavailable.ts";

export interface MemoryLeaseKeeperOptions {
  readonly clock: Clock;
  readonly settings?: LeaseSettings;
}

export class MemoryLeaseKeeper {
  readonly #clock: Clock;
  readonly #ttlMs: number;
  readonly #expiresAt = new Map<string, number>();
  #bornAt: number | undefined;

  constructor({ clock, settings }: MemoryLeaseKeeperOptions) {
    this.#clock = clock;
    this.#ttlMs = settings?.ttlMs ?? DEFAULT_LEASE_TTL_MS;
  }

  open(): Leases {
    return new MemoryLeases(this);
  }

  /** Loses everything, like a Redis that was emptied. */
  forget(): void {
    this.#expiresAt.clear();
    this.#bornAt = undefined;
  }

  renew(workerId: string): void {
    this.#bornAt ??= this.#clock.monotonic();
    this.#expiresAt.set(workerId, this.#clock.monotonic() + this.#ttlMs);
  }

  release(workerId: string): void {
    this.#expiresAt.delete(workerId);
  }

  expired(workerIds: readonly string[]): string[] {
    const now = this.#clock.monotonic();
    this.#bornAt ??= now;
    for (const [workerId, expiresAt] of this.#expiresAt) if (expiresAt <= now) this.#expiresAt.delete(workerId);
    if (now < this.#bornAt + this.#ttlMs) return [];
    return workerIds.filter((workerId) => !this.#expiresAt.has(workerId));
  }
}

class MemoryLeases implements Leases {
  #keeper: MemoryLeaseKeeper | undefined;

  constructor(keeper: MemoryLeaseKeeper) {
    this.#keeper = keeper;
  }

  async renew(workerId: string): Promise<void> {
    if (this.#keeper === undefined) throw leaseUnavailable({ keeper: "memory", call: "renew", workerId }, "closed");
    this.#keeper.renew(workerId);
  }

  async release(workerId: string): Promise<void> {
    if (this.#keeper === undefined) throw leaseUnavailable({ keeper: "memory", call: "release", workerId }, "closed");
    this.#keeper.release(workerId);
  }

  async expired(workerIds: readonly string[]): Promise<string[]> {
    if (this.#keeper === undefined) throw leaseUnavailable({ keeper: "memory", call: "expired" }, "closed");
    return this.#keeper.expired(workerIds);
  }

  async close(): Promise<void> {
    this.#keeper = undefined;
  }
}
