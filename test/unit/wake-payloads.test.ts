// How topics travel in notifications: whole, once each, never over Postgres's limit.

import fc from "fast-check";
import { expect, test } from "vitest";
import { packTopics, unpackTopics } from "../../runtime/wake/postgres/payloads.ts";

test("whatever is packed comes out again, each topic once, each payload under 8,000 bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: "binary", maxLength: 400 }), { maxLength: 200 }), (topics) => {
      const payloads = packTopics("sender", topics);
      for (const payload of payloads) expect(Buffer.byteLength(payload)).toBeLessThan(8_000);
      const unpacked = payloads.map(unpackTopics);
      expect(unpacked.map((hints) => hints?.sender)).toEqual(payloads.map(() => "sender"));
      expect(unpacked.flatMap((hints) => hints?.topics)).toEqual([...new Set(topics)]);
    }),
  );
});

test("a topic too long to travel is left out, the others go", () => {
  const payloads = packTopics("sender", ["a", "x".repeat(8_000), "b"]);
  expect(payloads).toEqual(['["sender","a","b"]']);
  expect(packTopics("sender", ["x".repeat(8_000)])).toEqual([]);
});

test("a payload is filled up before the next one begins", () => {
  const payloads = packTopics(
    "s",
    Array.from({ length: 1_000 }, (_, index) => `run/${String(index).padStart(20, "0")}`),
  );
  expect(payloads).toHaveLength(4);
});

test.each(["", "{", "7", "null", "[]", "[1]", '{"a":1}', '["x",["y"]]'])("%j is nobody's hint", (payload) => {
  expect(unpackTopics(payload)).toBeUndefined();
});
