// How many runs there are, by group. Counting looks at every run that is meant: it takes time in proportion to them.

import { STATUS_CODES } from "../../../sdk/protocol/run.ts";
import { countedValueOf, DATA_KINDS } from "../run-data.ts";
import type { CountBy, CountRequest, RunCount } from "../runs.ts";
import type { Pool } from "./connection.ts";
import { Filter } from "./filtering.ts";
import { composed, type Statement } from "./statements.ts";

const STATUS_NAMES = Object.entries(STATUS_CODES)
  .map(([status, code]) => `when ${code} then '${status}'`)
  .join(" ");

const NAMES: Readonly<Record<Extract<CountBy, string>, string>> = {
  status: `case when o.blocked is not null then 'blocked' else case r.status ${STATUS_NAMES} end end`,
  workflow: "r.workflow",
  version: "r.version",
  queue: "r.queue",
};

interface CountRow {
  type: number | null;
  number: number | null;
  text: string | null;
  count: number;
}

export async function countRuns(pool: Pool, request: CountRequest): Promise<RunCount[]> {
  const { statement, values } = countStatement(request);
  const rows = await pool.query<CountRow & Record<string, unknown>>(statement, values);
  return rows.map(({ count, type, number, text }) => {
    const isValue = type !== null && number !== null && text !== null;
    return { value: isValue ? countedValueOf({ type, number, text }) : null, count };
  });
}

function countStatement({ by, limit, ...given }: CountRequest): { statement: Statement; values: unknown[] } {
  const filter = new Filter(given);
  let groups = "null::smallint as type, null::float8 as number, null::text as text";
  let join = "";
  if (typeof by === "string") {
    groups = `1::smallint as type, 'infinity'::float8 as number, (${NAMES[by]}) collate "C" as text`;
  } else if (by !== null) {
    const name = filter.bind(by.attribute);
    groups = "v.type, v.number, v.text";
    join = `left join everstep.run_data v on v.run_id = r.run_id and v.kind = ${DATA_KINDS.attribute} and v.name = ${name}`;
  }
  const text = `
    select type, number, text, count(*)::float8 as count
    from (select ${groups} from ${filter.from} ${join} ${filter.where}) each_run
    group by type, number, text order by count desc, number, text, type limit ${filter.bind(limit)}`;
  return { statement: composed(text), values: filter.values };
}
