// Attributes: typed values that runs are found, filtered, sorted and counted by. They are defined once, and used by
// workflow code and by callers alike.

import type { AttributeTest } from "../protocol/attribute-filter.ts";
import {
  ATTRIBUTE_CODES,
  type AttributeChanges,
  type AttributeType,
  type AttributeValue,
  type AttributeValues,
  assertAttributeName,
  encodeAttributes,
  storedAttribute,
} from "../protocol/attributes.ts";
import { EverstepError } from "../protocol/errors.ts";
import { requireRun } from "./ambient.ts";

export type AttributeTypes = Readonly<Record<string, AttributeType>>;

/** What may be asked of an attribute that holds `Value`: itself, null for runs that do not have it, or a test. */
export type AttributeFilterOf<Value> = Value | null | AttributeTest<Value>;

type ElementOf<Value> = Value extends readonly (infer Element)[] ? Element : Value;

/** A set of attributes with the types of their values. Calling it makes the values to set, checked at once. */
export interface AttributeSet<Types extends AttributeTypes> {
  /** Throws ARGUMENT_INVALID for a name that the set does not have and for a value that cannot be kept. */
  (values: { readonly [Name in keyof Types]?: AttributeValues[Types[Name]] | null | undefined }): AttributeChanges;
  /** The type of each attribute, by name. */
  readonly types: Types;
  /** For `client.list({ where: { attributes } })`, checked by the compiler. Tests of a list are about any of its keywords. */
  where(
    filter: {
      readonly [Name in keyof Types]?: AttributeFilterOf<ElementOf<AttributeValues[Types[Name]]>>;
    },
  ): Readonly<Record<string, AttributeFilterOf<AttributeValue>>>;
  /** This set's part of what `workflowInfo()`, `describe()` and `list()` tell of a run. Of another type than here: absent. */
  of(run: { readonly attributes: Readonly<Record<string, AttributeValue>> }): {
    readonly [Name in keyof Types]?: AttributeValues[Types[Name]];
  };
}

/**
 * Defines attributes: a type for each name, as in `defineAttributes({ customer: "keyword", amount: "double" })`. A name
 * should have one type in all of a database: runs that hold a value of another type are not found by it.
 *
 * Throws ARGUMENT_INVALID for an unusable name or type.
 */
export function defineAttributes<const Types extends AttributeTypes>(types: Types): AttributeSet<Types> {
  const known = new Map<string, AttributeType>(Object.entries(types));
  for (const [name, type] of known) {
    assertAttributeName(name, "defineAttributes(types)");
    if (!Object.hasOwn(ATTRIBUTE_CODES, type)) {
      const all = Object.keys(ATTRIBUTE_CODES).join(", ");
      throw invalid(`defineAttributes(types) knows no type ${JSON.stringify(type)} for "${name}". Types are: ${all}.`);
    }
  }
  const typeOf = (name: string): AttributeType => {
    const type = known.get(name);
    if (type !== undefined) return type;
    throw invalid(`This attribute set has no "${name}". It has: ${[...known.keys()].join(", ")}.`);
  };
  const make = (values: object): AttributeChanges => {
    const given = Object.entries(values).filter(([, value]) => value !== undefined);
    return Object.fromEntries(
      given.map(([name, value]) => [name, storedAttribute(name, typeOf(name), value, "An attribute set")]),
    );
  };
  const of = (run: { readonly attributes: Readonly<Record<string, AttributeValue>> }): object => {
    const own = Object.entries(run.attributes).filter(([name, value]) => isOfType(known.get(name), value));
    return Object.fromEntries(own);
  };
  const where = (filter: object): object => {
    for (const name of Object.keys(filter)) typeOf(name);
    return filter;
  };
  return Object.assign(make, { types, where, of }) as AttributeSet<Types>;
}

/**
 * Sets attributes of the current run, or takes them away (null). They are kept in the same commit as their event, and are
 * seen at once by `workflowInfo()`. Waits for nothing. At replay the same values are expected: another one is a divergence.
 *
 * Throws ARGUMENT_INVALID past 100 attributes, 2,048 bytes for one or 40 KiB for all of them; OUTSIDE_WORKFLOW where no
 * run is; COMMAND_IN_READ_ONLY in a query handler or a condition.
 */
export function upsertAttributes(changes: AttributeChanges): void {
  const { run } = requireRun("upsertAttributes()");
  const text = encodeAttributes(changes, "upsertAttributes()");
  run.upsert("attributes", text);
}

function isOfType(type: AttributeType | undefined, value: AttributeValue): boolean {
  if (type === undefined) return false;
  if (Array.isArray(value)) return type === "keywordList";
  if (value instanceof Date) return type === "datetime";
  if (typeof value === "boolean") return type === "bool";
  if (typeof value === "string") return type === "keyword" || type === "text";
  return type === "double" || (type === "int" && Number.isSafeInteger(value));
}

function invalid(message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "attributes" } });
}
