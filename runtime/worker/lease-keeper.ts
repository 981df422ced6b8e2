// Keeps this worker's lease, and says how long it may trust it. Trust is counted from before the attempt that succeeded,
// by the monotonic clock, less a margin: a slow success cannot stretch it. When trust ends the worker must stop at once,
// and comes back under a new id, so that nothing it did under the old one can be mistaken for its own.

import type { Leases } from "../lease/leases.ts";
import { pause } from "../world/pause.ts";
import type { CancelTimer, World } from "../world/world.ts";

export interface LeaseKeeperOptions {
  readonly leases: Leases;
  readonly world: World;
  readonly ttlMs: number;
  /** Trust ended: drop everything that was done under `workerId`. */
  onLapse(workerId: string): void;
  /** A lease is held again (or for the first time), under this id. */
  onTrust(workerId: string): void;
}

export class LeaseKeeper {
  readonly #options: LeaseKeeperOptions;
  readonly #stopping = new AbortController();
  #workerId: string;
  #trustedUntil = Number.NEGATIVE_INFINITY;
  #isTrusting = false;
  #isRenewed = false;
  #cancelLapse: CancelTimer = () => {};
  #loop: Promise<void> | undefined;

  constructor(options: LeaseKeeperOptions) {
    this.#options = options;
    this.#workerId = options.world.chance.uuid();
  }

  get workerId(): string {
    return this.#workerId;
  }

  /** The lease is held beyond doubt at this moment. */
  get isTrusted(): boolean {
    return this.#isTrusting && this.#options.world.clock.monotonic() < this.#trustedUntil;
  }

  /** Takes the lease and keeps it until `stop`. Resolves after the first attempt, whether it held or not. */
  async start(): Promise<void> {
    await this.#renew();
    this.#loop = this.#keep();
  }

  /** Gives the lease up. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.#cancelLapse();
    await this.#loop;
    this.#isTrusting = false;
    try {
      await this.#options.leases.release(this.#workerId);
    } catch (error) {
      this.#options.world.log.debug(
        { workerId: this.#workerId, error: String(error) },
        "lease not released, it will run out",
      );
    }
  }

  async #keep(): Promise<void> {
    const { ttlMs, world } = this.#options;
    while (!this.#stopping.signal.aborted) {
      // A third of the ttl after a success; less and spread out after a failure, so that several may fail before trust ends.
      const waitMs = this.#isRenewed ? ttlMs / 3 : (ttlMs / 12) * (1 + world.chance.float());
      await pause(world.clock, waitMs, this.#stopping.signal);
      if (!this.#stopping.signal.aborted) await this.#renew();
    }
  }

  async #renew(): Promise<void> {
    const { leases, world, ttlMs } = this.#options;
    const workerId = this.#workerId;
    const attemptedAt = world.clock.monotonic();
    this.#isRenewed = false;
    try {
      await leases.renew(workerId);
    } catch (error) {
      world.log.debug({ workerId, error: String(error) }, "lease not renewed");
      return;
    }
    if (workerId !== this.#workerId || this.#stopping.signal.aborted) return;
    const trustedUntil = attemptedAt + ttlMs - marginMs(ttlMs);
    if (trustedUntil <= world.clock.monotonic()) return;
    this.#isRenewed = true;
    this.#trustedUntil = trustedUntil;
    this.#watchForLapse();
    if (this.#isTrusting) return;
    this.#isTrusting = true;
    this.#options.onTrust(workerId);
  }

  #watchForLapse(): void {
    const { clock } = this.#options.world;
    this.#cancelLapse();
    this.#cancelLapse = clock.setTimer(this.#trustedUntil - clock.monotonic(), () => this.#lapse());
  }

  #lapse(): void {
    const { world, onLapse } = this.#options;
    if (world.clock.monotonic() < this.#trustedUntil) return this.#watchForLapse();
    const lapsed = this.#workerId;
    this.#isTrusting = false;
    this.#workerId = world.chance.uuid();
    world.log.warn(
      { workerId: lapsed, nextWorkerId: this.#workerId },
      "lease lost, all runs of this worker are dropped",
    );
    onLapse(lapsed);
  }
}

// Room for a timer that fires late and for what is between the check and the write. A hint only: the fence decides.
function marginMs(ttlMs: number): number {
  return ttlMs / 6;
}
