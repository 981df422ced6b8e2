// The house's rules that a machine can hold: which way imports point, who may name a driver, and that nothing but the
// world reads the clock. Each rule takes parsed files and returns complaints, one sentence each; none means it holds.

import { isBuiltin } from "node:module";
import { posix } from "node:path";
import type { SourceFile } from "./source-tree.ts";

type Rule = (files: readonly SourceFile[]) => string[];

const SDK = ["sdk/protocol", "sdk/workflow"];
const PORTS = ["runtime/world", "runtime/store", "runtime/lease", "runtime/wake"];
const RULES = ["runtime/service", "runtime/replay", "runtime/telemetry"];
const LOOPS = ["runtime/worker", "runtime/scheduler"];

/** What a part may import beside itself. Parts are folders; `sdk` and `runtime` are the files right inside them. */
export const ALLOWED_EDGES: Readonly<Record<string, readonly string[]>> = {
  "sdk/protocol": [],
  "sdk/workflow": ["sdk/protocol"],
  "sdk/client": SDK,
  "sdk/eslint": [],
  sdk: [...SDK, "sdk/client"],
  "runtime/world": ["sdk/protocol"],
  "runtime/store": ["sdk/protocol", "runtime/world"],
  // Codecs stand before a store, and belong to no run, whoever calls them.
  "runtime/codecs": [...SDK, "runtime/world", "runtime/store"],
  "runtime/lease": ["sdk/protocol", "runtime/world", "runtime/store"],
  "runtime/wake": ["sdk/protocol", "runtime/world", "runtime/store"],
  "runtime/telemetry": ["sdk/protocol", "runtime/world"],
  "runtime/replay": SDK,
  "runtime/service": [...SDK, "sdk/client", ...PORTS, "runtime/replay", "runtime/telemetry"],
  // A worker runs the scheduler's services; they never know of it.
  "runtime/worker": [...SDK, ...PORTS, ...RULES, "runtime/scheduler"],
  "runtime/scheduler": [...SDK, ...PORTS, ...RULES],
  "runtime/embedded": ["sdk/protocol", "runtime/world"],
  runtime: [
    ...SDK,
    "sdk",
    "sdk/client",
    ...PORTS,
    ...RULES,
    ...LOOPS,
    "runtime/codecs",
    "runtime/embedded",
    "runtime/http",
    "runtime/dashboard",
  ],
  "runtime/testing": [...SDK, "sdk", "sdk/client", ...PORTS, ...RULES, ...LOOPS, "runtime", "runtime/codecs"],
  "runtime/http": [...SDK, "sdk/client", ...PORTS, ...RULES, "runtime/dashboard"],
  "runtime/dashboard": ["sdk/protocol"],
  "runtime/cli": [
    ...SDK,
    "sdk",
    "sdk/client",
    ...PORTS,
    ...RULES,
    ...LOOPS,
    "runtime",
    "runtime/codecs",
    "runtime/embedded",
    // `everstep check` is the test kit's check of histories.
    "runtime/testing",
    "runtime/http",
  ],
};

/** A package that is not here is not used: a new dependency is a decision, and its place is part of it. */
export const ALLOWED_PACKAGES: Readonly<Record<string, readonly string[]>> = {
  pg: ["runtime/store/postgres", "runtime/lease/postgres", "runtime/wake/postgres"],
  "pg-listen": ["runtime/wake/postgres"],
  "node-pg-migrate": ["runtime/store/postgres"],
  ioredis: ["runtime/lease/redis", "runtime/wake/redis"],
  superjson: ["sdk/protocol"],
  semver: ["sdk/protocol"],
  pino: ["runtime/world"],
  commander: ["runtime/cli"],
  vitest: ["runtime/testing/vitest"],
};

/** Where the real clock, chance and timers are named, and where their stand-ins are put in their place. */
const WORLDLY_PLACES = ["runtime/world/", "runtime/worker/guards"];

