// Lists of runs, newest first, page by page along the run ids. Texts of the statement come from here alone; whatever the
// caller filters by is bound.

import { isClosed, type RunStatus, type RunSummary, STATUS_CODES } from "../../../sdk/protocol/run.ts";
import type { ListRequest } from "../store.ts";
import type { Pool, Statement } from "./connection.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summaryOf } from "./reading.ts";
import { tryUuidOf } from "./run-id.ts";

export async function listRuns(pool: Pool, request: ListRequest): Promise<RunSummary[]> {
  const before = request.before === undefined ? undefined : tryUuidOf(request.before);
  if (before === null) return [];
  const { statement, values } = listStatement(request, before);
  return (await pool.query<SummaryRow>(statement, values)).map(summaryOf);
}

/** Each set of filters is a statement of its own, so that each gets its own plan; there are only a few of them. */
export function listStatement(
  { workflow, workflowId, queue, status, limit }: ListRequest,
  before: string | undefined,
): { statement: Statement; values: unknown[] } {
  const values: unknown[] = [];
  const conditions: string[] = [];
  const marks: string[] = [];
  const where = (mark: string, condition: (parameter: string) => string, value: unknown) => {
    if (value === undefined) return;
    values.push(value);
    conditions.push(condition(`$${values.length}`));
    marks.push(mark);
  };
  // Open runs are few and have a table of their own; going through all of history to find them would be slow.
  const isOpenOnly = status?.every((one) => !isClosed(one)) ?? false;
  const key = isOpenOnly ? "o" : "r";
  where("workflow", (p) => `r.workflow = ${p}`, workflow);
  where("id", (p) => `${key}.workflow_id = ${p}`, workflowId);
  where("queue", (p) => `${key}.queue = ${p}`, queue);
  where("before", (p) => `${key}.run_id < ${p}::uuid`, before);
  if (status !== undefined) {
    const { condition, mark, codes } = statusFilter(status);
    if (codes.length > 0) values.push(codes);
    conditions.push(condition(`$${values.length}`));
    marks.push(mark);
  }
  values.push(limit);
  const from = isOpenOnly
    ? "everstep.open_run o join everstep.run r on r.run_id = o.run_id"
    : "everstep.run r left join everstep.open_run o on o.run_id = r.run_id";
  const filter = conditions.length === 0 ? "" : `where ${conditions.join(" and ")}`;
  const text = `select ${SUMMARY_COLUMNS} from ${from} ${filter} order by ${key}.run_id desc limit $${values.length}`;
  return { statement: { name: `everstep_list_${isOpenOnly ? "open_" : ""}${marks.join("_")}`, text }, values };
}

function statusFilter(status: readonly RunStatus[]): {
  condition: (parameter: string) => string;
  mark: string;
  codes: number[];
} {
  const codes = status.filter(isClosed).map((one) => STATUS_CODES[one]);
  const isRunning = status.includes("running");
  const isBlocked = status.includes("blocked");
  const conditions: ((parameter: string) => string)[] = [];
  if (codes.length > 0) conditions.push((p) => `r.status = any(${p}::smallint[])`);
  if (isRunning) conditions.push(() => "(o.run_id is not null and o.blocked is null)");
  if (isBlocked) conditions.push(() => "o.blocked is not null");
  return {
    condition: (p) => (conditions.length === 0 ? "false" : `(${conditions.map((one) => one(p)).join(" or ")})`),
    mark: `status${codes.length > 0 ? "c" : ""}${isRunning ? "r" : ""}${isBlocked ? "b" : ""}`,
    codes,
  };
}
