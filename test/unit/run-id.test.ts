// Ids of runs are ULIDs, as the library of that name makes and reads them.

import fc from "fast-check";
import { decodeTime, ulid } from "ulid";
import { expect, test } from "vitest";
import { forkIdOf, idAfter, newRunId, timeOfId } from "../../runtime/world/run-id.ts";
import { systemChance } from "../../runtime/world/system.ts";

const MOST_MS = 2 ** 48 - 1;
const times = fc.integer({ min: 1, max: MOST_MS });
const worldAt = (now: number, uuid = systemChance.uuid()) => ({
  clock: { now: () => now } as never,
  chance: { float: () => 0, uuid: () => uuid },
});

test("a new id is the ULID of its time, with the chance of an id", () => {
  fc.assert(
    fc.property(times, fc.uuid({ version: 4 }), (now, uuid) => {
      const bytes = Buffer.from(uuid.replaceAll("-", ""), "hex").values();
      expect(newRunId(worldAt(now, uuid))).toBe(ulid(now, () => (bytes.next().value ?? 0) / 256));
    }),
  );
});

test("the time of an id is read back, and nothing else is taken for an id", () => {
  fc.assert(fc.property(times, (now) => timeOfId(newRunId(worldAt(now))) === now));
  fc.assert(fc.property(times, (now) => timeOfId(ulid(now)) === decodeTime(ulid(now))));
  for (const text of [
    "",
    "nonsense",
    ulid(5).slice(1),
    `${ulid(5)}0`,
    ulid(5).replace("0", "U"),
    "8ZZZZZZZZZ0000000000000000",
    "ü".repeat(26),
  ]) {
    expect(() => timeOfId(text)).toThrow(/is not a run id/);
  }
});

test("an id is later than the one that it comes after, whatever the clock says", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: MOST_MS - 1 }), times, (earlier, now) => {
      const after = newRunId(worldAt(earlier));
      expect(newRunId(worldAt(now), after) > after).toBe(true);
      expect(idAfter(after, 1) > after).toBe(true);
    }),
  );
});

test("an id so long after another is the first of its time", () => {
  expect(idAfter(ulid(1_000), 500)).toBe(ulid(1_500, () => 0));
});

test("a bulk gives the fork of a run the same id each time, later than the run, and another for another run", () => {
  const [bulk, source] = [ulid(1_000), ulid(2_000)];
  expect(forkIdOf(bulk, source)).toBe(forkIdOf(bulk, source));
  expect(forkIdOf(bulk, source)).not.toBe(forkIdOf(bulk, ulid(2_000)));
  expect(timeOfId(forkIdOf(bulk, source))).toBe(2_001);
});

test("ids of the system's chance are random in every digit that may be", () => {
  const ids = Array.from({ length: 2_000 }, () => systemChance.uuid());
  expect(new Set(ids).size).toBe(ids.length);
  for (let place = 0; place < 36; place++) {
    const digits = new Set(ids.map((id) => id[place]));
    const isFixed = [8, 13, 14, 18, 23].includes(place);
    expect(digits.size).toBe(isFixed ? 1 : place === 19 ? 4 : 16);
  }
});
