// docs/errors.md and the catalogue say the same: an entry for every code and every kind of failure, none for anything
// else, each under the summary of the catalogue, and every example a message that the source can make.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseSync } from "vite";
import { describe, expect, test } from "vitest";
import { ERRORS, type ErrorCode } from "../../sdk/protocol/errors.ts";
import type { FailureKind } from "../../sdk/protocol/failure.ts";
import { readSourceTree } from "../support/source-tree.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const page = readFileSync(`${root}/docs/errors.md`, "utf8");

/** Text of each `###` section by its heading, in order. */
const entries = new Map(
  page
    .split(/^### /m)
    .slice(1)
    .map((section): [string, string] => {
      const [heading = "", ...lines] = section.split("\n");
      return [heading, lines.join("\n").split(/^## /m)[0] ?? ""];
    }),
);
const codes = [...entries.keys()].filter((heading) => !heading.startsWith("Failure: "));

test("every code has an entry and every entry a code, in the order of the catalogue", () => {
  expect(codes).toEqual(Object.keys(ERRORS));
});

test("every code and every kind of failure is linked from the head of the page", () => {
  const head = page.split("\n## ")[0] ?? "";
  const linked = [...head.matchAll(/\[([A-Z_]+|[a-z]+)\]\(#([a-z_-]+)\)/g)]
    .map(([, text, anchor]) => [text, anchor])
    .filter(([text]) => text !== "failures");
  const expected = [...entries.keys()].map((heading) => {
    const kind = /^Failure: (.*)$/.exec(heading)?.[1];
    return kind === undefined ? [heading, heading.toLowerCase()] : [kind, `failure-${kind}`];
  });
  expect(linked).toEqual(expected);
});

test("every kind of failure has an entry and every entry a kind", () => {
  const kinds = { application: 0, step: 0, child: 0, timeout: 0, canceled: 0, terminated: 0 } satisfies Record<
    FailureKind,
    0
  >;
  const described = [...entries.keys()].filter((heading) => heading.startsWith("Failure: "));
  expect(described).toEqual(Object.keys(kinds).map((kind) => `Failure: ${kind}`));
});

describe("an entry", () => {
  test.each(codes)("%s opens with the catalogue's summary, and says when and what to do", (code) => {
    const { summary, retryable } = ERRORS[code as ErrorCode];
    const entry = entries.get(code) ?? "";
    const sentence = `${summary.charAt(0).toUpperCase()}${summary.slice(1)}.`;
    expect(entry.trim().split("\n")[0]).toBe(`${sentence} ${retryable ? "Retryable." : "Not retryable."}`);
    expect(entry).toMatch(/\n\n> \S.*\n\n\*\*When\.\*\* .*\n\n\*\*Do\.\*\* /s);
  });
});

describe("an example", () => {
  const made = messagesIn([...readSourceTree(root, ["sdk", "runtime"]).values()]);

  test.each(codes)("of %s is a message of the source", (code) => {
    const [, example = ""] = /^> (.*)$/m.exec(entries.get(code) ?? "") ?? [];
    expect(made.some((pattern) => pattern.test(example))).toBe(true);
  });

  test("that nobody writes is noticed", () => {
    expect(made.some((pattern) => pattern.test("The frobnicator of run order-42 is out of tune."))).toBe(false);
  });
});

const MIN_TEXT = 16;

/** A pattern for each text in the sources that is long enough to tell; what is filled in may be anything. */
function messagesIn(sources: readonly string[]): RegExp[] {
  const patterns: RegExp[] = [];
  const add = (pieces: readonly string[]) => {
    if (pieces.join("").length < MIN_TEXT) return;
    patterns.push(new RegExp(pieces.map((piece) => piece.replace(/[.*+?^${}()|[\]\\]/g, "\\$&")).join(".*")));
  };
  const visit = (node: unknown): void => {
    if (Array.isArray(node)) return node.forEach(visit);
    if (typeof node !== "object" || node === null) return;
    const { type, value, quasis } = node as { type?: string; value?: unknown; quasis?: unknown };
    if (type === "Literal" && typeof value === "string") add([value]);
    if (type === "TemplateLiteral") add((quasis as { value: { cooked: string } }[]).map((each) => each.value.cooked));
    Object.values(node).forEach(visit);
  };
  for (const source of sources) visit(parseSync("source.ts", source, { lang: "ts" }).program);
  return patterns;
}
