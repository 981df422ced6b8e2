// Which runs a caller means, as a typed object, and as the front door takes it.

import { type AttributeFilters, attributeConditions } from "../protocol/attribute-filter.ts";
import { EverstepError } from "../protocol/errors.ts";
import { CLOSED_STATUSES, OPEN_STATUSES, type RunStatus } from "../protocol/run.ts";
import type { FilterCall, OrderCall } from "./front-door.ts";

/** Points in time: dates, or ms since the epoch. All that is given must hold. */
export interface TimeFilter {
  readonly gt?: Date | number | undefined;
  readonly gte?: Date | number | undefined;
  readonly lt?: Date | number | undefined;
  readonly lte?: Date | number | undefined;
}

/** All that is given must hold. */
export interface NumberFilter {
  readonly gt?: number | undefined;
  readonly gte?: number | undefined;
  readonly lt?: number | undefined;
  readonly lte?: number | undefined;
}

/** All that is given must hold. */
export interface RunFilter {
  /** Name of the workflow. */
  readonly workflow?: string | undefined;
  /** One id, or all that begin with a text. */
  readonly workflowId?: string | { readonly startsWith: string } | undefined;
  readonly queue?: string | undefined;
  /** Null: runs without one. */
  readonly version?: string | null | undefined;
  readonly status?: RunStatus | readonly RunStatus[] | undefined;
  /** Paused runs only, or only others. */
  readonly isPaused?: boolean | undefined;
  readonly startedAt?: TimeFilter | undefined;
  /** Open runs are outside of every range. */
  readonly closedAt?: TimeFilter | undefined;
  /** Which attempt the run is, of a whole run that is tried again: a number, or bounds such as `{ gte: 2 }`. */
  readonly attempt?: number | NumberFilter | undefined;
  /** By name: a value, null for runs without it, or a test such as `{ gte: 10 }`. `attributeSet.where()` checks the types. */
  readonly attributes?: AttributeFilters | undefined;
}

export interface RunOrder {
  /**
   * "startedAt" (default); "closedAt", or an attribute: then only runs that have it are listed, and a list stands by its first.
   * By closing, each page reads all closed runs of the filter.
   */
  readonly by?: "startedAt" | "closedAt" | { readonly attribute: string };
  /** Default "desc": the newest, or the highest value, first. Numbers and times come before texts in "asc". */
  readonly direction?: "asc" | "desc";
}

const FIELDS = [
  "workflow",
  "workflowId",
  "queue",
  "version",
  "status",
  "isPaused",
  "startedAt",
  "closedAt",
  "attempt",
  "attributes",
];
const COMPARISONS: readonly string[] = ["gt", "gte", "lt", "lte"];
const STATUSES: readonly string[] = [...OPEN_STATUSES, ...CLOSED_STATUSES];

/** Throws ARGUMENT_INVALID, naming the part. */
export function filterCall(filter: RunFilter): FilterCall {
  const unknown = Object.keys(filter).find((field) => !FIELDS.includes(field));
  if (unknown !== undefined)
    throw invalid(`where: there is no "${unknown}". Runs are filtered by: ${FIELDS.join(", ")}.`);
  const { workflow, workflowId, queue, version, status, isPaused, startedAt, closedAt, attempt, attributes } = filter;
  if (isPaused !== undefined && typeof isPaused !== "boolean") throw invalid("where: isPaused is true or false.");
  return {
    workflow,
    ...idsOf(workflowId),
    queue,
    version,
    status: status === undefined ? undefined : statusesOf(status),
    isPaused,
    startedAt: rangeOf(startedAt, "startedAt"),
    closedAt: rangeOf(closedAt, "closedAt"),
    attempt: attemptsOf(attempt),
    attributes: attributes === undefined ? undefined : attributeConditions(attributes),
  };
}

export function orderCall({ by = "startedAt", direction = "desc" }: RunOrder): OrderCall {
  if (direction !== "asc" && direction !== "desc") {
    throw invalid(`orderBy: direction is "asc" or "desc"; got ${JSON.stringify(direction)}.`);
  }
  const isDescending = direction === "desc";
  if (by === "startedAt" || by === "closedAt") return { by, isDescending };
  if (typeof by?.attribute !== "string")
    throw invalid('orderBy: by is "startedAt", "closedAt" or { attribute: name }.');
  return { by: { attribute: by.attribute }, isDescending };
}

function statusesOf(status: RunStatus | readonly RunStatus[]): readonly RunStatus[] {
  const statuses = typeof status === "string" ? [status] : status;
  const unknown = statuses.find((each) => !STATUSES.includes(each));
  if (unknown === undefined) return statuses;
  throw invalid(`where: there is no status ${JSON.stringify(unknown)}. Statuses are: ${STATUSES.join(", ")}.`);
}

function idsOf(workflowId: RunFilter["workflowId"]): Pick<FilterCall, "workflowId" | "workflowIdPrefix"> {
  if (workflowId === undefined || typeof workflowId === "string") return { workflowId };
  const { startsWith, ...rest } = workflowId ?? {};
  if (typeof startsWith === "string" && Object.keys(rest).length === 0) return { workflowIdPrefix: startsWith };
  throw invalid("where: workflowId is a text, or { startsWith: text }.");
}

function attemptsOf(attempt: RunFilter["attempt"]): FilterCall["attempt"] {
  if (attempt === undefined) return undefined;
  const bounds = Object.entries(typeof attempt === "number" ? { gte: attempt, lte: attempt } : attempt);
  const range = bounds.filter(([, bound]) => bound !== undefined);
  if (range.every(([name, bound]) => COMPARISONS.includes(name) && Number.isInteger(bound))) {
    return Object.fromEntries(range);
  }
  throw invalid("where: attempt is a whole number, or takes gt, gte, lt and lte, each a whole number.");
}

function rangeOf(filter: TimeFilter | undefined, field: string): FilterCall["startedAt"] {
  if (filter === undefined) return undefined;
  const bounds = Object.entries(filter).filter(([, bound]) => bound !== undefined);
  const range = bounds.map(([comparison, bound]: [string, unknown]) => {
    const at = bound instanceof Date ? bound.getTime() : bound;
    const isKnown = COMPARISONS.includes(comparison);
    if (!isKnown || typeof at !== "number" || !Number.isFinite(at)) {
      throw invalid(`where: ${field} takes gt, gte, lt and lte, each a valid Date or ms since the epoch.`);
    }
    return [comparison, at];
  });
  return Object.fromEntries(range);
}

function invalid(message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "where" } });
}
