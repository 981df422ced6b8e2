// Changing the code of runs that are under way: which of them go the new way is decided once, and recorded.

import { assertName } from "../protocol/names.ts";
import { requireRun } from "./ambient.ts";

/**
 * Marks a change of a workflow that has open runs: `if (patched("two-step-charge")) { …new… } else { …old… }`. True where
 * the run gets here for the first time: that is recorded in its history as `PatchMarked`, and from then on the answer is
 * true for this id in this run. False where the run was here before without the mark: it goes the way it went.
 *
 * A false is not remembered: a run that calls `patched` again further on, in a loop say, may get true there. Call it once
 * and keep the answer if all of a run must go one way.
 *
 * Answers at once; what is asked for afterwards begins when the mark is committed. Works in signal handlers. Throws
 * ARGUMENT_INVALID for an unusable id, OUTSIDE_WORKFLOW where no run is, COMMAND_IN_READ_ONLY in query handlers and
 * predicates of conditions.
 */
export function patched(id: string): boolean {
  assertName(id, "patched(id)");
  return requireRun(`patched("${id}")`).run.markPatch(id, false);
}

/**
 * Follows `patched(id)` once no run needs the old way any more: delete the old branch, keep the new one, and call this in
 * the place of `patched`. Runs that carry the mark replay with it, and runs that begin now are marked so that they replay
 * without it. When all runs that carry a mark of `patched` are gone the call can be deleted, too: `everstep patches` tells.
 *
 * Throws like `patched`.
 */
export function deprecatePatch(id: string): void {
  assertName(id, "deprecatePatch(id)");
  requireRun(`deprecatePatch("${id}")`).run.markPatch(id, true);
}
