// Times that were recorded in whole milliseconds leave the store by a cheaper expression than others: it must say the same.

import pg from "pg";
import { expect, onTestFinished, test } from "vitest";
import { ms, recordedMs } from "../../runtime/store/postgres/columns.ts";
import { createDatabase } from "../support/databases.ts";

test("whole milliseconds are told exactly, from 1970 to the year 3999", async () => {
  const { url } = await createDatabase();
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  onTestFinished(() => client.end());
  // A step that shares no divisor with a second, so that all thousandths come up.
  const { rows } = await client.query<{ times: number; wrong: number }>(`
    select count(*)::int as times, (count(*) filter (where ${recordedMs("at")} <> ${ms("at")}))::int as wrong
    from generate_series(timestamptz '1970-01-01Z', timestamptz '3999-12-31Z', interval '7 days 11:13:17.137') at`);
  expect(rows[0]?.times).toBeGreaterThan(90_000);
  expect(rows[0]?.wrong).toBe(0);
});
