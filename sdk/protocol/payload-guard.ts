// Checks an envelope before superjson touches it. Superjson follows annotations without asking: 75 bytes that annotate
// index 999999999 of a one-element array hold it for most of a minute, a "typed array" of length 1e9 takes a gigabyte,
// a "regexp" brings its own catastrophe. Here every annotation must name a value that is there, once, and be of a kind
// that fits it. The work is linear in the envelope's size.

import { MAX_BIGINT_DIGITS } from "./payload-snapshot.ts";

export interface Envelope {
  readonly json: unknown;
  /** Superjson's `meta.values`: which values of `json`, by path, stand for what. Absent when all are themselves. */
  readonly values?: unknown;
}

type Json = Readonly<Record<string, unknown>>;

// The deepest payload the encoder allows, times what a level of maps or errors adds, with room.
const MAX_DEPTH = 1_000;
const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);
const NUMBERS = new Set(["NaN", "Infinity", "-Infinity", "-0"]);
const BIGINT = new RegExp(`^-?\\d{1,${MAX_BIGINT_DIGITS}}$`);
const INDEX = /^(?:0|[1-9]\d{0,8})$/;

const LEAVES: Readonly<Record<string, (json: unknown) => boolean>> = {
  undefined: (json) => json === null,
  number: (json) => typeof json === "string" && NUMBERS.has(json),
  bigint: (json) => typeof json === "string" && BIGINT.test(json),
  Date: (json) => typeof json === "string" && json.length < 40 && !Number.isNaN(Date.parse(json)),
  URL: (json) => typeof json === "string" && URL.canParse(json),
};

const CONTAINERS: Readonly<Record<string, (json: unknown) => boolean>> = {
  set: (json) => Array.isArray(json),
  map: (json) => Array.isArray(json) && json.every((entry) => Array.isArray(entry) && entry.length === 2),
  "class/Error": isObject,
  "class/bytes": isObject,
};

/** Returns the annotations, fit to be given to superjson together with `json`; throws otherwise. */
export function checkAnnotations({ json, values }: Envelope): object | undefined {
  checkJson(json, 0);
  if (values === undefined) return undefined;
  const annotated = new Set<object>();
  if (Array.isArray(values)) checkNode(values, json, annotated, 0);
  else checkChildren(values, json, annotated, 0);
  return values as object;
}

function checkJson(json: unknown, depth: number): void {
  if (typeof json !== "object" || json === null) return;
  ensure(depth < MAX_DEPTH, "it is nested too deep");
  if (Array.isArray(json)) {
    for (const item of json) checkJson(item, depth + 1);
    return;
  }
  for (const key of Object.keys(json)) {
    ensure(!FORBIDDEN.has(key), `the key ${key} is not escaped`);
    checkJson((json as Json)[key], depth + 1);
  }
}

// `[kind]` or `[kind, children]`, at the value it describes.
function checkNode(node: unknown, json: unknown, annotated: Set<object>, depth: number): void {
  ensure(Array.isArray(node) && (node.length === 1 || node.length === 2), "an annotation has an unknown shape");
  ensure(depth < MAX_DEPTH, "its annotations are nested too deep");
  const [kind, children] = node as [unknown, unknown];
  if (typeof kind === "string" && Object.hasOwn(LEAVES, kind)) {
    ensure(node.length === 1 && LEAVES[kind]?.(json) === true, `a value is no ${kind}`);
    return;
  }
  const name = Array.isArray(kind) && kind.length === 2 ? `${String(kind[0])}/${String(kind[1])}` : kind;
  ensure(typeof name === "string" && Object.hasOwn(CONTAINERS, name), "an annotation is of an unknown kind");
  ensure(CONTAINERS[name]?.(json) === true, `a value is no ${name}`);
  // A second annotation of one container would have superjson look its members up one by one, in quadratic time.
  ensure(!annotated.has(json as object), "a value is annotated twice");
  annotated.add(json as object);
  if (node.length === 2) checkChildren(children, json, annotated, depth + 1);
}

// `{ path: node }`, with paths from the value that the object stands at.
function checkChildren(children: unknown, from: unknown, annotated: Set<object>, depth: number): void {
  ensure(isObject(children), "its annotations have an unknown shape");
  for (const [path, node] of Object.entries(children)) {
    let json = from;
    for (const key of parsePath(path)) {
      // Below an annotated value, paths start at that value.
      ensure(json === from || !annotated.has(json as object), "an annotation reaches into another's value");
      json = memberOf(json, key);
    }
    checkNode(node, json, annotated, depth);
  }
}

function memberOf(json: unknown, key: string): unknown {
  if (Array.isArray(json)) {
    ensure(INDEX.test(key) && Number(key) < json.length, "an annotation is for an item that is not there");
    return json[Number(key)];
  }
  ensure(isObject(json) && Object.hasOwn(json, key), "an annotation is for a property that is not there");
  return json[key];
}

// Superjson's way to write a path: keys joined by dots, with dots and backslashes in keys escaped by a backslash.
function parsePath(path: string): string[] {
  ensure(/^(?:[^\\]|\\[.\\])*$/s.test(path), "an annotation's path is malformed");
  const keys: string[] = [];
  let key = "";
  for (let i = 0; i < path.length; i++) {
    if (path[i] === ".") {
      keys.push(key);
      key = "";
      continue;
    }
    if (path[i] === "\\") i++;
    key += path[i];
  }
  keys.push(key);
  return keys;
}

function isObject(json: unknown): json is Json {
  return typeof json === "object" && json !== null && !Array.isArray(json);
}

function ensure(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(what);
}
