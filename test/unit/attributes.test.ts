// Attributes in stored form, and what may be asked of them.

import fc from "fast-check";
import { expect, test } from "vitest";
import { type AttributeFilters, attributeConditions } from "../../sdk/protocol/attribute-filter.ts";
import { attributeValueOf, decodeAttributes, encodeAttributes } from "../../sdk/protocol/attributes.ts";
import { decodeMemoChanges, encodeMemo, memoValuesOf, mergeMemo } from "../../sdk/protocol/memo.ts";
import { defineAttributes } from "../../sdk/workflow/attributes.ts";

const all = defineAttributes({
  word: "keyword",
  prose: "text",
  whole: "int",
  real: "double",
  flag: "bool",
  time: "datetime",
  words: "keywordList",
});

test("values of every type come back from their stored form", () => {
  const values = {
    word: "Straße \u{1F600}",
    prose: "two\nlines\t",
    whole: -3,
    real: 0.1,
    flag: false,
    time: new Date(8),
    words: ["b", "a", "b"],
  };
  const changes = decodeAttributes(encodeAttributes(all(values), "test"));
  const read = Object.entries(changes).map(([name, stored]) => [name, stored && attributeValueOf(stored)]);
  expect(Object.fromEntries(read)).toEqual(values);
  expect(all.of({ attributes: Object.fromEntries(read) })).toEqual(values);
});

test("minus zero is zero, an empty list is none, undefined leaves as it is", () => {
  expect(all({ real: -0, words: [], word: undefined, flag: null })).toEqual({
    real: ["double", 0],
    words: null,
    flag: null,
  });
});

test.each([
  ["word", "two\nlines"],
  ["word", "\u0000"],
  ["word", "\ud800"],
  ["word", 5],
  ["prose", "bell\u0007"],
  ["whole", 1.5],
  ["whole", 2 ** 53],
  ["real", Number.NaN],
  ["real", Number.POSITIVE_INFINITY],
  ["flag", 1],
  ["time", new Date(Number.NaN)],
  ["time", "2026-01-01"],
  ["words", ["a", 1]],
  ["words", "a"],
  ["other", 1],
])("%s refuses %j", (name, value) => {
  expect(() => all({ [name]: value } as never)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test.each(["", "9a", "a b", "a'", "x".repeat(65), "-a"])("%j cannot name an attribute", (name) => {
  expect(() => defineAttributes({ [name]: "bool" })).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test("a type nobody knows is refused with those there are", () => {
  expect(() => defineAttributes({ a: "string" as never })).toThrow(/Types are: keyword, text, int/);
});

test("only what has this type is told as it", () => {
  expect(all.of({ attributes: { word: 3, whole: 3, real: 3, flag: "yes", unknown: 1, words: ["a"] } })).toEqual({
    whole: 3,
    real: 3,
    words: ["a"],
  });
});

test.each([
  [{ a: { gte: 1, lt: "b" } }, /different kinds/],
  [{ a: { like: "x" } }, /Tests are: equals, gt/],
  [{ a: { startsWith: 4 } }, /takes a string/],
  [{ a: { oneOf: "x" } }, /takes an array/],
  [{ a: ["x"] }, /ask for one keyword/],
  [{ a: Number.NaN }, /finite number/],
  [{ "a; drop": 1 }, /cannot name an attribute/],
  [{ a: "\u0000" }, /is compared with/],
])("%j cannot be asked", (filter, message) => {
  expect(() => attributeConditions(filter as AttributeFilters)).toThrow(message);
});

test("a filter is taken apart into conditions", () => {
  expect(attributeConditions({ a: "x", b: null, c: { gt: 1, not: 5 } })).toEqual([
    { name: "a", isNegated: false, tests: [{ comparison: "equals", values: [{ kind: "text", value: "x" }] }] },
    { name: "b", isNegated: true, tests: [] },
    { name: "c", isNegated: false, tests: [{ comparison: "gt", values: [{ kind: "number", value: 1 }] }] },
    { name: "c", isNegated: true, tests: [{ comparison: "equals", values: [{ kind: "number", value: 5 }] }] },
  ]);
});

test("a memo is what its changes make of it, whatever they hold", () => {
  const values = fc.dictionary(fc.string({ minLength: 1, maxLength: 5, unit: "grapheme" }), fc.jsonValue());
  fc.assert(
    fc.property(fc.array(values, { maxLength: 4 }), (changes) => {
      fc.pre(changes.every((each) => Object.keys(each).every((key) => !/\p{Cc}/u.test(key))));
      let memo = {};
      const expected = new Map<string, unknown>();
      for (const each of changes) {
        memo = mergeMemo(memo, decodeMemoChanges(encodeMemo(each, "memo")), "memo");
        for (const [key, value] of Object.entries(each)) {
          if (value === null) expected.delete(key);
          else expected.set(key, JSON.parse(JSON.stringify(value)));
        }
      }
      expect(new Map(Object.entries(JSON.parse(JSON.stringify(memoValuesOf(memo, "memo")))))).toEqual(expected);
    }),
  );
});
