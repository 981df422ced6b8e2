// What a run carries for people and programs that look at it, by key: any storable value, shown and never searched.

import { assertTotal, mergeKeys } from "./attributes.ts";
import { EverstepError } from "./errors.ts";
import { assertName } from "./names.ts";
import { decodePayload, encodePayload, type Payload } from "./payload.ts";

/** Each value's stored form, by key. */
export type StoredMemo = Readonly<Record<string, string>>;

/**
 * The stored form of changes to a memo, JSON by key: null takes a key away, undefined leaves it as it is. Null when nothing
 * changes. Throws ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE.
 */
export function encodeMemo(changes: Readonly<Record<string, unknown>>, what: string): Payload {
  if (typeof changes !== "object" || changes === null || Array.isArray(changes)) {
    throw new EverstepError("ARGUMENT_INVALID", `${what} takes an object of values by key.`, {
      details: { argument: what },
    });
  }
  const parts: string[] = [];
  for (const [key, value] of Object.entries(changes)) {
    assertName(key, `a key of ${what}`);
    const stored = encodePayload(value, `${what}.${key}`);
    if (stored !== null) parts.push(`${JSON.stringify(key)}:${stored}`);
  }
  return parts.length === 0 ? null : `{${parts.join(",")}}`;
}

/** Of a text that `encodeMemo` wrote: each value is its own stored form again. */
export function decodeMemoChanges(text: Payload): Readonly<Record<string, string | null>> {
  if (text === null) return {};
  const parsed = Object.entries(JSON.parse(text) as Record<string, unknown>);
  return Object.fromEntries(parsed.map(([key, value]) => [key, value === null ? null : JSON.stringify(value)]));
}

/** `current` with `changes` made to it. Throws ARGUMENT_INVALID when that is more than a run may have. */
export function mergeMemo(
  current: StoredMemo,
  changes: Readonly<Record<string, string | null>>,
  what: string,
): Record<string, string> {
  const merged = mergeKeys(current, changes);
  assertTotal(merged, Buffer.byteLength, "memo", what);
  return merged;
}

export function memoValuesOf(memo: StoredMemo, what: string): Readonly<Record<string, unknown>> {
  const read = Object.entries(memo).map(([key, stored]) => [key, decodePayload(stored, `${what}.${key}`)]);
  return Object.freeze(Object.fromEntries(read));
}
