// A row as one text, which costs both sides less than a value per column. The mark between the columns is one of those between
// the values of a parameter: no stored text holds it.

import { invariant } from "../../../sdk/protocol/errors.ts";

const COLUMN = "\u001f";

/** SQL. None of the columns may be null; those that are have a form of their own. */
export function joinedRow(columns: readonly string[]): string {
  return `concat_ws(E'\\x1f', ${columns.join(", ")})`;
}

/** `count`: how many there are. A null among them would have moved those after it. */
export function columnsOf(row: string, count: number): string[] {
  const columns = row.split(COLUMN);
  if (columns.length !== count)
    invariant(false, "a joined row has all of its columns", { count, found: columns.length });
  return columns;
}

/** SQL for a number that may be null. */
export function nullableNumber(expression: string): string {
  return `coalesce((${expression})::text, '')`;
}

export function numberOf(column: string): number | null {
  return column === "" ? null : Number(column);
}

/** SQL for a text that may be null: a mark before what is there tells an empty one from none. */
export function nullableText(expression: string): string {
  return `coalesce('.' || ${expression}, '')`;
}

export function textOf(column: string): string | null {
  return column === "" ? null : column.slice(1);
}
