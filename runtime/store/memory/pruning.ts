// Runs that are kept no longer.

import type { ExpiredPage, ExpiredRequest } from "../store.ts";
import type { RunTable } from "./run-table.ts";
import type { StoredRun } from "./stored-run.ts";

export function findExpired(table: RunTable, { rules, after, limit }: ExpiredRequest, now: number): ExpiredPage {
  const inOrder = [...table.started()].sort((a, b) => (a.runId < b.runId ? -1 : 1));
  const page = inOrder.filter(({ runId }) => after === null || runId > after).slice(0, limit);
  const isExpired = (run: StoredRun) => {
    const { workflow, closed } = run;
    if (closed === null || isChainOpen(table, run)) return false;
    return rules.some((rule) => (rule.workflow ?? workflow) === workflow && closed.at <= now - rule.retentionMs);
  };
  const last = page.at(-1);
  const shortestMs = Math.min(...rules.map(({ retentionMs }) => retentionMs));
  const isEnd = last === undefined || page.length < limit || last.startedAt > now - shortestMs;
  return {
    runs: page.filter(isExpired).map(({ runId, history }) => ({ runId, events: history.length })),
    next: isEnd ? null : last.runId,
  };
}

/** An open run of a chain is its latest. */
function isChainOpen(table: RunTable, run: StoredRun): boolean {
  return table.chainOf(run).at(-1)?.closed === null;
}

/** Answers those that were closed, and are gone. */
export function deleteRuns(
  table: RunTable,
  startRequests: Map<string, StoredRun>,
  runIds: readonly string[],
): string[] {
  const known = runIds.flatMap((runId) => table.get(runId) ?? []);
  const gone = new Set(known.filter((run) => run.closed !== null && !isChainOpen(table, run)));
  table.remove(gone);
  for (const [requestId, run] of startRequests) if (gone.has(run)) startRequests.delete(requestId);
  return [...gone].map(({ runId }) => runId);
}
