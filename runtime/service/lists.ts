// Lists and counts, between the words of callers and those of the store. A position in a list by attribute is the value
// and the run that stood last; callers hand it back as they got it.

import type { FilterCall, ListCall } from "../../sdk/client/front-door.ts";
import { attributeValueOf } from "../../sdk/protocol/attributes.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { memoValuesOf } from "../../sdk/protocol/memo.ts";
import type { RunSummary } from "../../sdk/protocol/run.ts";
import { type KeptData, rowsOf } from "../store/run-data.ts";
import type { AttributePosition, ListRequest, RunFilter, StoredSummary } from "../store/runs.ts";

/** Runs in a page, and groups in a count. */
export const MAX_LIST = 200;
export const DEFAULT_LIST = 50;

/** Throws ARGUMENT_INVALID. */
export function assertLimit(limit: number, caller: string): void {
  if (Number.isInteger(limit) && limit >= 1 && limit <= MAX_LIST) return;
  const message = `${caller}({ limit }) takes a whole number from 1 to ${MAX_LIST}; got ${String(limit)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "limit" } });
}

/** Without the fields that say nothing. */
export function runFilter(call: FilterCall): RunFilter {
  const { workflow, workflowId, workflowIdPrefix, queue, version, status, isPaused, attributes } = call;
  const { startedAt, closedAt, attempt } = call;
  const facts = { workflow, workflowId, workflowIdPrefix, queue, version, status, isPaused, attributes };
  const fields = { ...facts, startedAt, closedAt, attempt };
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}

export function listRequest(call: ListCall, limit: number): ListRequest {
  const { order, after } = call;
  const filter = { ...runFilter(call), limit };
  if (order != null && order.by !== "startedAt") {
    const { by, isDescending } = order;
    const place = { isDescending, after: after === undefined ? null : positionIn(after) };
    if (by !== "closedAt") return { ...filter, byAttribute: { name: by.attribute, ...place } };
    return { ...filter, byClosing: place };
  }
  return {
    ...filter,
    ...(after === undefined ? {} : { before: after }),
    ...(order?.isDescending === false ? { isOldestFirst: true } : {}),
  };
}

/** Where the page after this run begins. */
export function positionOf(run: StoredSummary, { byAttribute, byClosing }: ListRequest): string {
  if (byClosing !== undefined) return encodePosition(run.closedAt, "", run.runId);
  if (byAttribute === undefined) return run.runId;
  const value = run.data.attributes[byAttribute.name];
  const [row] = value === undefined ? [] : rowsOf(value);
  return encodePosition(row?.number ?? null, row?.text ?? "", run.runId);
}

function encodePosition(number: number | null, text: string, runId: string): string {
  // JSON has no infinity; a text's number is null.
  const finite = number !== null && Number.isFinite(number) ? number : null;
  return Buffer.from(JSON.stringify([finite, text, runId])).toString("base64url");
}

function positionIn(after: string): AttributePosition {
  try {
    const [number, text, runId] = JSON.parse(Buffer.from(after, "base64url").toString()) as unknown[];
    const isNumber = number === null || typeof number === "number";
    if (isNumber && typeof text === "string" && typeof runId === "string" && !text.includes("\0")) {
      return { number: number ?? Number.POSITIVE_INFINITY, text, runId };
    }
  } catch {
    // Said below.
  }
  const message = "list({ after }) takes `next` of a page that was asked for with the same order.";
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "after" } });
}

export function shownSummary({ data, ...summary }: StoredSummary): RunSummary {
  return { ...summary, ...shownData(data, summary.workflowId) };
}

export function shownData(
  { attributes, memo, summary = "" }: KeptData,
  workflowId: string,
): Pick<RunSummary, "attributes" | "memo" | "staticSummary"> {
  const values = Object.entries(attributes).map(([name, stored]) => [name, attributeValueOf(stored)]);
  return {
    attributes: Object.fromEntries(values),
    memo: memoValuesOf(memo, `memo of run ${workflowId}`),
    staticSummary: summary === "" ? null : summary,
  };
}
