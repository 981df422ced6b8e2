// Goes through the runs that a filter finds, from the newest to the oldest, page by page along the run ids: what is started
// meanwhile is newer, and never met. It begins where the bulk did when it was first made.

import type { RunSummary } from "../protocol/run.ts";
import {
  type BulkCounts,
  type BulkOutcome,
  type BulkReport,
  type BulkResult,
  BulkTally,
  notDone,
} from "./bulk-report.ts";
import type { FilterCall, FrontDoor } from "./front-door.ts";

export interface BulkWalk {
  readonly bulkId: string;
  /** Where in the list to begin. */
  readonly after: string;
  readonly isDryRun: boolean;
  /** Runs that are dealt with at once. */
  readonly concurrency: number;
  readonly signal: AbortSignal | undefined;
  readonly onRun: ((result: BulkResult) => void) | undefined;
  readonly onProgress: ((counts: BulkCounts) => void) | undefined;
}

/** Small, so that little changes between a run's being found and its being dealt with. */
const RUNS_PER_PAGE = 100;

export interface BulkAction {
  readonly act: (run: RunSummary) => Promise<unknown>;
  /** Throws what `act` would, and does nothing. Absent: to be found is all that it takes. */
  readonly foresee?: ((run: RunSummary) => Promise<unknown>) | undefined;
}

/** Never rejects by what the action throws for a run: that is told. Rejects when the runs cannot be listed. */
export async function goThrough(
  door: Pick<FrontDoor, "list">,
  filter: FilterCall,
  walk: BulkWalk,
  { act, foresee = async () => {} }: BulkAction,
): Promise<BulkReport> {
  const { bulkId, isDryRun, concurrency, signal, onRun, onProgress } = walk;
  const isAborted = () => signal?.aborted === true;
  const tally = new BulkTally();
  const deal = async (run: RunSummary): Promise<void> => {
    const result = isDryRun ? await outcomeOf(run, foresee, "matched") : await outcomeOf(run, act, "done");
    tally.add(result);
    onRun?.(result);
  };
  let after: string | null = walk.after;
  let isCutShort = isAborted();
  while (after !== null && !isCutShort) {
    const page: Awaited<ReturnType<FrontDoor["list"]>> = await door.list({ ...filter, after, limit: RUNS_PER_PAGE });
    isCutShort = !(await inLanes(page.runs, concurrency, isAborted, deal));
    onProgress?.(tally.counts);
    after = page.next;
    isCutShort ||= after !== null && isAborted();
  }
  return { bulkId, isDryRun, ...tally.counts, isAborted: isCutShort, notDone: tally.notDone };
}

async function outcomeOf(
  run: RunSummary,
  act: (run: RunSummary) => Promise<unknown>,
  outcome: BulkOutcome,
): Promise<BulkResult> {
  try {
    await act(run);
    return { run, outcome, code: null, message: null };
  } catch (error) {
    return notDone(run, error);
  }
}

/** True when all were dealt with. What is under way is waited for, also when `deal` throws or it is to end. */
async function inLanes<T>(
  items: readonly T[],
  most: number,
  mustEnd: () => boolean,
  deal: (item: T) => Promise<void>,
): Promise<boolean> {
  let next = 0;
  let hasThrown = false;
  const lane = async () => {
    while (next < items.length && !hasThrown && !mustEnd()) {
      await deal(items[next++] as T).catch((error: unknown) => {
        hasThrown = true;
        throw error;
      });
    }
  };
  const lanes = await Promise.allSettled(Array.from({ length: Math.min(most, items.length) }, lane));
  for (const each of lanes) if (each.status === "rejected") throw each.reason;
  return next >= items.length;
}
