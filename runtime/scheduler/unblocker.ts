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
  readonly queues: readonly string[];
  readonly isTrusted: () => boolean;
  /** How many runs may be taken up now. */
  readonly room: () => number;
  readonly claim: (runIds: readonly string[]) => Promise<void>;
  /** Runs that this worker has tried, or blocked itself: with this code there is nothing more to try. */
  readonly tried: Set<string>;
}

const RUNS_PER_LOOK = 1_000;

export function createUnblocker(options: UnblockerOptions): Sweep {
  const { world, everyMs, isTrusted, room, claim, tried } = options;
  return new Sweep({
    name: "unblocker",
    world,
    everyMs,
    async sweep() {
      if (!isTrusted()) return;
      const untried = await findUntried(options, room());
      if (untried.length === 0) return;
      for (const runId of untried) tried.add(runId);
      await claim(untried);
    },
  });
}

/** Goes through all blocked runs, however many of them were tried before. */
async function findUntried({ store, workflows, queues, tried }: UnblockerOptions, most: number): Promise<string[]> {
  const untried: string[] = [];
  let after: string | null = null;
  while (untried.length < most) {
    const page: Awaited<ReturnType<SweepStore["findBlocked"]>> = await store.findBlocked({
      workflows,
      queues,
      after,
      limit: RUNS_PER_LOOK,
    });
    for (const { runId, reason } of page) {
      if (reason.kind !== "quarantine" && !tried.has(runId)) untried.push(runId);
    }
    after = page.at(-1)?.runId ?? null;
    if (page.length < RUNS_PER_LOOK || after === null) break;
  }
  return untried.slice(0, Math.max(0, most));
}
