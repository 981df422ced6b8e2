// Runs that deal with other runs, while the workers that execute them are killed one after the other.

import { expect, test } from "vitest";
import { STATUS_CODES } from "../../sdk/protocol/run.ts";
import { eventually } from "../support/eventually.ts";
import { setStage } from "../support/stage.ts";
import { CHILDREN, family, ledger } from "./workers/family.ts";

const FAMILIES = 40;
const KILLS = 5;

test("three workers, one killed after the other: every child is started once, every end and report arrives once", async () => {
  const { client, worker, ask } = await setStage();
  const expected = FAMILIES * CHILDREN;
  const book = await client.start(ledger, { id: "ledger", input: { kept: [], expected } });
  const names = Array.from({ length: FAMILIES }, (_, n) => `family-${n}`);
  const runs = await client.startMany(
    family,
    names.map((name, n) => ({ id: name, input: name, delay: n * 40 })),
  );
  const workers = [await worker("family.ts"), await worker("family.ts"), await worker("family.ts")];

  const eventCount = async () => Number((await ask<{ n: string }>("select count(*) as n from everstep.event"))[0]?.n);
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await eventCount();
    await eventually("the runs get on", async () => (await eventCount()) > before + 50 || (await isDone()));
    await workers.shift()?.kill();
    workers.push(await worker("family.ts"));
  }
  async function isDone() {
    return (await book.describe()).status === "completed";
  }

  expect(await Promise.all(runs.map((run) => run.result({ timeout: "60s" })))).toEqual(
    names.map((name) => Array.from({ length: CHILDREN }, (_, child) => `${child} of ${name}`)),
  );
  const reports = await book.result({ timeout: "60s" });
  expect([...reports].sort()).toEqual(
    names.flatMap((name) => Array.from({ length: CHILDREN }, (_, child) => `${name}/${child}`)).sort(),
  );
  const parts = await ask<{ status: number; n: number }>(
    "select status, count(*)::int as n from everstep.run where workflow = 'part' group by status order by status",
  );
  expect(parts).toEqual([
    { status: STATUS_CODES.completed, n: expected },
    { status: STATUS_CODES.continuedAsNew, n: expected },
  ]);
  const leftovers = await ask<{ n: number }>(
    `select (select count(*) from everstep.errand)::int + (select count(*) from everstep.child)::int
       + (select count(*) from everstep.open_run)::int as n`,
  );
  expect(leftovers).toEqual([{ n: 0 }]);
});
