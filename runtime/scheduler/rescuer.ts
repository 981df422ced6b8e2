// Makes the runs of lost workers claimable. A worker is lost when its lease is gone; taking a living one's runs by
// mistake wastes its work and writes nothing, because the next claim raises the epoch.

import type { Leases } from "../lease/leases.ts";
import type { SweepStore } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { World } from "../world/world.ts";
import { Sweep } from "./sweep.ts";

export interface RescuerOptions {
  readonly store: SweepStore;
  readonly leases: Leases;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly everyMs: number;
  /** This worker's own lease is beyond doubt: one that is cut off must not judge others. */
  readonly isTrusted: () => boolean;
  readonly workerId: () => string;
}

const RUNS_PER_RESCUE = 1_000;

export function createRescuer(options: RescuerOptions): Sweep {
  const { store, leases, wakeups, world, everyMs, isTrusted, workerId } = options;
  return new Sweep({
    name: "rescuer",
    world,
    everyMs,
    async sweep(signal) {
      if (!isTrusted()) return;
      const owners = (await store.ownerIds()).filter((ownerId) => ownerId !== workerId());
      if (owners.length === 0) return;
      for (const lostId of await leases.expired(owners)) {
        let count = 0;
        do {
          if (signal.aborted || !isTrusted()) return;
          const rescued = await store.rescueRuns(lostId, RUNS_PER_RESCUE);
          count = rescued.count;
          if (count === 0) break;
          world.log.warn({ lostWorkerId: lostId, runs: count }, "runs of a lost worker made claimable");
          wakeups.publish(rescued.queues.map((queue) => `queue/${queue}` as const));
        } while (count >= RUNS_PER_RESCUE);
      }
    },
  });
}
