import fc from "fast-check";
import { expect, test } from "vitest";
import { type Duration, MAX_DURATION_MS, toMs } from "../../sdk/protocol/duration.ts";

test.each<[Duration, number]>([
  [0, 0],
  [1_500, 1_500],
  [0.2, 1],
  ["250ms", 250],
  ["0s", 0],
  ["30s", 30_000],
  ["30 seconds", 30_000],
  ["1 sec", 1_000],
  ["5m", 300_000],
  ["5 min", 300_000],
  ["1 minute", 60_000],
  ["1.5h", 5_400_000],
  ["2 hours", 7_200_000],
  ["2 days", 172_800_000],
  ["1d", 86_400_000],
  ["1 week", 604_800_000],
  ["0.07s", 70],
  ["1.0001s", 1_001],
  ["36525d", MAX_DURATION_MS],
])("%s is %d ms", (duration, ms) => {
  expect(toMs(duration, "timeout")).toBe(ms);
});

test.each<[unknown, string]>([
  [-1, "-1 is not a length of time"],
  [Number.NaN, "NaN is not a length of time"],
  [Number.POSITIVE_INFINITY, "Infinity is longer than 100 years"],
  ["36526 days", '"36526 days" is longer than 100 years'],
  ["-5s", '"-5s" is not a length of time'],
  ["1e3s", '"1e3s" is not a length of time'],
  ["0x10s", '"0x10s" is not a length of time'],
  ["5", '"5" is not a length of time'],
  ["", '"" is not a length of time'],
  [" 5s", '" 5s" is not a length of time'],
  ["5  s", '"5  s" is not a length of time'],
  ["5s 3ms", '"5s 3ms" is not a length of time'],
  ["1 year", '"1 year" has the unknown unit "year"'],
  ["1 constructor", '"1 constructor" has the unknown unit "constructor"'],
  ["5S", '"5S" is not a length of time'],
  [null, "null is not a length of time"],
  [{}, "[object Object] is not a length of time"],
  [5n, "5 is not a length of time"],
])("%s is refused, naming the argument", (duration, message) => {
  expect(() => toMs(duration as Duration, "step(timeout)")).toThrow(`step(timeout): ${message}`);
});

test("wrong units do not compile", () => {
  // @ts-expect-error: no such unit.
  const year: Duration = "1 year";
  // @ts-expect-error: a number needs a unit in a text.
  const bare: Duration = "5";
  // @ts-expect-error: neither words nor signs after the unit.
  const more: Duration = "5s later";
  const fine: readonly Duration[] = ["5s", "5 s", "1.5 hours", 5];
  expect([year, bare, more, ...fine]).toHaveLength(7);
});

test("a wait is never shorter than was asked for, nor longer by a millisecond", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 1e9, noNaN: true }), (amount) => {
      const ms = toMs(amount, "timeout");
      expect(Number.isSafeInteger(ms)).toBe(true);
      expect(ms).toBeGreaterThan(amount - 1e-5);
      expect(ms).toBeLessThan(amount + 1);
    }),
  );
});
