// A parsed file, as far as the rules look at it: ESTree nodes and the scopes that ESLint has worked out. Said in types of
// our own, so that nobody needs ESLint to use the library.

export interface Node {
  readonly type: string;
  readonly [key: string]: unknown;
}

interface Definition {
  /** "ImportBinding", "FunctionName", "Variable", "Parameter" and others. */
  readonly type: string;
  readonly node: unknown;
  readonly parent?: unknown;
}

interface Variable {
  readonly defs: readonly Definition[];
}

interface Scope {
  readonly set: { get(name: string): Variable | undefined };
  readonly upper: Scope | null;
}

export interface SourceCode {
  getScope(node: never): unknown;
}

export function isNode(value: unknown): value is Node {
  return typeof value === "object" && value !== null && typeof (value as { type?: unknown }).type === "string";
}

/** The nodes right inside a node, in the order of the source. */
export function childrenOf(node: Node): Node[] {
  return Object.entries(node).flatMap(([key, value]) => {
    if (key === "parent") return [];
    return Array.isArray(value) ? value.filter(isNode) : isNode(value) ? [value] : [];
  });
}

export function isFunction(value: unknown): value is Node {
  return isNode(value) && /^(?:ArrowFunctionExpression|FunctionExpression|FunctionDeclaration)$/.test(value.type);
}

export function argumentsOf(call: Node): readonly unknown[] {
  return Array.isArray(call.arguments) ? call.arguments : [];
}

/** `a.b` and `a["b"]` are "b"; undefined for what is computed. */
export function propertyOf(member: Node): string | undefined {
  const property = member.property;
  if (!isNode(property)) return undefined;
  if (member.computed === true) return property.type === "Literal" ? String(property.value) : undefined;
  return nameOf(property);
}

export function nameOf(node: unknown): string | undefined {
  return isNode(node) && typeof node.name === "string" ? node.name : undefined;
}

/** The `b` of `a.b` and of `{ b: 1 }`: no use of whatever else has that name. */
export function isPropertyName(node: Node): boolean {
  const { parent } = node;
  if (!isNode(parent) || (parent.property !== node && parent.key !== node)) return false;
  return parent.computed !== true && parent.shorthand !== true;
}

/** What TypeScript wraps around an expression: `x!`, `x as T`, `x satisfies T`, `f<T>`, and `a?.b`. */
export function unwrap(value: unknown): unknown {
  let inner = value;
  while (isNode(inner) && WRAPPERS.has(inner.type)) inner = inner.expression;
  return inner;
}

const WRAPPERS = new Set([
  ...["TSNonNullExpression", "TSAsExpression", "TSSatisfiesExpression", "TSTypeAssertion", "TSInstantiationExpression"],
  "ChainExpression",
]);

/** What an identifier stands for; undefined for a global. */
export function definitionOf(code: SourceCode, identifier: Node): Definition | undefined {
  const name = nameOf(identifier) ?? "";
  for (let scope = code.getScope(identifier as never) as Scope | null; scope !== null; scope = scope.upper) {
    const found = scope.set.get(name);
    if (found !== undefined) return found.defs[0];
  }
  return undefined;
}

export interface Imported {
  readonly module: string;
  /** What of the module: a name, "default", or "*" for all of it. */
  readonly name: string;
}

export function importOf(code: SourceCode, identifier: Node): Imported | undefined {
  const definition = definitionOf(code, identifier);
  if (definition?.type !== "ImportBinding" || !isNode(definition.node) || !isNode(definition.parent)) return undefined;
  const source = definition.parent.source;
  const module = isNode(source) ? String(source.value) : "";
  if (definition.node.type === "ImportNamespaceSpecifier") return { module, name: "*" };
  if (definition.node.type === "ImportDefaultSpecifier") return { module, name: "default" };
  const imported = definition.node.imported;
  return { module, name: nameOf(imported) ?? (isNode(imported) ? String(imported.value) : "") };
}

/** The expression that a `const` holds; undefined for whatever else the identifier stands for. */
export function initialValueOf(code: SourceCode, identifier: Node): unknown {
  const definition = definitionOf(code, identifier);
  return definition?.type === "Variable" && isNode(definition.node) ? unwrap(definition.node.init) : undefined;
}

/** The function of this file that an expression is or names. */
export function functionOf(code: SourceCode, value: unknown): Node | undefined {
  const expression = unwrap(value);
  if (isFunction(expression)) return expression;
  if (!isNode(expression) || expression.type !== "Identifier") return undefined;
  const definition = definitionOf(code, expression);
  if (definition?.type === "FunctionName" && isFunction(definition.node)) return definition.node;
  const held = initialValueOf(code, expression);
  return isFunction(held) ? held : undefined;
}
