// Reads source files as what they import and which globals they reach for, by parsing them: a word in a comment or a
// string is neither. structure.test.ts judges what it finds.

import { readdirSync, readFileSync } from "node:fs";
import { posix } from "node:path";
import { parseSync } from "vite";

export interface SourceFile {
  /** From the package's root, with slashes. */
  readonly path: string;
  readonly imports: readonly SourceImport[];
  /** Uses of the clock, of chance, of timers and of the console that no parameter gave, as `Date.now`. */
  readonly worldly: readonly string[];
}

export interface SourceImport {
  readonly specifier: string;
  /** The imported file's path for a relative import, else the package's name. */
  readonly target: string;
  readonly isRelative: boolean;
  /** Gone when compiled, so it cannot close a cycle. */
  readonly isTypeOnly: boolean;
}

/** All TypeScript files below the folders. */
export function readSourceTree(rootDir: string, folders: readonly string[]): Map<string, string> {
  const sources = new Map<string, string>();
  for (const folder of folders) {
    for (const entry of readdirSync(posix.join(rootDir, folder), {
      recursive: true,
      encoding: "utf8",
    })) {
      const path = posix.join(folder, entry.replaceAll("\\", "/"));
      if (path.endsWith(".ts")) sources.set(path, readFileSync(posix.join(rootDir, path), "utf8"));
    }
  }
  return sources;
}

type Node = { readonly type: string } & Readonly<Record<string, unknown>>;

export function parseSource(path: string, source: string): SourceFile {
  const { program, errors } = parseSync(path, source, { lang: "ts" });
  if (errors.length > 0) throw new Error(`${path} does not parse: ${errors[0]?.message}`);
  const imports: SourceImport[] = [];
  const worldly: string[] = [];
  walk(program, (node) => {
    const found = importOf(node);
    if (found) imports.push({ ...found, ...resolveImport(path, found.specifier) });
    worldly.push(...worldlyUse(node));
  });
  return { path, imports, worldly };
}

function walk(value: unknown, visit: (node: Node) => void): void {
  if (Array.isArray(value)) for (const item of value) walk(item, visit);
  else if (isNode(value)) {
    visit(value);
    for (const [key, child] of Object.entries(value)) {
      // A property's or a member's own name is not a use of the global of that name.
      const isName = (key === "property" || key === "key") && value.computed !== true;
      if (!isName) walk(child, visit);
    }
  }
}

function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && "type" in value && typeof value.type === "string";
}

function importOf(node: Node): Pick<SourceImport, "specifier" | "isTypeOnly"> | undefined {
  const source = node.source;
  if (!isNode(source) || typeof source.value !== "string") return undefined;
  const specifier = source.value;
  switch (node.type) {
    case "ImportDeclaration":
      return {
        specifier,
        isTypeOnly: node.importKind === "type" || namesOnlyTypes(node.specifiers),
      };
    case "ExportNamedDeclaration":
    case "ExportAllDeclaration":
      return { specifier, isTypeOnly: node.exportKind === "type" };
    case "ImportExpression":
      return { specifier, isTypeOnly: false };
    case "TSImportType":
      return { specifier, isTypeOnly: true };
    default:
      return undefined;
  }
}

function namesOnlyTypes(specifiers: unknown): boolean {
  if (!Array.isArray(specifiers) || specifiers.length === 0) return false;
  return specifiers.every((specifier) => isNode(specifier) && specifier.importKind === "type");
}

function resolveImport(from: string, specifier: string): Pick<SourceImport, "target" | "isRelative"> {
  if (specifier.startsWith(".")) {
    return {
      target: posix.normalize(posix.join(posix.dirname(from), specifier)),
      isRelative: true,
    };
  }
  const parts = specifier.split("/");
  return {
    target: specifier.startsWith("@") ? parts.slice(0, 2).join("/") : (parts[0] ?? ""),
    isRelative: false,
  };
}

const WORLDLY_NAMES = new Set(["setTimeout", "setInterval", "setImmediate", "console"]);
const WORLDLY_MEMBERS = new Set([
  "Date.now",
  "Math.random",
  "performance.now",
  "process.hrtime",
  "process.uptime",
  "crypto.randomUUID",
  "crypto.getRandomValues",
]);
const WORLDLY_MODULES = new Set(["timers", "timers/promises", "perf_hooks", "console"]);
const WORLDLY_CRYPTO = new Set(["randomUUID", "randomBytes", "randomInt", "randomFillSync", "webcrypto"]);

function worldlyUse(node: Node): string[] {
  switch (node.type) {
    case "Identifier":
      return WORLDLY_NAMES.has(String(node.name)) ? [String(node.name)] : [];
    case "MemberExpression": {
      const path = memberPath(node).replace(/^globalThis\./, "");
      if (path === memberPath(node)) return WORLDLY_MEMBERS.has(path) ? [path] : [];
      return WORLDLY_MEMBERS.has(path) || WORLDLY_NAMES.has(path) ? [path] : [];
    }
    case "NewExpression":
    case "CallExpression": {
      const isNow = nameOf(node.callee) === "Date" && Array.isArray(node.arguments) && node.arguments.length === 0;
      return isNow ? [node.type === "NewExpression" ? "new Date()" : "Date()"] : [];
    }
    case "ImportDeclaration":
      return worldlyImport(node);
    default:
      return [];
  }
}

function worldlyImport(node: Node): string[] {
  const source = node.source;
  const module = isNode(source) ? String(source.value).replace(/^node:/, "") : "";
  if (WORLDLY_MODULES.has(module)) return [`import of ${module}`];
  if (module !== "crypto" || !Array.isArray(node.specifiers)) return [];
  return node.specifiers
    .map((specifier: unknown) => (isNode(specifier) ? nameOf(specifier.imported) : ""))
    .filter((name) => WORLDLY_CRYPTO.has(name))
    .map((name) => `crypto.${name}`);
}

const nameOf = (node: unknown): string => (isNode(node) && node.type === "Identifier" ? String(node.name) : "");

function memberPath(node: unknown): string {
  if (!isNode(node)) return "";
  if (node.type !== "MemberExpression" || node.computed === true) return nameOf(node);
  return `${memberPath(node.object)}.${nameOf(node.property)}`;
}
