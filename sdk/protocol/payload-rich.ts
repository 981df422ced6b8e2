// The rich form of a payload: what JSON cannot say, said by superjson inside a marked envelope. Superjson trusts what it
// reads and refuses some keys it writes, so it is never met unguarded: keys it refuses are escaped, and an envelope is
// checked to be one that `writeRich` could have written before superjson sees it.

import { SuperJSON } from "superjson";
import { restoreBytes, restoreError, StoredBytes, StoredError } from "./payload-carriers.ts";
import { checkAnnotations, type Envelope } from "./payload-guard.ts";
import { setOwn } from "./payload-snapshot.ts";

/** What makes an object an envelope. Plain objects that have this key themselves are stored in an envelope, too. */
export const MARKER = "$everstep";

const RICH_PREFIX = `{"${MARKER}":"rich",`;

const codec = new SuperJSON();
codec.registerClass(StoredError, { identifier: "Error" });
codec.registerClass(StoredBytes, { identifier: "bytes" });

/** The envelope's text for a snapshot's copy, which is used up: the caller must own it. */
export function writeRich(copy: unknown): string {
  const { json, meta } = codec.serialize(mapKeys(copy, escapeKey, (carrier) => carrier, 0));
  // Superjson also notes which values are one and the same. Payloads are trees: shared values come back as copies, from
  // the plain form and from this one.
  const envelope: Envelope = meta?.values === undefined ? { json } : { json, values: meta.values };
  return RICH_PREFIX + JSON.stringify(envelope).slice(1);
}

/** The value of a parsed object that has the marker. Throws, whatever it was given, if `writeRich` did not write it. */
export function readRich(parsed: object): unknown {
  const { [MARKER]: form, json, values, ...rest } = parsed as Record<string, unknown>;
  if (form !== "rich") throw new Error(`the form ${JSON.stringify(form)} is unknown to this release`);
  if (json === undefined || Object.keys(rest).length > 0)
    throw new Error("the envelope has other parts than it should");
  const annotations = checkAnnotations({ json, values });
  const restored: unknown =
    annotations === undefined
      ? json
      : codec.deserialize({ json, meta: { values: annotations, v: 1 } } as Parameters<typeof codec.deserialize>[0], {
          inPlace: true,
        });
  return mapKeys(restored, unescapeKey, restoreCarrier, 0);
}

/** Payloads that differ only in the stacks of errors they hold are the same value: paths and lines change with a deploy. */
export function withoutStacks(payload: string): string {
  return payload.startsWith(RICH_PREFIX) ? payload.replace(/"~stack":"[^"\\]*(?:\\.[^"\\]*)*"/g, "") : payload;
}

// Superjson throws on the first three as keys, wherever they stand; the last is StoredError's own.
const RESERVED = /^~*(?:constructor|prototype|__proto__|~stack)$/;
const ESCAPED = /^~+(?:constructor|prototype|__proto__|~stack)$/;

function escapeKey(key: string): string {
  return RESERVED.test(key) ? `~${key}` : key;
}

function unescapeKey(key: string): string {
  return ESCAPED.test(key) ? key.slice(1) : key;
}

type Carrier = StoredError | StoredBytes;

function restoreCarrier(carrier: Carrier): object {
  const restored = carrier instanceof StoredError ? restoreError(carrier) : restoreBytes(carrier);
  if (restored === undefined) throw new Error("an error or bytes in it lack a part");
  return restored;
}

// Changes the tree in place, leaves first. Both sides have bounded its depth before.
function mapKeys(
  value: unknown,
  rename: (key: string) => string,
  settle: (carrier: Carrier) => object,
  depth: number,
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const inner = (held: unknown) => mapKeys(held, rename, settle, depth + 1);
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) value[i] = inner(value[i]);
    return value;
  }
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)];
    value.clear();
    for (const [key, held] of entries) value.set(inner(key), inner(held));
    return value;
  }
  if (value instanceof Set) {
    const all = [...(value as Set<unknown>)];
    value.clear();
    for (const held of all) value.add(inner(held));
    return value;
  }
  if (value instanceof StoredError || value instanceof StoredBytes) {
    // A carrier's keys are ours; what hangs on them is not.
    for (const [key, held] of Object.entries(value)) (value as unknown as Record<string, unknown>)[key] = inner(held);
    return settle(value);
  }
  return isRecord(value) ? mapRecord(value, rename, inner) : value;
}

function isRecord(value: object): value is Record<string, unknown> {
  return Object.getPrototypeOf(value) === Object.prototype;
}

function mapRecord(
  value: Record<string, unknown>,
  rename: (key: string) => string,
  inner: (held: unknown) => unknown,
): unknown {
  const keys = Object.keys(value);
  if (keys.every((key) => rename(key) === key)) {
    for (const key of keys) value[key] = inner(value[key]);
    return value;
  }
  const renamed: Record<string, unknown> = {};
  for (const key of keys) setOwn(renamed, rename(key), inner(value[key]));
  return renamed;
}
