// What can be a run's headers, and what is refused.

import fc from "fast-check";
import { expect, test } from "vitest";
import { checkedHeaders, MAX_HEADER_BYTES, MAX_HEADERS } from "../../sdk/protocol/headers.ts";

const numbered = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, ""]));

test("what fits comes back as it was, and cannot be changed", () => {
  const given = { traceparent: "00-1-2-01", Tenant: "Zoë", empty: "" };
  const checked = checkedHeaders(given, "headers");
  expect(checked).toEqual(given);
  given.Tenant = "another";
  expect(checked?.Tenant).toBe("Zoë");
  expect(Object.isFrozen(checked)).toBe(true);
});

test("none and empty are the same", () => {
  expect(checkedHeaders(undefined, "headers")).toBeUndefined();
  expect(checkedHeaders({}, "headers")).toBeUndefined();
});

test("the limits are met exactly", () => {
  expect(Object.keys(checkedHeaders(numbered(MAX_HEADERS), "headers") ?? {})).toHaveLength(MAX_HEADERS);
  expect(() => checkedHeaders(numbered(MAX_HEADERS + 1), "headers")).toThrow("at most 16 headers; got 17");
  const full = { ab: "é".repeat((MAX_HEADER_BYTES - 2) / 2) };
  expect(checkedHeaders(full, "headers")).toEqual(full);
  expect(() => checkedHeaders({ abc: full.ab }, "headers")).toThrow("at most 8192 bytes of names and values; got 8193");
});

test.each([
  ["null", null],
  ["a list", ["a"]],
  ["a text", "a=b"],
  ["a number as a value", { a: 1 }],
  ["undefined as a value", { a: undefined }],
  ["a line end in a value", { a: "b\nc" }],
  ["half a surrogate pair", { a: "\ud800" }],
  ["an empty name", { "": "a" }],
  ["a control character in a name", { "a\0": "b" }],
])("%s is refused", (_what, given) => {
  expect(() => checkedHeaders(given, "headers")).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test("a name like __proto__ is a name like any other", () => {
  const given = JSON.parse('{"__proto__":"a"}');
  expect(Object.entries(checkedHeaders(given, "headers") ?? {})).toEqual([["__proto__", "a"]]);
});

test("whatever is accepted survives its way through JSON", () => {
  const texts = fc.string({ unit: "grapheme" });
  fc.assert(
    fc.property(fc.dictionary(texts, texts), (given) => {
      let checked: unknown;
      try {
        checked = checkedHeaders(given, "headers");
      } catch {
        return;
      }
      expect(JSON.parse(JSON.stringify(checked ?? {}))).toEqual(Object.fromEntries(Object.entries(given)));
    }),
  );
});
