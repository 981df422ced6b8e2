// Closes runs that are past their run timeout. Their code gets no chance to react; an owner notices at its next append.

import type { SweepStore } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { World } from "../world/world.ts";
import { Sweep } from "./sweep.ts";

export interface DeadlineCloserOptions {
  readonly store: SweepStore;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly everyMs: number;
  readonly closed: (runId: string) => void;
}

const RUNS_PER_CLOSE = 500;

export function createDeadlineCloser({ store, wakeups, world, everyMs, closed }: DeadlineCloserOptions): Sweep {
  return new Sweep({
    name: "deadlineCloser",
    world,
    everyMs,
    async sweep(signal) {
      let runIds: readonly string[];
      do {
        runIds = await store.closeOverdue(RUNS_PER_CLOSE);
        for (const runId of runIds) closed(runId);
        wakeups.publish(runIds.map((runId) => `run/${runId}` as const));
      } while (runIds.length >= RUNS_PER_CLOSE && !signal.aborted);
    },
  });
}
