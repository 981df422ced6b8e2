// What code names that is neither its file's nor Everstep's: globals, and what was imported from elsewhere.

import {
  definitionOf,
  importOf,
  initialValueOf,
  isNode,
  type Node,
  nameOf,
  propertyOf,
  type SourceCode,
  unwrap,
} from "./syntax.ts";

/** A global, or what was imported, as `process.hrtime`, `fetch`, `fs:readFile`; undefined for anything of the file. */
export function foreignName(code: SourceCode, node: Node): string | undefined {
  if (node.type === "Identifier") {
    if (definitionOf(code, node) === undefined) return nameOf(node);
    const imported = importOf(code, node);
    if (imported === undefined) return undefined;
    const module = imported.module.replace(/^node:/, "");
    return imported.name === "*" || imported.name === "default" ? `${module}:` : `${module}:${imported.name}`;
  }
  if (node.type !== "MemberExpression") return undefined;
  const object = unwrap(node.object);
  const property = propertyOf(node);
  const owner = isNode(object) ? foreignName(code, object) : undefined;
  if (owner === undefined || property === undefined) return undefined;
  if (owner === "globalThis" || owner === "global") return property;
  return owner.endsWith(":") ? `${owner}${property}` : `${owner}.${property}`;
}

export interface ForeignCall {
  /** The module that what is called comes from, or was made by; without "node:". */
  readonly module: string;
  /** What is called, as the code says it: `axios.get`, `pool.query`. */
  readonly spoken: string;
  /** It is a method of what the module has made. */
  readonly isOfMade: boolean;
}

/** A call of what was imported, or of a method of what that made: `axios.get(…)`, `new Pool()`, `` sql`…` ``, `pool.query(…)`. */
export function foreignCall(code: SourceCode, node: Node): ForeignCall | undefined {
  if (!CALLS.has(node.type)) return undefined;
  const called = unwrap(node.type === "TaggedTemplateExpression" ? node.tag : node.callee);
  const spoken = spokenPath(called);
  const origin = spoken === undefined ? undefined : originOf(code, called);
  if (origin === undefined || spoken === undefined) return undefined;
  return { ...origin, module: origin.module.replace(/^node:/, ""), spoken };
}

const CALLS = new Set(["CallExpression", "NewExpression", "TaggedTemplateExpression"]);

/** `a.b.c`; undefined for what is called on the way, which is a call of its own. */
function spokenPath(value: unknown): string | undefined {
  const node = unwrap(value);
  if (!isNode(node)) return undefined;
  if (node.type !== "MemberExpression") return node.type === "Identifier" ? nameOf(node) : undefined;
  const owner = spokenPath(node.object);
  return owner === undefined ? undefined : `${owner}.${propertyOf(node) ?? "…"}`;
}

interface Origin {
  readonly module: string;
  readonly isOfMade: boolean;
}

/** Follows names and members to an import, and through what makes a client of some kind: not through what gives data. */
function originOf(code: SourceCode, value: unknown, depth = 0): Origin | undefined {
  const node = unwrap(value);
  if (!isNode(node) || depth > MAX_DEPTH) return undefined;
  switch (node.type) {
    case "Identifier": {
      const module = importOf(code, node)?.module;
      return module === undefined ? originOf(code, initialValueOf(code, node), depth + 1) : { module, isOfMade: false };
    }
    case "MemberExpression":
      return originOf(code, node.object, depth + 1);
    case "AwaitExpression":
      return originOf(code, node.argument, depth + 1);
    case "NewExpression":
    case "CallExpression": {
      if (node.type === "CallExpression" && !isMaker(code, node.callee)) return undefined;
      const origin = originOf(code, node.callee, depth + 1);
      return origin && { ...origin, isOfMade: true };
    }
    default:
      return undefined;
  }
}

// A `const` may be made of itself.
const MAX_DEPTH = 20;

/** `postgres()`, `axios.create()`, `new Client().connect()`. */
function isMaker(code: SourceCode, called: unknown): boolean {
  const callee = unwrap(called);
  if (!isNode(callee)) return false;
  if (callee.type === "Identifier" && importOf(code, callee)?.name === "default") return true;
  const name = callee.type === "MemberExpression" ? propertyOf(callee) : nameOf(callee);
  return /^(?:create|connect|extend)/.test(name ?? "");
}
