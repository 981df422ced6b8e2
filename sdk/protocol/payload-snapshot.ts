// Reads a value once, property by property, into a copy that holds nothing but data, and says whether that copy is plain
// JSON. Everything is read exactly one time, so a getter or a `toJSON` cannot answer differently later. What cannot be
// stored is refused here, with its path. This is on the path of every step: plain values must stay cheap.

import { EverstepError } from "./errors.ts";
import { bytesKindOf, StoredBytes, StoredError } from "./payload-carriers.ts";

export interface SnapshotLimits {
  /** UTF-8 bytes of the stored form; here only a bound on the text met so far. */
  readonly maxBytes: number;
  /** How deep objects, arrays, maps, sets and errors may nest. */
  readonly maxDepth: number;
  /** How many values a payload may hold in all. */
  readonly maxValues: number;
}

export interface Snapshot {
  readonly copy: unknown;
  /** True when `JSON.parse(JSON.stringify(copy))` gives the copy back. */
  readonly isPlain: boolean;
  readonly values: number;
}

export function takeSnapshot(value: unknown, what: string, limits: SnapshotLimits): Snapshot {
  // Lists of one to begin with, for most values are flat: one that grows from nothing has room for many from the first on.
  const walk: Walk = { what, limits, path: [""], above: [limits], readDepth: 0, values: 0, chars: 0, isPlain: true };
  try {
    const copy = read(value, walk, 0);
    return { copy, isPlain: walk.isPlain, values: walk.values };
  } catch (error) {
    if (error instanceof Refusal) throw error.reason;
    // Everything else came from the value itself: a getter, a toJSON, a revoked proxy.
    const path = renderPath(walk, walk.readDepth);
    throw new EverstepError(
      "PAYLOAD_UNSERIALIZABLE",
      `${path} cannot be stored: reading it threw ${describeThrown(error)}. Return plain data instead.`,
      { cause: error, details: { path } },
    );
  }
}

/** A part of a path that is no property, such as `.get("a")`. */
interface Rendered {
  readonly text: string;
}

interface Walk {
  readonly what: string;
  readonly limits: SnapshotLimits;
  /** `path[d]` is the key being read in the container at depth d; entries past the current depth are stale. */
  readonly path: (string | number | Rendered)[];
  /** `above[d]` is the container at depth d. */
  readonly above: object[];
  /** Length of the path of the property being read. */
  readDepth: number;
  values: number;
  chars: number;
  isPlain: boolean;
}

// Ours, as opposed to an EverstepError that a user's getter threw.
class Refusal extends Error {
  readonly reason: EverstepError;
  constructor(reason: EverstepError) {
    super(reason.message);
    this.reason = reason;
  }
}

function read(value: unknown, walk: Walk, depth: number): unknown {
  switch (typeof value) {
    case "string":
      walk.chars += value.length;
      if (walk.chars > walk.limits.maxBytes) refuseSize(walk);
      return value;
    case "boolean":
      return value;
    case "number":
      // `value - value` is 0 for finite numbers only; JSON has neither the others nor -0.
      if (value - value !== 0 || (value === 0 && 1 / value < 0)) walk.isPlain = false;
      return value;
    case "object":
      return value === null ? null : readObject(value, walk, depth);
    case "undefined":
      walk.isPlain = false;
      return undefined;
    case "bigint":
      return readBigInt(value, walk, depth);
    case "function":
      return refuse(
        walk,
        depth,
        `it is a function${value.name === "" ? "" : ` (${value.name})`}`,
        "Return data instead.",
      );
    case "symbol":
      return refuse(walk, depth, "it is a symbol", "Use a string.");
  }
}

function readObject(value: object, walk: Walk, depth: number): unknown {
  walk.above[depth] = value;
  if (depth >= walk.limits.maxDepth) refuseDepth(walk, depth);
  if (Array.isArray(value)) return readArray(value, walk, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === Object.prototype || prototype === null) return readRecord(value, walk, depth);
  return readInstance(value, walk, depth);
}

function readArray(value: readonly unknown[], walk: Walk, depth: number): unknown[] {
  count(value.length, walk, depth);
  const copy = new Array<unknown>(value.length);
  for (let i = 0; i < copy.length; i++) {
    walk.path[depth] = i;
    walk.readDepth = depth + 1;
    copy[i] = read(value[i], walk, depth + 1);
  }
  return copy;
}

type Fields = Record<string, unknown>;

function readRecord(value: object, walk: Walk, depth: number): unknown {
  const source = value as Fields;
  walk.readDepth = depth;
  if (typeof source.toJSON === "function") return readToJson(source, walk, depth);
  return readFields(source, walk, depth);
}

