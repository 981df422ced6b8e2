// Deletes closed runs of workflows that say how long theirs are kept. Every worker prunes what its own workflows say; two
// of them beside each other step around what the other deletes.

import { pruneRuns } from "../service/pruning.ts";
import type { RetentionRule } from "../store/retention.ts";
import type { SweepStore } from "../store/store.ts";
import type { World } from "../world/world.ts";
import { Sweep } from "./sweep.ts";

export interface PrunerOptions {
  readonly store: SweepStore;
  readonly world: World;
  readonly everyMs: number;
  /** None: nothing is ever deleted. */
  readonly rules: readonly RetentionRule[];
}

// 100,000 runs are looked at in about a second, by the key. Runs that are kept stand between those that are not, so a sweep
// goes on where the one before has stopped, and begins again after the last.
const PAGES_PER_SWEEP = 20;

export function createPruner({ store, world, everyMs, rules }: PrunerOptions): Sweep {
  let after: string | null = null;
  return new Sweep({
    name: "pruner",
    world,
    everyMs,
    async sweep(signal) {
      if (rules.length === 0) return;
      const pruned = await pruneRuns({ store, rules, after, maxPages: PAGES_PER_SWEEP, isDryRun: false, signal });
      after = pruned.next;
      const { runs, events } = pruned;
      if (runs > 0) world.log.info({ runs, events }, "closed runs deleted, past what their workflows keep");
    },
  });
}
