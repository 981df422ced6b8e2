// The functions that Everstep's are given, by what kind of code they are.

import { everstepCall } from "./calls.ts";
import { argumentsOf, isNode, type Node, nameOf, type SourceCode, unwrap } from "./syntax.ts";

/** What may ask, what touches the world, what only looks. */
export type CodeKind = "workflow" | "step" | "readOnly";

export interface GivenCode {
  readonly kind: CodeKind;
  readonly value: unknown;
}

export function codeGivenTo(code: SourceCode, call: Node): readonly GivenCode[] {
  const called = everstepCall(code, call);
  if (called === undefined) return NONE;
  const [first, second] = argumentsOf(call);
  switch (called.of === undefined ? called.name : `${called.of}.${called.name}`) {
    case "workflow":
    case "operation":
      return [{ kind: "workflow", value: second }];
    case "entity":
      return codeOfEntity(second);
    case "SignalDefinition.handle":
      return [{ kind: "workflow", value: first }];
    case "UpdateDefinition.handle":
      return [
        { kind: "workflow", value: first },
        { kind: "readOnly", value: propertiesOf(second).get("validate") },
      ];
    case "step":
    case "transaction":
    case "defineStep":
    case "poll":
      return [{ kind: "step", value: second }];
    case "condition":
    case "QueryDefinition.handle":
      return [{ kind: "readOnly", value: first }];
    default:
      return NONE;
  }
}

const NONE: readonly GivenCode[] = [];

/** Operations and what the state begins as are workflow code, views only look. `options`: written in place. */
function codeOfEntity(options: unknown): GivenCode[] {
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
