// Which calls are Everstep's: functions imported from "everstep", and what its `define…` functions made in the same file.

import { codeOfEntity } from "./entity-code.ts";
import {
  argumentsOf,
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

/** `step`, `condition`, …; `receive` and `handle` of a signal; `handle query`; `defined step`. */
export type CallName = string;

/** The name of the Everstep function that is called; undefined for any other call. */
export function everstepCall(code: SourceCode, call: Node): CallName | undefined {
  if (call.type !== "CallExpression") return undefined;
  const callee = unwrap(call.callee);
  if (!isNode(callee)) return undefined;
  if (callee.type === "Identifier") {
    const name = everstepExport(code, callee);
    if (name !== undefined) return name;
    return makerOf(code, callee) === "defineStep" ? "defined step" : undefined;
  }
  if (callee.type !== "MemberExpression") return undefined;
  const object = unwrap(callee.object);
  const property = propertyOf(callee);
  if (!isNode(object) || object.type !== "Identifier" || property === undefined) return undefined;
  const imported = importOf(code, object);
  if (imported?.module === "everstep" && imported.name === "*") return property;
  if (imported?.module === "everstep" && imported.name === "log") return "log";
  const maker = makerOf(code, object);
  if (maker === "defineSignal" || maker === "defineUpdate") return property;
  return maker === "defineQuery" && property === "handle" ? "handle query" : undefined;
}

function everstepExport(code: SourceCode, identifier: Node): string | undefined {
  const imported = importOf(code, identifier);
  return imported?.module === "everstep" ? imported.name : undefined;
}

/** For `approve` in `const approve = defineSignal("approve")`: "defineSignal". */
function makerOf(code: SourceCode, identifier: Node): string | undefined {
  const made = initialValueOf(code, identifier);
  if (!isNode(made) || made.type !== "CallExpression") return undefined;
  const callee = unwrap(made.callee);
  return isNode(callee) && callee.type === "Identifier" ? everstepExport(code, callee) : undefined;
}

export type CodeKind = "workflow" | "step" | "readOnly";

export interface GivenCode {
  readonly kind: CodeKind;
  readonly value: unknown;
}

/** The functions that a call is given, by what kind of code they are. */
export function codeGivenTo(code: SourceCode, call: Node): readonly GivenCode[] {
  const [first, second] = argumentsOf(call);
  switch (everstepCall(code, call)) {
    case "workflow":
    case "operation":
      return [{ kind: "workflow", value: second }];
    case "entity":
      return codeOfEntity(second);
    case "handle":
      return [{ kind: "workflow", value: first }];
    case "step":
    case "transaction":
    case "defineStep":
    case "poll":
      return [{ kind: "step", value: second }];
    case "condition":
    case "handle query":
      return [{ kind: "readOnly", value: first }];
    default:
      return NONE;
  }
}

const NONE: readonly GivenCode[] = [];

/** A global, or what was imported, as `process.hrtime`, `fetch`, `node:fs:readFile`; undefined for anything of the file. */
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
