// How cost grows with one quantity: a table with a row for each value of it.

import type { Figure, Place } from "../scenario.ts";

export interface GrowthTable {
  readonly name: string;
  readonly title: string;
  /** What grows: the heading of the first column. */
  readonly by: string;
  /** Tells of each row when it is measured. The same figures in each, though a row may lack the last ones. */
  run(place: GrowthPlace, tell: (row: GrowthRow) => void): Promise<void>;
}

export interface GrowthPlace extends Place {
  /** Part of the rows to make where a database is filled; 1 for the full size. */
  readonly fill: number;
}

export interface GrowthRow {
  readonly at: string;
  readonly figures: readonly Figure[];
}

export function toMarkdown({ by }: GrowthTable, rows: readonly GrowthRow[]): string {
  const columns = [...new Set(rows.flatMap(({ figures }) => figures.map(headingOf)))];
  const lines = [
    [by, ...columns],
    ["---", ...columns.map(() => "---:")],
    ...rows.map(({ at, figures }) => [
      at,
      ...columns.map((column) => {
        const figure = figures.find((each) => headingOf(each) === column);
        return figure === undefined ? "–" : figure.value.toLocaleString("en-US", { maximumFractionDigits: 3 });
      }),
    ]),
  ];
  return lines.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

const headingOf = ({ name, unit }: Figure): string => (unit === "" ? name : `${name}, ${unit}`);