function readFields(source: Fields, walk: Walk, depth: number): Fields {
  const keys = Object.keys(source);
  count(keys.length, walk, depth);
  const copy: Fields = {};
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i] as string;
    walk.path[depth] = key;
    walk.readDepth = depth + 1;
    walk.chars += key.length;
    const field = read(source[key], walk, depth + 1);
    if (key === "__proto__") setOwn(copy, key, field);
    else copy[key] = field;
  }
  return copy;
}

/** Assignment that treats `__proto__` as the plain key it is in data. */
export function setOwn(target: object, key: string, value: unknown): void {
  Object.defineProperty(target, key, { value, writable: true, configurable: true, enumerable: true });
}

// As JSON.stringify does: asked once, with the key; what it returns is stored in the object's place.
function readToJson(source: Fields, walk: Walk, depth: number): unknown {
  const toJson = source.toJSON as (key: string) => unknown;
  const key = depth === 0 ? "" : walk.path[depth - 1];
  const stored = toJson.call(source, typeof key === "object" ? "" : String(key));
  if (typeof stored !== "object" || stored === null) return read(stored, walk, depth);
  const prototype: unknown = Object.getPrototypeOf(stored);
  // Its own toJSON is not asked again, or `return this` would never end.
  if (prototype === Object.prototype || prototype === null) return readFields(stored as Fields, walk, depth);
  if (stored === source) return refuseInstance(stored, walk, depth);
  walk.path[depth] = { text: ".toJSON()" };
  return readObject(stored, walk, depth + 1);
}

function readInstance(value: object, walk: Walk, depth: number): unknown {
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime()))
      refuse(walk, depth, "it is an invalid Date", "Check the date before returning it.");
    walk.isPlain = false;
    return new Date(value.getTime());
  }
  if (value instanceof Error) return readError(value, walk, depth);
  if (value instanceof Map) return readMap(value, walk, depth);
  if (value instanceof Set) return readSet(value, walk, depth);
  if (value instanceof URL) {
    walk.isPlain = false;
    return new URL(value.href);
  }
  const kind = bytesKindOf(value);
  if (kind !== undefined) {
    const bytes = StoredBytes.from(value, kind);
    walk.chars += bytes.base64.length;
    if (walk.chars > walk.limits.maxBytes) refuseSize(walk);
    walk.isPlain = false;
    return bytes;
  }
  if (typeof (value as Fields).toJSON === "function") return readToJson(value as Fields, walk, depth);
  // A plain object of another realm (a node:vm context): its prototype is the end of its chain.
  if (Object.getPrototypeOf(Object.getPrototypeOf(value)) === null) return readFields(value as Fields, walk, depth);
  return refuseInstance(value, walk, depth);
}

function readMap(value: ReadonlyMap<unknown, unknown>, walk: Walk, depth: number): Map<unknown, unknown> {
  count(value.size * 2, walk, depth);
  walk.isPlain = false;
  const copy = new Map<unknown, unknown>();
  let index = 0;
  for (const [key, held] of value) {
    walk.path[depth] = { text: `.keys()[${index}]` };
    walk.readDepth = depth + 1;
    const copiedKey = read(key, walk, depth + 1);
    const isNamed = typeof key === "string" || typeof key === "number";
    walk.path[depth] = { text: isNamed ? `.get(${JSON.stringify(key)})` : `.values()[${index}]` };
    walk.readDepth = depth + 1;
    copy.set(copiedKey, read(held, walk, depth + 1));
    index++;
  }
  return copy;
}

function readSet(value: ReadonlySet<unknown>, walk: Walk, depth: number): Set<unknown> {
  count(value.size, walk, depth);
  walk.isPlain = false;
  const copy = new Set<unknown>();
  for (const held of value) {
    walk.path[depth] = { text: `.values()[${copy.size}]` };
    walk.readDepth = depth + 1;
    copy.add(read(held, walk, depth + 1));
  }
  return copy;
}

const ERROR_PARTS = ["name", "message", "stack", "cause", "errors"] as const;

function readError(value: Error, walk: Walk, depth: number): StoredError {
  walk.isPlain = false;
  const parts: Fields = {};
  for (const key of ERROR_PARTS) {
    walk.path[depth] = key;
    walk.readDepth = depth + 1;
    if (!(key in value)) continue;
    const part: unknown = (value as unknown as Fields)[key];
    parts[key] = key === "cause" || key === "errors" ? read(part, walk, depth + 1) : read(`${part}`, walk, depth + 1);
  }
  const own: Fields = {};
  const keys = Object.keys(value);
  count(keys.length + ERROR_PARTS.length, walk, depth);
  for (const key of keys) {
    if ((ERROR_PARTS as readonly string[]).includes(key)) continue;
    walk.path[depth] = key;
    walk.readDepth = depth + 1;
    setOwn(own, key, read((value as unknown as Fields)[key], walk, depth + 1));
  }
  return new StoredError(parts, own);
}

