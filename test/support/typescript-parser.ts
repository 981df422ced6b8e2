// A parser for ESLint that reads TypeScript: the trees of @typescript-eslint/parser, which needs another compiler than ours,
// from the parser that the test runner brings along. Tokens and comments are left out; no rule of ours looks at them.

import type { Linter } from "eslint";
import { parseSync } from "vite";

type Position = { readonly line: number; readonly column: number };

export const typescriptParser: Linter.Parser = {
  parseForESLint(source: string) {
    const { program, errors } = parseSync("test.ts", source, { lang: "ts", preserveParens: false });
    if (errors.length > 0) throw new SyntaxError(errors[0]?.message);
    const starts = [0, ...[...source.matchAll(/\n/g)].map(({ index }) => index + 1)];
    const positionOf = (offset: number): Position => {
      const line = starts.findLastIndex((start) => start <= offset);
      return { line: line + 1, column: offset - (starts[line] ?? 0) };
    };
    place(program, positionOf);
    return { ast: Object.assign(program, { tokens: [], comments: [] }) as never };
  },
};

function place(value: unknown, positionOf: (offset: number) => Position): void {
  if (typeof value !== "object" || value === null) return;
  if (Array.isArray(value)) for (const each of value) place(each, positionOf);
  if ("type" in value && "start" in value && "end" in value) {
    const { start, end } = value as { start: number; end: number };
    Object.assign(value, { range: [start, end], loc: { start: positionOf(start), end: positionOf(end) } });
  }
  for (const [key, child] of Object.entries(value)) if (key !== "loc" && key !== "range") place(child, positionOf);
}
