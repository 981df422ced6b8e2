// The memo: values that a run shows to whoever looks at it. Nothing is found by them.

import { encodeMemo } from "../protocol/memo.ts";
import { requireRun } from "./ambient.ts";

/**
 * Sets keys of the current run's memo, or takes them away (null); other keys stay. Values are what payloads may be. They are
 * kept in the same commit as their event, and are seen at once by `workflowInfo()`. Waits for nothing. At replay the same
 * values are expected: another one is a divergence.
 *
 * Throws ARGUMENT_INVALID past 100 keys or 40 KiB in all; PAYLOAD_UNSERIALIZABLE; OUTSIDE_WORKFLOW where no run is;
 * COMMAND_IN_READ_ONLY in a query handler or a condition.
 */
export function upsertMemo(changes: Readonly<Record<string, unknown>>): void {
  const { run } = requireRun("upsertMemo()");
  run.upsert("memo", encodeMemo(changes, "upsertMemo()"));
}
