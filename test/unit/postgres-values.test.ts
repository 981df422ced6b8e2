// How ids and texts travel to Postgres and back.

import fc from "fast-check";
import pg from "pg";
import { afterAll, beforeAll, expect, test } from "vitest";
import { names, textColumn, texts } from "../../runtime/store/postgres/columns.ts";
import { runIdOf, tryUuidOf, uuidOf } from "../../runtime/store/postgres/run-id.ts";
import { createDatabase } from "../support/databases.ts";

let client: pg.Client;
beforeAll(async () => {
  const { url } = await createDatabase({ isEmpty: true });
  client = new pg.Client({ connectionString: url });
  await client.connect();
});
afterAll(() => client.end());

const MARKS = ["\u0000", "\u001e", "\u001f"];
const runId = fc.ulid();

test("a run id survives the way to a uuid and back, in Postgres's own spelling", async () => {
  const ids = fc.sample(runId, 200);
  const { rows } = await client.query("select u::text as uuid from unnest($1::uuid[]) u", [ids.map(uuidOf)]);
  expect(rows.map(({ uuid }) => runIdOf(uuid))).toEqual(ids);
});

test("run ids and their uuids have one order", () => {
  fc.assert(
    fc.property(runId, runId, (a, b) => {
      expect(Math.sign(uuidOf(a) < uuidOf(b) ? -1 : 1)).toBe(a < b ? -1 : 1);
    }),
  );
});

test("what is no run id names no run", () => {
  for (const text of [
    "",
    "order-42",
    "01ARZ3NDEKTSV4RRFFQ69G5FAv",
    "81ARZ3NDEKTSV4RRFFQ69G5FAV",
    "01ARZ3NDEKTSV4RRFFQ69G5FAU",
  ]) {
    expect(tryUuidOf(text)).toBeNull();
  }
});

test("every list of JSON texts, empty names and nulls arrives as it was, followed by one padding row", async () => {
  const text = fc.oneof(
    fc.json(),
    fc.constantFrom(null, "", "null", "{}", "a,b", '"', "\\", "\n\t", "\u001d"),
    fc.string({ unit: "grapheme" }).filter((value) => !MARKS.some((mark) => value.includes(mark))),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(text, { minLength: 1, maxLength: 20 }), async (values) => {
      const { rows } = await client.query(`select ${textColumn(1)} as column`, [names(values)]);
      expect(rows[0].column).toEqual([...values, ""]);
    }),
    { numRuns: 200 },
  );
});

test("a name that holds a mark, or what Postgres cannot store, is refused", () => {
  for (const name of ["a\u001eb", "\u001f", "nul\u0000"]) {
    expect(() => names([name])).toThrow(expect.objectContaining({ code: "STORE_REJECTED" }));
  }
  expect(texts([])).toBe("");
});