// A BigInt beyond this is somebody else's denial of service: decimal conversion takes quadratic time.
export const MAX_BIGINT_DIGITS = 10_000;
let bigIntBound: bigint | undefined;

function readBigInt(value: bigint, walk: Walk, depth: number): bigint {
  bigIntBound ??= 10n ** BigInt(MAX_BIGINT_DIGITS);
  if (value >= bigIntBound || value <= -bigIntBound) {
    refuse(walk, depth, `it is a BigInt of more than ${MAX_BIGINT_DIGITS} digits`, "Store it as bytes.");
  }
  walk.isPlain = false;
  return value;
}

function count(more: number, walk: Walk, depth: number): void {
  walk.values += more;
  if (walk.values <= walk.limits.maxValues) return;
  refuseCycle(walk, depth);
  refuse(
    walk,
    depth,
    `with it the payload holds more than ${walk.limits.maxValues} values`,
    "Store the data elsewhere and return a reference to it.",
  );
}

function refuseDepth(walk: Walk, depth: number): never {
  refuseCycle(walk, depth);
  return refuse(walk, depth, `it is nested more than ${walk.limits.maxDepth} levels deep`, "Return flatter data.");
}

// Cycles cost nothing to look for while all goes well: they show as endless depth, or as endlessly many values.
function refuseCycle(walk: Walk, depth: number): void {
  const seen = new Map<object, number>();
  for (let d = 0; d <= depth; d++) {
    const container = walk.above[d] as object;
    const first = seen.get(container);
    if (first !== undefined) {
      const hint = "Return data without circular references.";
      refuse(walk, d, `it is a cycle, back to ${renderPath(walk, first)}`, hint);
    }
    seen.set(container, d);
  }
}

const HINTS = new Map<string, readonly [found: string, hint: string]>([
  ["Promise", ["a promise", "Did you forget an await?"]],
  ["RegExp", ["a RegExp", "Store its source and flags."]],
  ["WeakMap", ["a WeakMap", "Its entries cannot be listed: use a Map."]],
  ["WeakSet", ["a WeakSet", "Its values cannot be listed: use a Set."]],
  ["WeakRef", ["a WeakRef", "Store what it refers to."]],
]);

function refuseInstance(value: object, walk: Walk, depth: number): never {
  const tag = Object.prototype.toString.call(value).slice("[object ".length, -1);
  const known = HINTS.get(tag);
  if (known !== undefined) return refuse(walk, depth, `it is ${known[0]}`, known[1]);
  const made: unknown = (value as { constructor?: unknown }).constructor;
  const name = typeof made === "function" && made.name !== "" ? made.name : "an unnamed class";
  return refuse(walk, depth, `it is an instance of ${name}`, "Return plain data, or give the class a toJSON method.");
}

function refuse(walk: Walk, depth: number, found: string, hint: string): never {
  const path = renderPath(walk, depth);
  const message = `${path} cannot be stored: ${found}. ${hint}`;
  throw new Refusal(new EverstepError("PAYLOAD_UNSERIALIZABLE", message, { details: { path, found } }));
}

function refuseSize(walk: Walk): never {
  throw new Refusal(tooLarge(walk.what, `at least ${walk.chars}`, walk.limits.maxBytes));
}

export function tooLarge(what: string, size: string, maxBytes: number): EverstepError {
  return new EverstepError(
    "PAYLOAD_TOO_LARGE",
    `${what} takes ${size} bytes in stored form; the limit is ${maxBytes}. Keep large data in a store of your own and pass a reference to it.`,
    { details: { what, size, maxBytes } },
  );
}

const IDENTIFIER = /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u;
const SHOWN_PARTS = 20;

function renderPath(walk: Walk, length: number): string {
  let path = walk.what;
  for (let d = 0; d < Math.min(length, SHOWN_PARTS); d++) {
    const part = walk.path[d] as string | number | Rendered;
    if (typeof part === "object") path += part.text;
    else if (typeof part === "number") path += `[${part}]`;
    else path += IDENTIFIER.test(part) ? `.${part}` : `[${JSON.stringify(part)}]`;
  }
  return length > SHOWN_PARTS ? `${path}… (${length} levels down)` : path;
}

function describeThrown(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 500) : String(error).slice(0, 500);
  } catch {
    return "something that cannot be shown";
  }
}
