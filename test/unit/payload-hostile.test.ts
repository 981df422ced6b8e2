// Stored texts that nobody's encoder wrote. Each must be refused, or harmless, within bounds.

import { deepStrictEqual } from "node:assert";
import fc from "fast-check";
import { afterEach, describe, expect, test } from "vitest";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import { decodePayload, encodePayload } from "../../sdk/protocol/payload.ts";

const envelope = (json: unknown, values?: unknown) =>
  JSON.stringify({ $everstep: "rich", json, ...(values === undefined ? {} : { values }) });

function outcome(payload: string): string {
  try {
    decodePayload(payload, "result");
    return "read";
  } catch (error) {
    if (isEverstepError(error, "PAYLOAD_UNREADABLE")) return error.message;
    throw error;
  }
}

afterEach(() => {
  expect(Object.keys(Object.prototype)).toEqual([]);
  expect(({} as { x?: unknown }).x).toBeUndefined();
});

describe("hostile envelopes are refused", () => {
  test.each<[string, string]>([
    ["an index past the array", envelope({ a: [1] }, { a: ["set", { "999999999": ["Date"] }] })],
    ["an index past a plain array", envelope([1], { "4294967294": ["undefined"] })],
    ["an index with leading zeros", envelope([null, null], { "01": ["undefined"] })],
    ["a typed array by its length", envelope(1e9, [["typed-array", "Uint8Array"]])],
    ["a regexp", envelope("/^(a+)+$/", ["regexp"])],
    ["a registered symbol", envelope("x", [["symbol", "iterator"]])],
    ["a custom transformer", envelope("x", [["custom", "x"]])],
    ["superjson's own Error", envelope({ message: "x" }, ["Error"])],
    ["a class that is not ours", envelope({}, [["class", "Object"]])],
    ["a kind from the prototype", envelope("x", ["constructor"])],
    ["a huge BigInt", envelope("9".repeat(10_001), ["bigint"])],
    ["a BigInt in disguise", envelope("0x10", ["bigint"])],
    ["a Date that is none", envelope("tomorrow", ["Date"])],
    ["a URL that is none", envelope("nowhere", ["URL"])],
    ["a number that is none", envelope("1e400", ["number"])],
    ["an undefined that is something", envelope({ a: 1 }, { a: ["undefined"] })],
    ["a map of no pairs", envelope([[1]], ["map"])],
    ["a set of a string", envelope("abc", ["set"])],
    ["a path through __proto__", envelope({ a: "1" }, { "__proto__.x": ["Date"] })],
    ["a path through constructor", envelope({ a: "1" }, { "constructor.prototype.x": ["Date"] })],
    ["a key that is not escaped", `{"$everstep":"rich","json":{"__proto__":{"x":1}}}`],
    ["a malformed path", envelope({ "a\\": "1" }, { "a\\": ["bigint"] })],
    ["a set annotated in parts", envelope({ a: [null] }, { a: ["set"], "a.0": ["undefined"] })],
    ["a set annotated twice", envelope({ a: [] }, { a: ["set"], "\\a": ["set"] })],
    [
      "referential equalities",
      `{"$everstep":"rich","json":{"a":1},"referentialEqualities":{"a":["constructor.prototype.x"]}}`,
    ],
    ["bytes of an unknown kind", envelope({ kind: "SharedArrayBuffer", base64: "" }, [["class", "bytes"]])],
    ["bytes that are no base64", envelope({ kind: "Buffer", base64: "%%%" }, [["class", "bytes"]])],
    ["bytes that do not fill their items", envelope({ kind: "Float64Array", base64: "AAAA" }, [["class", "bytes"]])],
    ["an error without a message", envelope({ name: "Error" }, [["class", "Error"]])],
    ["annotations without shape", envelope(1, 7)],
    ["deep nesting", envelope("X").replace('"X"', "[".repeat(20_000) + "]".repeat(20_000))],
    ["an unknown form", `{"$everstep":"richer","json":1}`],
    ["an envelope without content", `{"$everstep":"rich"}`],
    ["no JSON", "undefined"],
    ["nothing", ""],
  ])("%s", (_, payload) => {
    expect(outcome(payload)).toMatch(/^result cannot be read back: /);
  });

  test("annotations that would have a set searched once for each of its members", () => {
    const values = Object.fromEntries(Array.from({ length: 20_000 }, (_, i) => [`a.${i}`, ["undefined"]]));
    const payload = envelope({ a: new Array(20_000).fill(null) }, { a: ["set"], ...values });
    expect(outcome(payload)).toContain("reaches into another's value");
  });
});

test("plain JSON of any depth and with any key is only data", () => {
  expect(outcome("[".repeat(20_000) + "]".repeat(20_000))).toBe("read");
  const parsed = decodePayload('{"__proto__":{"x":1}}', "input") as { x?: number };
  expect(parsed.x).toBeUndefined();
});

test("whatever annotations say, they are refused or what is read can be stored again", () => {
  const kind = fc.oneof(
    fc.constantFrom("Date", "set", "map", "undefined", "bigint", "number", "URL", "regexp", "Error", "__proto__"),
    fc.constantFrom(["class", "Error"], ["class", "bytes"], ["typed-array", "Uint8Array"], ["custom", "x"]),
  );
  const path = fc
    .array(fc.constantFrom("a", "b", "0", "1", "99999999", "__proto__", "constructor", "~constructor", "kind"), {
      minLength: 1,
      maxLength: 3,
    })
    .map((keys) => keys.join("."));
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 3 },
      kind.map((one) => [one]),
      fc.tuple(kind, fc.dictionary(path, tie("tree"))),
      fc.dictionary(path, tie("tree")),
    ),
  }));
  const { json } = fc.letrec((tie) => ({
    json: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, "1", "NaN", "1970-01-01T00:00:00.000Z", "http://a/", 1, "AAAA", "Buffer"),
      fc.array(tie("json"), { maxLength: 3 }),
      fc.dictionary(
        fc.constantFrom("a", "b", "0", "~constructor", "kind", "base64", "name", "message", "own", "~stack"),
        tie("json"),
      ),
    ),
  }));
  let read = 0;
  fc.assert(
    fc.property(json, tree, (data, annotations) => {
      const payload = envelope(data, annotations);
      if (outcome(payload) !== "read") return;
      read++;
      const value = decodePayload(payload, "result");
      deepStrictEqual(decodePayload(encodePayload(value, "result"), "result"), value);
    }),
    { numRuns: 3_000, seed: 20 },
  );
  expect(read).toBeGreaterThan(0);
});

test("a stored text that was cut or changed is refused or reads as some value, never as a crash", () => {
  const payload = encodePayload(
    { at: new Date(0), m: new Map([["k", new Set([1n])]]), e: new Error("x"), b: Buffer.from("hey") },
    "result",
  ) as string;
  fc.assert(
    fc.property(fc.nat(payload.length - 1), fc.string({ minLength: 0, maxLength: 2 }), (position, text) => {
      outcome(payload.slice(0, position) + text + payload.slice(position + 1));
      outcome(payload.slice(0, position));
    }),
    { numRuns: 1_000 },
  );
});
