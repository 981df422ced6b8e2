// Lists of runs, page by page: along the run ids, which is the order of starting, or along the values of an attribute.

import { DATA_KINDS } from "../run-data.ts";
import type { ListRequest, StoredSummary } from "../runs.ts";
import { ms } from "./columns.ts";
import type { Pool } from "./connection.ts";
import { Filter } from "./filtering.ts";
import { SUMMARY_COLUMNS, type SummaryRow, summaryOf } from "./reading.ts";
import { tryUuidOf } from "./run-id.ts";
import { composed, type Statement } from "./statements.ts";

export async function listRuns(pool: Pool, request: ListRequest): Promise<StoredSummary[]> {
  const { before: position = (request.byClosing ?? request.byAttribute)?.after?.runId } = request;
  const uuid = position === undefined ? undefined : tryUuidOf(position);
  if (uuid === null) return [];
  const { statement, values } = listStatement(request, uuid);
  return (await pool.query<SummaryRow>(statement, values)).map(summaryOf);
}

interface BoundStatement {
  readonly statement: Statement;
  readonly values: unknown[];
}

/**
 * Each set of the plain filters is a statement of its own, so that each gets its own plan; there are only a few of them.
 * The others have no name: they are planned when they are sent.
 */
export function listStatement(request: ListRequest, position: string | undefined): BoundStatement {
  const { byAttribute, byClosing } = request;
  if (byClosing !== undefined) return inOrderOfClosing(request, byClosing, position);
  return byAttribute === undefined
    ? inOrderOfStarting(request, position)
    : inOrderOfValues(request, byAttribute, position);
}

function inOrderOfStarting(request: ListRequest, position: string | undefined): BoundStatement {
  const filter = new Filter(request);
  const { key } = filter;
  const [operator, order] = request.isOldestFirst === true ? [">", "asc"] : ["<", "desc"];
  if (position !== undefined) filter.conditions.push(`${key}.run_id ${operator} ${filter.bind(position)}::uuid`);
  const text = `select ${SUMMARY_COLUMNS} from ${filter.from} ${filter.where}
    order by ${key}.run_id ${order} limit ${filter.bind(request.limit)}`;
  return { statement: composed(text), values: filter.values };
}

// No index has it: one would be written to by the end of every run. The time is compared in the form in which it was given out.
function inOrderOfClosing(
  request: ListRequest,
  { isDescending, after }: NonNullable<ListRequest["byClosing"]>,
  position: string | undefined,
): BoundStatement {
  const filter = new Filter(request);
  const closedAt = ms("r.closed_at");
  filter.conditions.push("r.closed_at is not null");
  const [operator, order] = isDescending ? ["<", "desc"] : [">", "asc"];
  if (after !== null && position !== undefined) {
    const bound = `${filter.bind(after.number)}::float8, ${filter.bind(position)}::uuid`;
    filter.conditions.push(`(${closedAt}, r.run_id) ${operator} (${bound})`);
  }
  const text = `select ${SUMMARY_COLUMNS} from ${filter.from} ${filter.where}
    order by ${closedAt} ${order}, r.run_id ${order} limit ${filter.bind(request.limit)}`;
  return { statement: composed(text), values: filter.values };
}

// A run has one row at place 0 of a name, so it comes once.
function inOrderOfValues(
  request: ListRequest,
  { name, isDescending, after }: NonNullable<ListRequest["byAttribute"]>,
  position: string | undefined,
): BoundStatement {
  const filter = new Filter(request);
  filter.conditions.push(`v.kind = ${DATA_KINDS.attribute}`, `v.name = ${filter.bind(name)}`, "v.place = 0");
  const [operator, order] = isDescending ? ["<", "desc"] : [">", "asc"];
  if (after !== null && position !== undefined) {
    const bound = `${filter.bind(after.number)}::float8, ${filter.bind(after.text)}::text, ${filter.bind(position)}::uuid`;
    filter.conditions.push(`(v.number, v.text, v.run_id) ${operator} (${bound})`);
  }
  const by = ["v.number", "v.text", "v.run_id"].map((column) => `${column} ${order}`).join(", ");
  const text = `select ${SUMMARY_COLUMNS} from ${filter.from} join everstep.run_data v on v.run_id = r.run_id ${filter.where}
    order by ${by} limit ${filter.bind(request.limit)}`;
  return { statement: composed(text), values: filter.values };
}
