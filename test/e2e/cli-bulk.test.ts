// `everstep bulk`, on Postgres: what it finds, does, repeats and reports. No worker is needed for any of it.

import { afterAll, beforeAll, expect, test } from "vitest";
import { Client } from "../../runtime/client.ts";
import { everstep } from "../support/command-line.ts";
import { createDatabase } from "../support/databases.ts";
import { stubborn } from "./workers/stubborn.ts";

let database: string;
let client: Client;

beforeAll(async () => {
  ({ url: database } = await createDatabase());
  client = new Client({ database, logLevel: "silent" });
  await client.startMany(
    stubborn,
    Array.from({ length: 120 }, (_, index) => ({ id: `many-${index}` })),
  );
});

afterAll(() => client.close());

async function bulk(
  ...args: string[]
): Promise<{ readonly said: string; readonly told: string; readonly code: number }> {
  const { stdout, stderr, code } = await everstep(["bulk", ...args], { env: { DATABASE_URL: database } });
  return { said: stdout.trimEnd(), told: stderr.trimEnd(), code: code ?? -1 };
}

test("runs are found, paused, resumed by the id of the bulk, and forked; what was not done is told", async () => {
  const which = ["--workflow", stubborn.name];
  expect(await bulk("pause", "--dry-run", ...which)).toEqual({
    said: "120 run(s) found: nothing was done to them.",
    told: "100 run(s) so far: 0 done, 0 skipped, 0 failed.\n120 run(s) so far: 0 done, 0 skipped, 0 failed.",
    code: 0,
  });
  const foreseen = await bulk("retry-now", "charge", "--dry-run", "--id-prefix", "many-1", ...which);
  expect(foreseen).toMatchObject({
    said: expect.stringMatching(
      /^31 run\(s\) found: nothing was done to them; 31 would be skipped, 0 would fail\.\n\nOUTCOME +CODE +ID +WHY\nskipped +STEP_NOT_WAITING +many-1/,
    ),
    code: 0,
  });
  const nowhere = await bulk("move", "9.0.0", "--dry-run", "--id", "many-7", ...which);
  expect(nowhere).toMatchObject({ said: expect.stringMatching(/VERSION_UNKNOWN +many-7/), code: 1 });
  const paused = await bulk("pause", "--reason", "holidays", ...which, "--json");
  const report = JSON.parse(paused.said);
  expect(report).toMatchObject({ matched: 120, done: 120, isDryRun: false, isAborted: false, notDone: [] });
  expect(paused.told).toContain(`Bulk ${report.bulkId}: repeat it with --bulk-id if it does not come to its end.`);
  expect((await client.getUntyped("many-7").describe()).paused?.reason).toBe("holidays");
  await client.bulk({ where: {} }).resume();
  const again = await bulk("pause", ...which, "--bulk-id", report.bulkId);
  expect(again.said).toBe("120 run(s) found: 120 done, 0 skipped, 0 failed.");
  expect(await client.count({ where: { isPaused: true } })).toBe(0);

  await client.getUntyped("many-7").terminate();
  const canceled = await bulk("cancel", "--id", "many-7", "--status", "running", "terminated");
  expect(canceled).toMatchObject({
    said: expect.stringMatching(
      /^1 run\(s\) found: 0 done, 1 skipped, 0 failed\.\n\nOUTCOME +CODE +ID +WHY\nskipped +RUN_CLOSED +many-7 /,
    ),
    code: 0,
  });
  const forked = await bulk("fork", "--id", "many-7", "--status", "terminated", "--at", "1", "--suffix", "-again");
  expect(forked.said).toContain("1 done");
  expect(await client.getUntyped("many-7-again").describe()).toMatchObject({ forkedFrom: { event: 1 } });
  const taken = await bulk("fork", "--id", "many-7", "--status", "terminated", "--at", "1", "--suffix", "-again");
  expect(taken).toMatchObject({ said: expect.stringContaining("RUN_ALREADY_STARTED"), code: 1 });
});

test("what a bulk does not know is one line, and exit code 1", async () => {
  const { said, told, code } = await bulk("dance");
  expect({ said, code, told }).toEqual({
    said: "",
    code: 1,
    told: expect.stringMatching(/^ARGUMENT_INVALID: There is no "dance" in bulk\. There is: pause, resume, .*\.$/),
  });
});
