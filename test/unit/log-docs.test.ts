// The log lines that docs/operations.md tells operators to alert on are lines that the source writes.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { root } from "../support/pages.ts";
import { readSourceTree } from "../support/source-tree.ts";

const page = readFileSync(`${root}/docs/operations.md`, "utf8");
const [, table = ""] = page.split("Lines worth an alert:");
const told = [...table.matchAll(/^\| (error|warn) \| `([^`]+)` \|/gm)].map(([, level = "", message = ""]) => ({
  level,
  message,
}));

test("there are such lines", () => expect(told.length).toBeGreaterThan(5));

test.each(told)("$level: $message", ({ level, message }) => {
  const sources = [...readSourceTree(root, ["runtime"]).values()];
  const text = message.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  // Within a call of that level; the watchdog's thread writes its lines by itself, all as errors.
  const call = level === "error" ? "(?:\\.error|\\bsay)" : `\\.${level}`;
  const line = new RegExp(`${call}\\([^;]*["\`]${text}`);
  expect(sources.some((source) => line.test(source))).toBe(true);
});
