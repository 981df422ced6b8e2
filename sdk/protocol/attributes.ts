// What a run is found by: typed values under names, in stored form. The text is what events carry and replay compares;
// the limits are Temporal's, and are held where a value is given, so that nothing unusable is ever asked for.

import { EverstepError } from "./errors.ts";
import type { Payload } from "./payload.ts";

/** The number each type is stored under. Never change or reuse one. */
export const ATTRIBUTE_CODES = {
  keyword: 1,
  text: 2,
  int: 3,
  double: 4,
  bool: 5,
  datetime: 6,
  keywordList: 7,
} as const;

/**
 * What an attribute may hold: a `keyword` (a string on one line, compared whole), a `text` (a string of any lines,
 * searched in), an `int` (a safe integer), a `double` (finite), a `bool`, a `datetime`, a `keywordList`.
 */
export type AttributeType = keyof typeof ATTRIBUTE_CODES;

/** The value of each type, as code has it. */
export interface AttributeValues {
  keyword: string;
  text: string;
  int: number;
  double: number;
  bool: boolean;
  datetime: Date;
  keywordList: readonly string[];
}

export type AttributeValue = AttributeValues[AttributeType];

/** In stored form a `datetime` is ms since the epoch; all others are themselves. */
export type StoredAttribute = readonly [type: AttributeType, value: string | number | boolean | readonly string[]];

/** Values to set by name; null takes one away. Made by an attribute set, as in `orders({ customer: "c1" })`. */
export type AttributeChanges = Readonly<Record<string, StoredAttribute | null>>;

/** At most this many attributes per run, and keys per memo. */
export const MAX_DATA_KEYS = 100;
/** Largest attribute, in bytes of UTF-8; of a list, all its keywords together. */
export const MAX_ATTRIBUTE_BYTES = 2_048;
/** All names and values of a run's attributes, or of its memo, in bytes of UTF-8. */
export const MAX_DATA_BYTES = 40 * 1_024;
/** Longest name of an attribute, in bytes of UTF-8. */
export const MAX_ATTRIBUTE_NAME_BYTES = 64;

/** Refuses what cannot name an attribute. Throws ARGUMENT_INVALID. */
export function assertAttributeName(name: string, what: string): void {
  const isUsable = /^[\p{L}_][\p{L}\p{N}_.-]*$/u.test(name) && Buffer.byteLength(name) <= MAX_ATTRIBUTE_NAME_BYTES;
  if (isUsable) return;
  const rule = `letters, digits, "_", "." and "-", a letter or "_" first, at most ${MAX_ATTRIBUTE_NAME_BYTES} bytes`;
  refuse(what, `cannot name an attribute ${JSON.stringify(name)}. A name is made of ${rule}.`);
}

/** The stored form of one value of this type. Throws ARGUMENT_INVALID, naming the attribute. */
export function storedAttribute(
  name: string,
  type: AttributeType,
  value: unknown,
  what: string,
): StoredAttribute | null {
  assertAttributeName(name, what);
  if (value === null) return null;
  const stored = type === "datetime" && value instanceof Date ? value.getTime() : value;
  if (!IS_OF_TYPE[type](stored)) {
    refuse(what, `takes a ${type} for attribute "${name}" (${MEANINGS[type]}); got ${shown(value)}.`);
  }
  if (Array.isArray(stored)) return stored.length === 0 ? null : checked(name, [type, [...stored]], what);
  return checked(name, [type, stored as string | number | boolean], what);
}

// -0 is equal to 0 wherever it is compared, and must not differ where it is kept.
function checked(name: string, [type, value]: StoredAttribute, what: string): StoredAttribute {
  const bytes = bytesOf(value);
  if (bytes > MAX_ATTRIBUTE_BYTES) {
    refuse(what, `takes at most ${MAX_ATTRIBUTE_BYTES} bytes per attribute; "${name}" has ${bytes}.`);
  }
  return [type, value === 0 ? 0 : value];
}

const MEANINGS: Readonly<Record<AttributeType, string>> = {
  keyword: "a string without control characters",
  text: "a string; of control characters only tabs and line ends",
  int: "a safe integer",
  double: "a finite number",
  bool: "true or false",
  datetime: "a valid Date",
  keywordList: "an array of keywords",
};

