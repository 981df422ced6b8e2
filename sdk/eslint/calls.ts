// Which calls are Everstep's: functions imported from "everstep", and methods of what these gave in the same file.

import { ITSELF, methodOf, type Thing, type Verb, verbOf } from "./language.ts";
import {
  argumentsOf,
  definitionOf,
  functionOf,
  importOf,
  initialValueOf,
  isFunction,
  isNode,
  type Node,
  nameOf,
  propertyOf,
  type SourceCode,
  unwrap,
} from "./syntax.ts";

export interface EverstepCall {
  readonly verb: Verb;
  /** As a message says it, without parentheses: "step", "receive". */
  readonly name: string;
  /** The type whose method it is; undefined for what "everstep" exports. */
  readonly of?: Thing;
}

/** Undefined for any other call. */
export function everstepCall(code: SourceCode, node: Node, depth = 0): EverstepCall | undefined {
  if (node.type !== "CallExpression") return undefined;
  const callee = unwrap(node.callee);
  if (!isNode(callee)) return undefined;
  const name = everstepExport(code, callee);
  if (name !== undefined) return exported(node, name);
  if (callee.type !== "MemberExpression") {
    const thing = thingOf(code, callee, depth);
    const verb = thing && methodOf(thing, ITSELF);
    return verb && { verb, name: thing === "StepDefinition" ? "step" : (nameOf(callee) ?? ""), of: thing };
  }
  const property = propertyOf(callee);
  const thing = property === undefined ? undefined : thingOf(code, callee.object, depth);
  if (property === undefined || thing === undefined) return undefined;
  const verb = methodOf(thing, property);
  return verb && { verb, name: thing === "WorkflowLog" ? "log" : property, of: thing };
}

function exported(call: Node, name: string): EverstepCall | undefined {
  const verb = verbOf(name);
  if (verb === undefined) return undefined;
  return { verb: name === "saga" ? sagaVerb(call, verb) : verb, name };
}

/** Without a body it gives the saga itself, and asks for nothing. */
function sagaVerb(call: Node, { gives, ...withBody }: Verb): Verb {
  const [first] = argumentsOf(call);
  const isOpen = first === undefined || (isNode(first) && first.type === "ObjectExpression");
  return isOpen ? { where: "run", ...(gives && { gives }) } : withBody;
}

/** The name of what is imported from "everstep", by itself or by way of its namespace. */
export function everstepExport(code: SourceCode, value: Node): string | undefined {
  if (value.type === "Identifier") {
    const imported = importOf(code, value);
    return imported?.module === "everstep" && imported.name !== "*" ? imported.name : undefined;
  }
  const object = value.type === "MemberExpression" ? unwrap(value.object) : undefined;
  if (!isNode(object) || object.type !== "Identifier") return undefined;
  const imported = importOf(code, object);
  return imported?.module === "everstep" && imported.name === "*" ? propertyOf(value) : undefined;
}

/** What of Everstep's an expression holds: what a call gave, at once or awaited, by whatever `const` it is known. */
function thingOf(code: SourceCode, value: unknown, depth: number): Thing | undefined {
  const expression = unwrap(value);
  // A `const` may be made of itself.
  if (!isNode(expression) || depth > MAX_DEPTH) return undefined;
  if (expression.type === "AwaitExpression") return thingOf(code, expression.argument, depth + 1);
  if (expression.type === "CallExpression") return everstepCall(code, expression, depth + 1)?.verb.gives;
  if (everstepExport(code, expression) === "log") return "WorkflowLog";
  if (expression.type !== "Identifier") return undefined;
  const definition = definitionOf(code, expression);
  if (definition?.type === "Parameter" && isNode(definition.node))
    return thingGivenTo(code, definition.node, expression);
  // What is taken out of it is something else.
  if (!isNode(definition?.node) || !isNode(definition.node.id) || definition.node.id.type !== "Identifier")
    return undefined;
  return thingOf(code, initialValueOf(code, expression), depth + 1);
}

const MAX_DEPTH = 10;

/** What Everstep gives the function as its first parameter, if that is the one. */
function thingGivenTo(code: SourceCode, body: Node, parameter: Node): Thing | undefined {
  const { parent, params } = body;
  const [first] = Array.isArray(params) ? params : [];
  if (!isNode(parent) || nameOf(first) !== nameOf(parameter)) return undefined;
  const called = parent.type === "CallExpression" ? everstepExport(code, unwrap(parent.callee) as Node) : undefined;
  if (called === "transaction" && argumentsOf(parent)[1] === body) return "StepTransaction";
  return called === "saga" && argumentsOf(parent)[0] === body ? "Compensations" : undefined;
}

/** The name of a function of this file that gives a promise, where one is called; of one that is called in place what it is. */
export function asyncFunctionCalled(code: SourceCode, call: Node): string | undefined {
  const callee = unwrap(call.callee);
  const called = functionOf(code, callee);
  return isFunction(called) && called.async === true ? (nameOf(callee) ?? "async function") : undefined;
}
