// Which runs are meant, and in what order their values are. Texts compare by their UTF-8, as Postgres compares them.

import type { AttributeCondition, ComparedValue, Comparison } from "../../../sdk/protocol/attribute-filter.ts";
import { ATTRIBUTE_CODES } from "../../../sdk/protocol/attributes.ts";
import { DATA_KINDS, type DataRow } from "../run-data.ts";
import type { RunFilter, TimeRange } from "../runs.ts";
import { type StoredRun, statusOf } from "./stored-run.ts";

export function isMeant(run: StoredRun, filter: RunFilter): boolean {
  const { workflow, workflowId, workflowIdPrefix, queue, version, status, isPaused, attributes = [] } = filter;
  return (
    (workflow === undefined || run.workflow === workflow) &&
    (workflowId === undefined || run.workflowId === workflowId) &&
    (queue === undefined || run.queue === queue) &&
    (version === undefined || run.version === version) &&
    (status === undefined || status.includes(statusOf(run))) &&
    (isPaused === undefined || isPaused === (run.head?.paused != null)) &&
    (workflowIdPrefix === undefined || run.workflowId.startsWith(workflowIdPrefix)) &&
    isWithin(run.startedAt, filter.startedAt) &&
    isWithin(run.closed?.at ?? null, filter.closedAt) &&
    isWithin(run.attempt, filter.attempt) &&
    attributes.every((condition) => holds(run, condition))
  );
}

export function rowsOfAttribute(run: StoredRun, name: string): readonly DataRow[] {
  return run.data.get(`${DATA_KINDS.attribute} ${name}`) ?? [];
}

/** Negative when `a` comes first. */
export function compareValues(a: Pick<DataRow, "number" | "text">, b: Pick<DataRow, "number" | "text">): number {
  if (a.number !== b.number) return a.number < b.number ? -1 : 1;
  return compareTexts(a.text, b.text);
}

export function compareTexts(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

function isWithin(at: number | null, range: TimeRange | undefined): boolean {
  if (range === undefined || Object.values(range).every((bound) => bound === undefined)) return true;
  if (at === null) return false;
  const { gt, gte, lt, lte } = range;
  return (
    (gt === undefined || at > gt) &&
    (gte === undefined || at >= gte) &&
    (lt === undefined || at < lt) &&
    (lte === undefined || at <= lte)
  );
}

function holds(run: StoredRun, { name, isNegated, tests }: AttributeCondition): boolean {
  const hasOne = rowsOfAttribute(run, name).some((row) =>
    tests.every(({ comparison, values }) => passes(row, comparison, values)),
  );
  return hasOne !== isNegated;
}

function passes(row: DataRow, comparison: Comparison, values: readonly ComparedValue[]): boolean {
  if (comparison === "oneOf") return values.some((each) => passes(row, "equals", [each]));
  const [compared] = values;
  if (compared === undefined || !isOfKind(row, compared.kind)) return false;
  const { kind, value } = compared;
  if (comparison === "startsWith") return row.text.startsWith(String(value));
  if (comparison === "contains") return row.text.includes(String(value));
  const order = kind === "text" ? compareTexts(row.text, String(value)) : row.number - Number(value);
  switch (comparison) {
    case "equals":
      return order === 0;
    case "gt":
      return order > 0;
    case "gte":
      return order >= 0;
    case "lt":
      return order < 0;
    case "lte":
      return order <= 0;
  }
}

function isOfKind({ type }: DataRow, kind: ComparedValue["kind"]): boolean {
  switch (type) {
    case ATTRIBUTE_CODES.int:
    case ATTRIBUTE_CODES.double:
      return kind === "number";
    case ATTRIBUTE_CODES.bool:
      return kind === "bool";
    case ATTRIBUTE_CODES.datetime:
      return kind === "time";
    default:
      return kind === "text";
  }
}
