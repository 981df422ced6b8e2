// What may be asked of attributes, as data: there is no language to parse, and nothing a caller writes becomes part of a
// statement. A filter by name is taken apart into conditions, which stores understand.

import { type AttributeValue, assertAttributeName } from "./attributes.ts";
import { EverstepError } from "./errors.ts";

/** All that is given must hold, for a list of one and the same keyword. */
export interface AttributeTest<Value> {
  readonly equals?: Value;
  /** Also holds for runs that do not have the attribute. `not: null` holds for those that have it. */
  readonly not?: Value | null;
  readonly oneOf?: readonly Value[];
  readonly gt?: Value;
  readonly gte?: Value;
  readonly lt?: Value;
  readonly lte?: Value;
  /** Of a keyword or text, case by case. */
  readonly startsWith?: string;
  readonly contains?: string;
}

/** By name: a value, null for runs without the attribute, or a test. A string is compared with strings only, and so on. */
export type AttributeFilters = Readonly<Record<string, AttributeValue | null | AttributeTest<AttributeValue>>>;

/** Values of one kind can be compared: keywords and texts, ints and doubles, bools, datetimes (as ms). */
export type ComparedKind = "text" | "number" | "bool" | "time";
export type Comparison = "equals" | "gt" | "gte" | "lt" | "lte" | "startsWith" | "contains" | "oneOf";

export interface ComparedValue {
  readonly kind: ComparedKind;
  /** A bool is 0 or 1. */
  readonly value: string | number;
}

/** True of a run when some value under the name passes all tests, or, if negated, when none does. */
export interface AttributeCondition {
  readonly name: string;
  readonly isNegated: boolean;
  /** None: any value at all. Several have values of one kind. */
  readonly tests: readonly { readonly comparison: Comparison; readonly values: readonly ComparedValue[] }[];
}

/** At most this many conditions in one filter, and values in one `oneOf`. */
export const MAX_CONDITIONS = 50;

const COMPARISONS: readonly Comparison[] = ["equals", "gt", "gte", "lt", "lte", "startsWith", "contains", "oneOf"];

/** Throws ARGUMENT_INVALID, naming what cannot be asked. */
export function attributeConditions(filters: AttributeFilters): AttributeCondition[] {
  const conditions = Object.entries(filters).flatMap(([name, filter]) => conditionsOf(name, filter));
  if (conditions.length <= MAX_CONDITIONS) return conditions;
  throw invalid(`where({ attributes }) takes at most ${MAX_CONDITIONS} conditions; got ${conditions.length}.`);
}

function conditionsOf(name: string, filter: AttributeFilters[string] | undefined): AttributeCondition[] {
  assertAttributeName(name, "where({ attributes })");
  if (filter === undefined) return [];
  if (filter === null) return [{ name, isNegated: true, tests: [] }];
  if (!isTest(filter)) return [{ name, isNegated: false, tests: [testOf(name, "equals", [filter])] }];
  const { not, ...rest } = filter;
  const tests = Object.entries(rest)
    .filter(([, value]) => value !== undefined)
    .map(([comparison, value]) => testOf(name, comparison, comparison === "oneOf" ? value : [value]));
  const kinds = new Set(tests.flatMap(({ values }) => values.map(({ kind }) => kind)));
  if (kinds.size > 1) throw invalid(`where: the tests of attribute "${name}" compare values of different kinds.`);
  return [
    ...(tests.length === 0 ? [] : [{ name, isNegated: false, tests }]),
    ...(not === undefined ? [] : [negated(name, not)]),
  ];
}

function negated(name: string, not: AttributeValue | null): AttributeCondition {
  if (not === null) return { name, isNegated: false, tests: [] };
  return { name, isNegated: true, tests: [testOf(name, "equals", [not])] };
}

function testOf(name: string, comparison: string, values: unknown): AttributeCondition["tests"][number] {
  const known = COMPARISONS.find((each) => each === comparison);
  if (known === undefined) {
    const all = [...COMPARISONS, "not"].join(", ");
    throw invalid(`where: attribute "${name}" cannot be asked for ${JSON.stringify(comparison)}. Tests are: ${all}.`);
  }
  if (!Array.isArray(values) || values.length > MAX_CONDITIONS) {
    throw invalid(`where: oneOf of attribute "${name}" takes an array of at most ${MAX_CONDITIONS} values.`);
  }
  const compared = values.map((value) => comparedValueOf(name, value));
  const isOfStrings = known === "startsWith" || known === "contains";
  if (isOfStrings && compared.some(({ kind }) => kind !== "text")) {
    throw invalid(`where: ${known} of attribute "${name}" takes a string.`);
  }
  return { comparison: known, values: compared };
}

function comparedValueOf(name: string, value: unknown): ComparedValue {
  // U+0000 can be stored nowhere; halves of surrogate pairs have no UTF-8.
  if (typeof value === "string" && !/[\0\p{Cs}]/u.test(value)) return { kind: "text", value };
  if (typeof value === "number" && Number.isFinite(value)) return { kind: "number", value };
  if (typeof value === "boolean") return { kind: "bool", value: value ? 1 : 0 };
  if (value instanceof Date && Number.isFinite(value.getTime())) return { kind: "time", value: value.getTime() };
  const shown = Array.isArray(value) ? "a list: ask for one keyword of it" : String(value);
  throw invalid(`where: attribute "${name}" is compared with a string, finite number, boolean or Date; got ${shown}.`);
}

function isTest(filter: AttributeValue | AttributeTest<AttributeValue>): filter is AttributeTest<AttributeValue> {
  return typeof filter === "object" && !(filter instanceof Date) && !Array.isArray(filter);
}

function invalid(message: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "where" } });
}
