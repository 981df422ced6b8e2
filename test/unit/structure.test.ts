// Holds the house's shape: see test/support/structure-rules.ts for the rules. Each rule is also shown a small tree that
// breaks it, so that none of them can pass by seeing nothing.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parseSource, readSourceTree } from "../support/source-tree.ts";
import * as rules from "../support/structure-rules.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const files = [...readSourceTree(root, ["sdk", "runtime"])].map(([path, source]) => parseSource(path, source));

const fake = (tree: Record<string, string>) => Object.entries(tree).map(([path, source]) => parseSource(path, source));

test("the tree under test is the real one", () => {
  expect(files.map(({ path }) => path)).toContain("sdk/protocol/event.ts");
  expect(files.map(({ path }) => path)).toContain("runtime/world/world.ts");
  expect(files.flatMap(({ imports }) => imports).length).toBeGreaterThan(20);
});

describe("imports point one way", () => {
  test("in the source", () => expect(rules.importsPointOneWay(files)).toEqual([]));

  test("a port that imports the worker is named, also when it only wants a type", () => {
    const tree = fake({
      "runtime/store/store.ts": 'import type { Worker } from "../worker/worker.ts";',
    });
    expect(rules.importsPointOneWay(tree)).toEqual([
      "runtime/store/store.ts imports runtime/worker/worker.ts: runtime/store may not know runtime/worker.",
    ]);
  });

  test("the engine may not know a store, and the protocol nobody", () => {
    const tree = fake({
      "runtime/replay/engine.ts": 'const store = await import("../store/store.ts");',
      "sdk/protocol/event.ts": 'export * from "../workflow/step.ts";',
    });
    expect(rules.importsPointOneWay(tree)).toHaveLength(2);
  });

  test("a part that the table does not list may know nothing", () => {
    const tree = fake({
      "runtime/newcomer/a.ts": 'import { a } from "../world/world.ts";',
    });
    expect(rules.importsPointOneWay(tree)).toHaveLength(1);
  });
});

describe("the sdk never imports the runtime", () => {
  test("in the source", () => expect(rules.sdkNeverKnowsTheRuntime(files)).toEqual([]));

  test("an sdk file that does is named", () => {
    const tree = fake({
      "sdk/index.ts": 'import { a } from "../runtime/index.ts";',
    });
    expect(rules.sdkNeverKnowsTheRuntime(tree)).toEqual(["sdk/index.ts imports runtime/index.ts."]);
  });
});

describe("implementations of a port stand alone", () => {
  test("in the source", () => expect(rules.adaptersStandAlone(files)).toEqual([]));

  test("memory leaning on postgres is named; a Postgres lease sharing the store's connections is fine", () => {
    const tree = fake({
      "runtime/store/memory/store.ts": 'import { a } from "../postgres/rows.ts";',
      "runtime/lease/postgres/leases.ts": 'import { a } from "../../store/postgres/pool.ts";',
    });
    expect(rules.adaptersStandAlone(tree)).toHaveLength(1);
  });
});

describe("packages keep their place", () => {
  test("in the source", () => expect(rules.packagesKeepTheirPlace(files)).toEqual([]));

  test("a driver outside its folder and an unlisted package are named, a builtin is not", () => {
    const tree = fake({
      "runtime/worker/worker.ts": 'import pg from "pg"; import { join } from "node:path";',
      "runtime/store/postgres/pool.ts": 'import pg from "pg"; import leftPad from "left-pad";',
      "runtime/lease/redis/leases.ts": 'import type { Redis } from "ioredis";',
    });
    expect(rules.packagesKeepTheirPlace(tree)).toEqual([
      "runtime/worker/worker.ts imports pg, which has no business there.",
      "runtime/store/postgres/pool.ts imports left-pad, which has no business there.",
    ]);
  });
});

describe("only the world reads clocks, draws chance and sets timers", () => {
  test("in the source", () => expect(rules.onlyTheWorldIsWorldly(files)).toEqual([]));

  test.each([
    ["Date.now()", "Date.now"],
    ["new Date()", "new Date()"],
    ["globalThis.setTimeout(f, 1)", "setTimeout"],
    ["setInterval(f, 1)", "setInterval"],
    ["Math.random()", "Math.random"],
    ["crypto.randomUUID()", "crypto.randomUUID"],
    ["performance.now()", "performance.now"],
    ["console.log(1)", "console"],
    ['import { randomUUID } from "node:crypto"', "crypto.randomUUID"],
    ['import { setTimeout as wait } from "node:timers/promises"', "import of timers/promises"],
  ])("%s in a worker is named", (source, use) => {
    const complaints = rules.onlyTheWorldIsWorldly(fake({ "runtime/worker/worker.ts": source }));
    expect(complaints).toContain(`runtime/worker/worker.ts uses ${use}: take it from the World.`);
  });

  test.each([
    "// Date.now() and setTimeout() in a comment",
    'const text = "Math.random()";',
    "const at = new Date(event.at);",
    "clock.setTimeout(1); const shape = { setTimeout: 1, now: 2 };",
  ])("%s is fine", (source) => {
    expect(rules.onlyTheWorldIsWorldly(fake({ "runtime/worker/worker.ts": source }))).toEqual([]);
  });

  test("the world and the guards may", () => {
    const tree = fake({
      "runtime/world/system.ts": "Date.now();",
      "runtime/worker/guards.ts": "setTimeout(f, 1);",
    });
    expect(rules.onlyTheWorldIsWorldly(tree)).toEqual([]);
  });
});

describe("names say what is inside", () => {
  test("in the source", () => expect(rules.namesDoNotHide(files)).toEqual([]));

  test("a folder or a file that hides is named", () => {
    const tree = fake({
      "runtime/utils/sleep.ts": "",
      "sdk/workflow/types.ts": "",
      "sdk/workflow/step.ts": "",
    });
    expect(rules.namesDoNotHide(tree)).toHaveLength(2);
  });
});

describe("imports make no cycles", () => {
  test("in the source", () => expect(rules.importsMakeNoCycles(files)).toEqual([]));

  test("a cycle of three is spelled out; a type that looks back is none", () => {
    const tree = fake({
      "sdk/a.ts": 'import { b } from "./b.ts";',
      "sdk/b.ts": 'import { c } from "./c.ts";',
      "sdk/c.ts": 'import { a } from "./a.ts";',
      "sdk/d.ts": 'import { type E, type F } from "./e.ts";',
      "sdk/e.ts": 'import { d } from "./d.ts";',
    });
    expect(rules.importsMakeNoCycles(tree)).toEqual(["sdk/a.ts -> sdk/b.ts -> sdk/c.ts -> sdk/a.ts is a cycle."]);
  });
});

test("the lock file and npm's settings name no registry", () => {
  for (const file of ["package-lock.json", ".npmrc"]) {
    expect(readFileSync(`${root}/${file}`, "utf8")).not.toMatch(/"resolved":\s*"https?:|^\s*(@[^:]+:)?registry\s*=/m);
  }
});
