// Finds the code that runs as a workflow, as a step, or only to look: the functions given to Everstep's functions, whatever
// is written inside of them, and the functions of the same file that they name.

import { type CodeKind, codeGivenTo } from "./given-code.ts";
import { childrenOf, functionOf, isFunction, isNode, isPropertyName, type Node, type SourceCode } from "./syntax.ts";

export type Visitor = (node: Node, kind: CodeKind) => void;

/** Calls `visit` for every node of such code, once per kind of code it is. */
export function visitWorkflowCode(code: SourceCode, program: Node, visit: Visitor): void {
  const given = new Map<Node, CodeKind>();
  visitAll(program, (node) => {
    for (const { value, kind } of codeGivenTo(code, node)) if (isNode(value)) given.set(value, kind);
  });
  const seen: Record<CodeKind, Set<Node>> = { workflow: new Set(), step: new Set(), readOnly: new Set() };

  const enter = (value: Node, kind: CodeKind): void => {
    const body = functionOf(code, value);
    if (body === undefined || seen[kind].has(body)) return;
    seen[kind].add(body);
    for (const child of childrenOf(body)) walk(child, kind);
  };
  const walk = (node: Node, kind: CodeKind): void => {
    // What is given to Everstep is entered as what it is given for, types are not executed.
    if (given.has(node) || isType(node)) return;
    visit(node, kind);
    // A function of this file that is named here is called here, or by whom it is given to.
    if (node.type === "Identifier" || isFunction(node)) return isPropertyName(node) ? undefined : enter(node, kind);
    for (const child of childrenOf(node)) walk(child, kind);
  };

  for (const [value, kind] of given) enter(value, kind);
}

function visitAll(node: Node, visit: (node: Node) => void): void {
  visit(node);
  for (const child of childrenOf(node)) visitAll(child, visit);
}

/** Types are not executed. */
function isType(node: Node): boolean {
  return (
    /^TS(?:Type|Interface)/.test(node.type) && !node.type.endsWith("Expression") && node.type !== "TSTypeAssertion"
  );
}
