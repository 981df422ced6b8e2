// Deletes runs that are kept no longer: closed ones, oldest first, some at a time, so that nothing waits for it.

import type { RetentionRule } from "../store/retention.ts";
import type { SweepStore } from "../store/store.ts";

export interface PruneOptions {
  readonly store: SweepStore;
  readonly rules: readonly RetentionRule[];
  /** Go on after this run; null begins with the oldest. */
  readonly after: string | null;
  /** Looks at this many pages of runs at the most. */
  readonly maxPages: number;
  /** Only counts what would be deleted. */
  readonly isDryRun: boolean;
  readonly signal: AbortSignal;
}

export interface Pruned {
  readonly runs: number;
  readonly events: number;
  /** Where to go on; null when there was nothing after. */
  readonly next: string | null;
}

const RUNS_PER_PAGE = 5_000;
const RUNS_PER_DELETE = 500;
/** A statement that deletes more may take too long for the server's limit. */
const EVENTS_PER_DELETE = 20_000;

export async function pruneRuns({ store, rules, after, maxPages, isDryRun, signal }: PruneOptions): Promise<Pruned> {
  let [next, runs, events] = [after, 0, 0];
  for (let pages = 0; pages < maxPages && !signal.aborted; pages += 1) {
    const page = await store.findExpired({ rules, after: next, limit: RUNS_PER_PAGE });
    for (const batch of inBatches(page.runs)) {
      if (signal.aborted) return { runs, events, next };
      const deleted = new Set(
        isDryRun ? batch.map(({ runId }) => runId) : await store.deleteRuns(batch.map(({ runId }) => runId)),
      );
      runs += deleted.size;
      for (const run of batch) if (deleted.has(run.runId)) events += run.events;
    }
    next = page.next;
    if (next === null) break;
  }
  return { runs, events, next };
}

function* inBatches<Run extends { readonly events: number }>(runs: readonly Run[]): Generator<readonly Run[]> {
  let batch: Run[] = [];
  let events = 0;
  for (const run of runs) {
    if (batch.length >= RUNS_PER_DELETE || (batch.length > 0 && events + run.events > EVENTS_PER_DELETE)) {
      yield batch;
      [batch, events] = [[], 0];
    }
    batch.push(run);
    events += run.events;
  }
  if (batch.length > 0) yield batch;
}
