// Runs that take turns at locks, while the workers that execute them are killed one after the other.

import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { setStage } from "../support/stage.ts";
import type { Testimony } from "../support/witness.ts";
import { impatient, KEYS, locked, pool, ROUNDS } from "./workers/locks.ts";

const RUNS = 60;
const KILLS = 5;

const visitOf = ({ value }: Testimony) => value as { readonly does: "enter" | "leave"; readonly token: number };

test("three workers, one killed after the other: no two runs hold a lock, tokens grow, and nothing is left", async () => {
  const { client, worker, witness, ask } = await setStage();
  const numbers = Array.from({ length: RUNS }, (_, n) => n);
  const runs = await client.startMany(
    locked,
    numbers.map((input) => ({ input, delay: input * 20 })),
  );
  const others = await client.startMany(
    impatient,
    numbers.map((input) => ({ input, delay: input * 20 })),
  );
  const workers = [await worker("locks.ts"), await worker("locks.ts"), await worker("locks.ts")];

  const eventCount = async () => Number((await ask<{ n: string }>("select count(*) as n from everstep.event"))[0]?.n);
  const isDone = async () => (await ask("select from everstep.open_run limit 1")).length === 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const before = await eventCount();
    await eventually("the runs get on", async () => (await eventCount()) > before + 100 || (await isDone()));
    await workers.shift()?.kill();
    workers.push(await worker("locks.ts"));
  }
  const granted = await Promise.all(runs.map((run) => run.result({ timeout: "60s" })));
  await Promise.all(others.map((run) => run.result({ timeout: "60s" })));

  // A step may be done twice when its worker dies: all visits of one holder are together, and come after those before it.
  const visits = new Set<string>();
  for (const key of KEYS) {
    const seen = witness.all(key);
    const tokens = seen.map((testimony) => visitOf(testimony).token);
    expect(tokens).toEqual([...tokens].sort((x, y) => x - y));
    const holders = new Map(seen.map((testimony) => [visitOf(testimony).token, testimony.run]));
    expect(new Set(holders.values()).size).toBe(holders.size);
    for (const holder of holders.values()) visits.add(holder);
    // What the code was told is what it told outside, on whichever worker.
    const told = granted.flatMap((each, n) => each.filter((_, round) => KEYS[(n + round) % KEYS.length] === key));
    expect([...holders.keys()].sort((x, y) => x - y)).toEqual(told.sort((x, y) => x - y));
  }
  expect(visits.size).toBe(RUNS * ROUNDS);

  const inside = new Set<string>();
  let most = 0;
  for (const testimony of witness.all(pool.name)) {
    if (visitOf(testimony).does === "enter") inside.add(testimony.run);
    else inside.delete(testimony.run);
    most = Math.max(most, inside.size);
  }
  expect(most).toBe(pool.permits);
  expect(inside.size).toBe(0);

  const leftovers = await ask<{ n: number }>(
    `select (select count(*) from everstep.lock_request)::int + (select count(*) from everstep.errand)::int
       + (select count(*) from everstep.open_run)::int as n`,
  );
  expect(leftovers).toEqual([{ n: 0 }]);
});
