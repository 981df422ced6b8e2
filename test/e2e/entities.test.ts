// Entities on Postgres, with many callers at once, whose workers are killed and whose runs continue as new in the middle of it.

import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { setStage } from "../support/stage.ts";
import { account } from "./workers/account.ts";

const KEYS = ["ann", "bob", "cem"];
const CALLERS = 4;
const CALLS = 8;
const KILLS = 5;

test("three workers, one killed after the other: each operation is performed once and answered in order, across runs", async () => {
  const { client, worker, ask } = await setStage();
  const workers = [await worker("account.ts"), await worker("account.ts"), await worker("account.ts")];
  const padding = "x".repeat(300_000);
  let kills = 0;

  /** Goes on for as long as workers are killed, however fast they are. */
  async function call(key: string, caller: number): Promise<number[]> {
    const mine = client.entity(account, key);
    const answers: number[] = [];
    for (let n = 0; n < CALLS || kills < KILLS; n++) {
      const text = `${caller}/${n}`;
      answers.push(await mine.book({ text, padding: n % 2 === 0 ? padding : "" }, { operationId: text }));
    }
    return answers;
  }
  const called = KEYS.map((key) => Promise.all(Array.from({ length: CALLERS }, (_, caller) => call(key, caller))));

  const eventCount = async () => Number((await ask<{ n: string }>("select count(*) as n from everstep.event"))[0]?.n);
  while (kills < KILLS) {
    const before = await eventCount();
    await eventually("they get on", async () => (await eventCount()) > before + 40);
    await workers.shift()?.kill();
    workers.push(await worker("account.ts"));
    kills++;
  }

  for (const [index, answers] of (await Promise.all(called)).entries()) {
    const total = answers.flat().length;
    // One after the other: every number once, and each caller's in the order of its calls.
    expect(answers.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: total }, (_, n) => n + 1));
    for (const own of answers) expect(own).toEqual([...own].sort((a, b) => a - b));
    const { texts, ...left } = await client.entity(account, KEYS[index] ?? "").all();
    expect(left).toEqual({ total });
    for (const [caller, own] of answers.entries())
      for (const [n, place] of own.entries()) expect(texts[place - 1]).toBe(`${caller}/${n}`);
  }
  const runs = await ask<{ workflow_id: string; n: number; open: number }>(
    `select r.workflow_id, count(*)::int as n, count(o.run_id)::int as open
     from everstep.run r left join everstep.open_run o on o.run_id = r.run_id group by 1 order by 1`,
  );
  expect(runs.map(({ workflow_id, open }) => [workflow_id, open])).toEqual(KEYS.map((key) => [`account/${key}`, 1]));
  for (const { n } of runs) expect(n).toBeGreaterThan(1);
});
