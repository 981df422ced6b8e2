// Runs that are kept no longer.

import type { ExpiredPage, ExpiredRequest } from "../retention.ts";
import type { RunTable } from "./run-table.ts";
import type { StoredRun } from "./stored-run.ts";

export function findExpired(table: RunTable, { rules, after, limit }: ExpiredRequest, now: number): ExpiredPage {
  const inOrder = [...table.started()].sort((a, b) => (a.runId < b.runId ? -1 : 1));
  const page = inOrder.filter(({ runId }) => after === null || runId > after).slice(0, limit);
  const isExpired = (run: StoredRun) => {
    const { workflow, closed } = run;
    if (closed === null || isKept(table, run)) return false;
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

/** An open run of a chain is its latest. And what leads from others to an open fork stays: what was forked first the fork names. */
function isKept(table: RunTable, run: StoredRun): boolean {
  const chain = table.chainOf(run);
  if (chain.at(-1)?.closed === null) return true;
  const isLink = chain.length > 1 || table.isInPlaceOfAnother(run);
  return isLink && table.find({ lineOf: run.runId })?.closed === null;
}

/** Answers those that were closed, and are gone. */
export function deleteRuns(
  table: RunTable,
  startRequests: Map<string, StoredRun>,
  runIds: readonly string[],
): string[] {
  const known = runIds.flatMap((runId) => table.get(runId) ?? []);
  const gone = new Set(known.filter((run) => run.closed !== null && !isKept(table, run)));
  table.remove(gone);
  for (const [requestId, run] of startRequests) if (gone.has(run)) startRequests.delete(requestId);
  return [...gone].map(({ runId }) => runId);
}