// Halves of surrogate pairs have no UTF-8.
const isKeyword = (value: unknown): value is string => typeof value === "string" && !/[\p{Cc}\p{Cs}]/u.test(value);
const isText = (value: unknown): boolean =>
  typeof value === "string" && !/[\p{Cc}\p{Cs}]/u.test(value.replaceAll(/[\t\r\n]/g, ""));

const IS_OF_TYPE: Readonly<Record<AttributeType, (stored: unknown) => boolean>> = {
  keyword: isKeyword,
  text: isText,
  int: Number.isSafeInteger,
  double: Number.isFinite,
  bool: (value) => typeof value === "boolean",
  datetime: (value) => Number.isSafeInteger(value) && Math.abs(value as number) <= MAX_TIME_MS,
  keywordList: (value) => Array.isArray(value) && value.every(isKeyword),
};

// The range of Date, ECMA-262 section 21.4.1.1.
const MAX_TIME_MS = 8.64e15;

function bytesOf(value: StoredAttribute[1]): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  return Array.isArray(value) ? value.reduce((sum, each) => sum + Buffer.byteLength(each), 0) : 8;
}

/** The value as code has it. */
export function attributeValueOf([type, value]: StoredAttribute): AttributeValue {
  if (type === "datetime") return new Date(value as number);
  return Array.isArray(value) ? Object.freeze([...value]) : (value as AttributeValue);
}

/** As text; null when nothing changes. Looks at every value once more: whoever made the changes, they can be kept. */
export function encodeAttributes(changes: AttributeChanges, what: string): Payload {
  const entries = Object.entries(changes).map(([name, stored]): [string, StoredAttribute | null] => {
    if (stored === null) return [name, storedAttribute(name, "bool", null, what)];
    const [type, value] = Array.isArray(stored) ? (stored as StoredAttribute) : [];
    if (type === undefined || value === undefined || !Object.hasOwn(ATTRIBUTE_CODES, type)) {
      refuse(what, `takes what an attribute set makes, as in orders({ customer: "c1" }); got ${shown(stored)}.`);
    }
    return [name, storedAttribute(name, type, value, what)];
  });
  return entries.length === 0 ? null : JSON.stringify(Object.fromEntries(entries));
}

/** Of a text that `encodeAttributes` wrote. */
export function decodeAttributes(text: Payload): AttributeChanges {
  return text === null ? {} : (JSON.parse(text) as AttributeChanges);
}

/** `current` with `changes` made to it. Throws ARGUMENT_INVALID when that is more than a run may have. */
export function mergeAttributes(
  current: Readonly<Record<string, StoredAttribute>>,
  changes: AttributeChanges,
  what: string,
): Record<string, StoredAttribute> {
  const merged = mergeKeys(current, changes);
  assertTotal(merged, ([, value]) => bytesOf(value), "attributes", what);
  return merged;
}

/** A copy of `current` in which `changes` are made; null takes a key away. */
export function mergeKeys<Value>(
  current: Readonly<Record<string, Value>>,
  changes: Readonly<Record<string, Value | null>>,
): Record<string, Value> {
  const merged = new Map(Object.entries(current));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) merged.delete(key);
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

export function assertTotal<Value>(
  merged: Readonly<Record<string, Value>>,
  sizeOf: (value: Value) => number,
  kind: "attributes" | "memo",
  what: string,
): void {
  const entries = Object.entries(merged);
  if (entries.length > MAX_DATA_KEYS) {
    refuse(what, `would leave the run with ${entries.length} keys of its ${kind}; at most ${MAX_DATA_KEYS} are kept.`);
  }
  const bytes = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + sizeOf(value), 0);
  if (bytes > MAX_DATA_BYTES) {
    refuse(what, `would leave the run with ${bytes} bytes of its ${kind}; at most ${MAX_DATA_BYTES} are kept.`);
  }
}

function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 60 ? `${text.slice(0, 60)}...` : text;
}

function refuse(what: string, why: string): never {
  throw new EverstepError("ARGUMENT_INVALID", `${what} ${why}`, { details: { argument: what } });
}