const HIDING_NAMES = new Set([
  "utils",
  "util",
  "common",
  "helpers",
  "helper",
  "types",
  "models",
  "lib",
  "core",
  "misc",
]);

export const importsPointOneWay: Rule = (files) =>
  everyImport(files, (file, target) => {
    const [from, to] = [partOf(file.path), partOf(target)];
    if (from === to || ALLOWED_EDGES[from]?.includes(to)) return undefined;
    return `${file.path} imports ${target}: ${from} may not know ${to}.`;
  });

export const sdkNeverKnowsTheRuntime: Rule = (files) =>
  everyImport(files, (file, target) =>
    file.path.startsWith("sdk/") && !target.startsWith("sdk/") ? `${file.path} imports ${target}.` : undefined,
  );

/** Implementations of one port do not lean on each other, except that Postgres ones share the connection code. */
export const adaptersStandAlone: Rule = (files) =>
  everyImport(files, (file, target) => {
    const [from, to] = [adapterOf(file.path), adapterOf(target)];
    if (from === undefined || to === undefined || from === to) return undefined;
    if (from.endsWith("/postgres") && to === "runtime/store/postgres") return undefined;
    return `${file.path} imports ${target}: ${from} may not lean on ${to}.`;
  });

export const packagesKeepTheirPlace: Rule = (files) =>
  files.flatMap((file) =>
    file.imports
      .filter(({ isRelative, specifier }) => !isRelative && !isBuiltin(specifier))
      .filter(({ target }) => !ALLOWED_PACKAGES[target]?.some((folder) => file.path.startsWith(`${folder}/`)))
      .map(({ target }) => `${file.path} imports ${target}, which has no business there.`),
  );

export const onlyTheWorldIsWorldly: Rule = (files) =>
  files
    .filter(({ path }) => !WORLDLY_PLACES.some((place) => path.startsWith(place)))
    .flatMap(({ path, worldly }) => {
      const uses = path.startsWith("runtime/cli/") ? worldly.filter((use) => use !== "console") : worldly;
      return [...new Set(uses)].map((use) => `${path} uses ${use}: take it from the World.`);
    });

export const namesDoNotHide: Rule = (files) =>
  files.flatMap(({ path }) => {
    const hiding = path.split("/").find((part) => HIDING_NAMES.has(part.replace(/(\.test)?\.ts$/, "")));
    return hiding === undefined ? [] : [`${path}: "${hiding}" says nothing of what is inside.`];
  });

/** Of imports that exist at run time: a type may look back, code may not. */
export const importsMakeNoCycles: Rule = (files) => {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const settled = new Set<string>();
  const cycles: string[] = [];
  const visit = (path: string, trail: readonly string[]): void => {
    const start = trail.indexOf(path);
    if (start >= 0) cycles.push(`${[...trail.slice(start), path].join(" -> ")} is a cycle.`);
    if (start >= 0 || settled.has(path)) return;
    for (const { target, isRelative, isTypeOnly } of byPath.get(path)?.imports ?? []) {
      if (isRelative && !isTypeOnly) visit(target, [...trail, path]);
    }
    settled.add(path);
  };
  for (const { path } of files) visit(path, []);
  return cycles;
};

function everyImport(
  files: readonly SourceFile[],
  complaint: (file: SourceFile, target: string) => string | undefined,
): string[] {
  return files.flatMap((file) =>
    file.imports.filter(({ isRelative }) => isRelative).flatMap(({ target }) => complaint(file, target) ?? []),
  );
}

/** `runtime/store/postgres/pool.ts` belongs to `runtime/store`, `runtime/runtime.ts` to `runtime`. */
function partOf(path: string): string {
  return posix.dirname(path).split("/").slice(0, 2).join("/");
}

function adapterOf(path: string): string | undefined {
  return /^runtime\/(?:store|lease|wake)\/[^/]+(?=\/)/.exec(path)?.[0];
}
