// The functions that an entity is made of: its operations and what its state begins as are workflow code, its views only look.

import type { GivenCode } from "./calls.ts";
import { isNode, type Node, nameOf, unwrap } from "./syntax.ts";

/** `options`: what `entity` is given beside its name, written in place. */
export function codeOfEntity(options: unknown): GivenCode[] {
  const parts = propertiesOf(options);
  return [
    { kind: "workflow", value: parts.get("initial") },
    ...[...propertiesOf(parts.get("operations")).values()].map((value) => ({ kind: "workflow", value }) as const),
    ...[...propertiesOf(parts.get("views")).values()].map((value) => ({ kind: "readOnly", value }) as const),
  ];
}

function propertiesOf(value: unknown): ReadonlyMap<string, unknown> {
  const object = unwrap(value);
  if (!isNode(object) || object.type !== "ObjectExpression" || !Array.isArray(object.properties)) return new Map();
  const properties = object.properties.filter((each): each is Node => isNode(each) && each.type === "Property");
  return new Map(properties.map((each) => [keyOf(each), each.value]));
}

function keyOf({ key }: Node): string {
  return nameOf(key) ?? (isNode(key) ? String(key.value) : "");
}
