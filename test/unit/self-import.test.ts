import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import * as byName from "everstep";
import { expect, test } from "vitest";
import * as bySource from "../../sdk/index.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));

test("tests that import the package by its name get the sources, once", () => {
  expect(byName.workflow).toBe(bySource.workflow);
});

test("a script run with the source condition gets the sources too", () => {
  const print = "console.log(import.meta.resolve('everstep'))";
  const args = ["--conditions=everstep-source", "--import", "tsx", "--input-type=module", "-e", print];
  const resolved = execFileSync(process.execPath, args, { cwd: root, encoding: "utf8" }).trim();
  expect(fileURLToPath(resolved)).toBe(fileURLToPath(new URL("../../sdk/index.ts", import.meta.url)));
});
