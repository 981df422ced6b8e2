// Lists and counts of runs, by looking at each of them.

import { countedValueOf, type DataRow } from "../run-data.ts";
import type { CountBy, CountRequest, ListRequest, RunCount, StoredSummary } from "../runs.ts";
import { compareValues, isMeant, rowsOfAttribute } from "./filtering.ts";
import type { RunTable } from "./run-table.ts";
import { type StoredRun, statusOf, summaryOf } from "./stored-run.ts";

export function listRuns(table: RunTable, request: ListRequest): StoredSummary[] {
  if (request.byAttribute !== undefined) return listByAttribute(table, request, request.byAttribute);
  if (request.byClosing !== undefined) return listByClosing(table, request, request.byClosing);
  const { workflowId, limit, before, isOldestFirst = false } = request;
  const runs = table.started(workflowId);
  const position = before === undefined ? undefined : table.get(before)?.ordinal;
  const isBeyond = (run: StoredRun): boolean => {
    if (before === undefined) return false;
    // A place between runs, or of one that has been deleted: ids are in the order of starting.
    if (position === undefined) return isOldestFirst ? run.runId <= before : run.runId >= before;
    return isOldestFirst ? run.ordinal <= position : run.ordinal >= position;
  };
  const found: StoredSummary[] = [];
  for (let nth = 0; nth < runs.length && found.length < limit; nth += 1) {
    const run = runs[isOldestFirst ? nth : runs.length - 1 - nth];
    if (run === undefined || isBeyond(run)) continue;
    if (isMeant(run, request)) found.push(summaryOf(run));
  }
  return found;
}

interface Place {
  readonly number: number;
  readonly text: string;
  readonly runId: string;
}

function listByAttribute(
  table: RunTable,
  request: ListRequest,
  { name, ...order }: NonNullable<ListRequest["byAttribute"]>,
): StoredSummary[] {
  return inOrder(table, request, order, (run) => rowsOfAttribute(run, name)[0]);
}

function listByClosing(
  table: RunTable,
  request: ListRequest,
  order: NonNullable<ListRequest["byClosing"]>,
): StoredSummary[] {
  return inOrder(table, request, order, ({ closed }) => closed && { number: closed.at, text: "" });
}

/** Runs without a place are left out. */
function inOrder(
  table: RunTable,
  request: ListRequest,
  { isDescending, after }: NonNullable<ListRequest["byClosing"]>,
  placeOf: (run: StoredRun) => Omit<Place, "runId"> | null | undefined,
): StoredSummary[] {
  const places = table.started(request.workflowId).flatMap((run) => {
    const place = isMeant(run, request) ? placeOf(run) : null;
    return place == null ? [] : [{ number: place.number, text: place.text, runId: run.runId, run }];
  });
  const compare = (a: Place, b: Place) =>
    (isDescending ? -1 : 1) * (compareValues(a, b) || (a.runId < b.runId ? -1 : a.runId > b.runId ? 1 : 0));
  return places
    .filter((place) => after === null || compare(place, after) > 0)
    .sort(compare)
    .slice(0, request.limit)
    .map(({ run }) => summaryOf(run));
}

export function countRuns(table: RunTable, { by, limit, ...filter }: CountRequest): RunCount[] {
  const groups = new Map<string, { readonly row: DataRow | null; count: number }>();
  for (const run of table.started(filter.workflowId)) {
    if (!isMeant(run, filter)) continue;
    for (const row of groupsOf(run, by)) {
      const key = row === null ? "" : JSON.stringify([row.type, row.number, row.text]);
      const group = groups.get(key) ?? { row, count: 0 };
      group.count += 1;
      groups.set(key, group);
    }
  }
  return [...groups.values()]
    .sort((a, b) => b.count - a.count || compareGroups(a.row, b.row))
    .slice(0, limit)
    .map(({ row, count }) => ({ value: row === null ? null : countedValueOf(row), count }));
}

function groupsOf(run: StoredRun, by: CountBy | null): readonly (DataRow | null)[] {
  if (by === null) return [null];
  if (typeof by !== "string") {
    const rows = rowsOfAttribute(run, by.attribute);
    return rows.length === 0 ? [null] : rows;
  }
  const text = by === "status" ? statusOf(run) : run[by];
  if (text === null) return [null];
  return [{ place: 0, type: 1, number: Number.POSITIVE_INFINITY, text }];
}

function compareGroups(a: DataRow | null, b: DataRow | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  return compareValues(a, b) || a.type - b.type;
}
