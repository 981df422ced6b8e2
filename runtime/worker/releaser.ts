// Gives runs back, or sets them aside, until the store has heard it: a run that this process no longer carries must not
// stay in its name.

import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { Claim } from "../store/claims.ts";
import type { WorkerStore } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import { Backoff } from "../world/backoff.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";

export interface ReleaserOptions {
  readonly store: WorkerStore;
  readonly wakeups: Wakeups;
  readonly world: World;
}

export class Releaser {
  readonly #options: ReleaserOptions;
  readonly #stopping = new AbortController();
  readonly #leaving = new Set<string>();
  #waiting = new Map<string, { claim: Claim; queue: string }>();
  #work: Promise<void> | undefined;

  constructor(options: ReleaserOptions) {
    this.#options = options;
  }

  /** The run is on its way out: its claim is known, though no live run has it. */
  isLeaving(runId: string): boolean {
    return this.#leaving.has(runId);
  }

  release(claim: Claim, queue: string): void {
    this.#leaving.add(claim.runId);
    this.#waiting.set(claim.runId, { claim, queue });
    this.#work ??= this.#releaseAll().finally(() => {
      this.#work = undefined;
    });
  }

  /** Resolves when everything given back so far is so. */
  async drained(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  /** `explain` may take its time (a diagnosis); the run stays ours meanwhile. */
  async block(claim: Claim, explain: () => Promise<BlockedReason>): Promise<void> {
    this.#leaving.add(claim.runId);
    try {
      const reason = await explain();
      await this.#insist(() => this.#options.store.blockRuns([{ claim, reason }]));
    } finally {
      this.#leaving.delete(claim.runId);
    }
  }

  /** Ends retrying. What could not be given back is rescued when the lease is gone. */
  stop(): void {
    this.#stopping.abort();
  }

  async #releaseAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      // One moment for all that leave together.
      await new Promise<void>((resolve) => this.#options.world.clock.afterDrain(resolve));
      const leaving = [...this.#waiting.values()];
      this.#waiting = new Map();
      await this.#insist(() => this.#options.store.releaseRuns(leaving.map(({ claim }) => claim)));
      for (const { claim } of leaving) this.#leaving.delete(claim.runId);
      const queues = new Set(leaving.map(({ queue }) => queue));
      this.#options.wakeups.publish([...queues].map((queue) => `queue/${queue}` as const));
    }
  }

  async #insist(call: () => Promise<void>): Promise<void> {
    const { world } = this.#options;
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 2_000 });
    while (!this.#stopping.signal.aborted) {
      try {
        return await call();
      } catch {
        await pause(world.clock, backoff.next(), this.#stopping.signal);
      }
    }
  }
}
