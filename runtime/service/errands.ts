// Does what runs have left to be done to other runs, and tells whom it concerns. Whoever makes an errand due does it at
// once; the workers' regular look is the net for those who died in between.

import type { ErrandsAnswer, Store } from "../store/store.ts";
import type { Topic, Wakeups } from "../wake/wakeups.ts";
import type { Log } from "../world/world.ts";

const ERRANDS_AT_ONCE = 200;

export interface ErrandParts {
  readonly store: Pick<Store, "runErrands">;
  readonly wakeups: Wakeups;
  readonly log: Log;
  /** These runs were closed: what is executed of them here is in vain. */
  readonly closed?: (runIds: readonly string[]) => void;
}

/** Goes on until nothing is left. True when somebody else is at it, so that there may be more. */
export async function doErrands({ store, wakeups, log, closed }: ErrandParts, signal: AbortSignal): Promise<boolean> {
  while (!signal.aborted) {
    const answer = await store.runErrands(ERRANDS_AT_ONCE);
    for (const reason of answer.rejected) log.error({ reason }, "errand set aside: it can never be done");
    closed?.(answer.closedIds);
    wakeups.publish(topicsOf(answer));
    if (answer.done === 0 && answer.rejected.length === 0) return answer.isBusy;
  }
  return false;
}

function topicsOf({ queues, ownerIds, closedIds }: ErrandsAnswer): Topic[] {
  return [
    ...queues.map((queue) => `queue/${queue}` as const),
    ...ownerIds.map((ownerId) => `worker/${ownerId}` as const),
    ...closedIds.map((runId) => `run/${runId}` as const),
  ];
}
