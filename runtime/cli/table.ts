// Text in columns, as people read it in a terminal and as `awk` can cut it: two spaces between columns, no frames.

/** A heading and rows; cells are as wide as their column's widest, the last one as long as it is. */
export function formatTable(heading: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heading, ...rows];
  const widths = heading.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? "").length)));
  return lines
    .map((cells) =>
      cells
        .map((cell, column) => cell.padEnd(widths[column] ?? 0))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** Names and what they stand for, one a line; those without a value are left out. */
export function formatFacts(facts: Readonly<Record<string, string | null | undefined>>): string {
  const told = Object.entries(facts).filter((fact): fact is [string, string] => fact[1] != null);
  const width = Math.max(...told.map(([name]) => name.length));
  return told.map(([name, value]) => `${name.padEnd(width)}  ${value}`).join("\n");
}

/** A text that a person chose, on one line and without what a terminal would take for a command. */
export function formatLine(text: string): string {
  return formatText(text.replaceAll(/\s+/g, " ").trim());
}

/** The same on its own lines. */
export function formatText(text: string): string {
  return text.replaceAll(/[^\P{Cc}\n\t]/gu, "�");
}

/** To the second, in UTC: the same text wherever it is read. */
export function formatTime(atMs: number | null): string {
  return atMs === null ? "-" : `${new Date(atMs).toISOString().slice(0, 19).replace("T", " ")}Z`;
}
