// Tries blocked runs once with the code at hand: a worker that starts with fitting code carries them on, one whose code
// does not fit blocks them again with its own reason. Quarantined runs wait for a person.

import type { SweepStore } from "../store/store.ts";
import type { World } from "../world/world.ts";
import { Sweep } from "./sweep.ts";

export interface UnblockerOptions {
  readonly store: SweepStore;
  readonly world: World;
  readonly everyMs: number;
  readonly workflows: readonly string[];
  readonly isTrusted: () => boolean;
  /** How many runs may be taken up now. */
  readonly room: () => number;
  readonly claim: (runIds: readonly string[]) => Promise<void>;
  /** Runs that this worker has tried, or blocked itself: with this code there is nothing more to try. */
  readonly tried: Set<string>;
}

const RUNS_PER_LOOK = 1_000;

export function createUnblocker(options: UnblockerOptions): Sweep {
  const { store, world, everyMs, workflows, isTrusted, room, claim, tried } = options;
  return new Sweep({
    name: "unblocker",
    world,
    everyMs,
    async sweep() {
      if (!isTrusted()) return;
      const blocked = await store.findBlocked(workflows, RUNS_PER_LOOK);
      const untried = blocked
        .filter(({ runId, reason }) => reason.kind !== "quarantine" && !tried.has(runId))
        .map(({ runId }) => runId)
        .slice(0, Math.max(0, room()));
      if (untried.length === 0) return;
      for (const runId of untried) tried.add(runId);
      await claim(untried);
    },
  });
}
