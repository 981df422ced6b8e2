// The types that users compile against, emitted as the build does: they name no package, so nobody needs the types of our
// drivers to use ours.

import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root } from "../support/pages.ts";
import { parseSource } from "../support/source-tree.ts";

let dir: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "everstep-types-"));
  const compiler = join(root, "node_modules", "typescript", "bin", "tsc");
  const project = ["-p", join(root, ".config", "tsconfig.build.json")];
  // Errors of types are told by `npm run check`; declarations are written all the same.
  await promisify(execFile)(process.execPath, [compiler, ...project, "--emitDeclarationOnly", "--outDir", dir]).catch(
    () => {},
  );
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** Every file that the types of `path` lead to, with the packages it names. */
function packagesBehind(path: string, seen = new Map<string, string[]>()): Map<string, string[]> {
  if (seen.has(path)) return seen;
  const { imports } = parseSource(path, readFileSync(join(dir, path), "utf8"));
  seen.set(
    path,
    imports.filter(({ isRelative }) => !isRelative).map(({ specifier }) => specifier),
  );
  for (const { isRelative, target } of imports)
    if (isRelative) packagesBehind(target.replace(/\.[jt]s$/, ".d.ts"), seen);
  return seen;
}

const DOORS = [
  "sdk/index.d.ts",
  "runtime/client.d.ts",
  "runtime/index.d.ts",
  "runtime/testing/index.d.ts",
  "runtime/codecs/index.d.ts",
];

test.each(DOORS)("%s needs no other package", (door) => {
  const behind = packagesBehind(door);
  expect(behind.size).toBeGreaterThan(5);
  expect([...behind].filter(([, packages]) => packages.length > 0)).toEqual([]);
});

test("the lint rules need no other package, not even ESLint", () => {
  const behind = packagesBehind("sdk/eslint/index.d.ts");
  expect(behind.size).toBeGreaterThan(2);
  expect([...behind].filter(([, packages]) => packages.length > 0)).toEqual([]);
});

test("a file that does name a package is noticed", () => {
  expect(
    packagesBehind("runtime/store/postgres/connection.d.ts").get("runtime/store/postgres/connection.d.ts"),
  ).toEqual(["pg"]);
});
