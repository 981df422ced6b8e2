/**
 * SQL for `column = value`, where `column` leads an index of a table and `value` comes with the rows of a set: of parameters,
 * or of another part of the statement. The index is looked into once for each row of the set, whatever is known of the table.
 *
 * An equality would leave the planner the choice, and it chooses by statistics. Those that were gathered while the table was
 * nearly empty say that it has one row: then the table is read whole for each row of the set, or whole and once for a join by
 * hash or by merging, until it is analyzed again. Membership of an array is an equality, also where a row that was waited for
 * is judged once more, but none that Postgres joins by other than an index.
 */
export function lookup(column: string, value: string): string {
  return `${column} = any(array[${value}])`;
}
