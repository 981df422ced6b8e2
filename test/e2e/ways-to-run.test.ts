// The same little life of a run in every setting it may be lived in: with Redis, without, and behind a pooler that gives
// each transaction another session.

import { expect, onTestFinished, test } from "vitest";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { startPgbouncer } from "../support/pgbouncer.ts";
import { type Stage, setStage } from "../support/stage.ts";
import { approve, note, noteAt, order, phase } from "./workers/order.ts";

const DONE = { code: 0, signal: null };
const RUNS = 10;

async function setPooledStage(): Promise<Stage> {
  const { url } = await createDatabase();
  const pooler = await startPgbouncer(url, { poolSize: 5 });
  onTestFinished(() => pooler.remove());
  return setStage({ databaseUrl: pooler.url, connection: { isPooled: true } });
}

test.each([
  ["with Redis", () => setStage()],
  ["without Redis: Postgres keeps the leases and gives the hints", () => setStage({ redisUrl: null })],
  ["behind PgBouncer in transaction mode", setPooledStage],
])("%s, runs have steps, timers, signals, queries and transactions", async (_, set) => {
  const stage = await set();
  const { client, witness, worker, ask } = stage;
  await ask("create table booking (id serial, workflow_id text, price int)");
  const workers = await Promise.all([worker("order.ts"), worker("order.ts")]);

  const runs = await client.startMany(
    order,
    Array.from({ length: RUNS }, (_, index) => ({
      id: `order-${index}`,
      input: { item: "x".repeat(index), notes: 2 },
    })),
  );
  // The first note may come before the run's first line.
  await Promise.all(runs.map((run, index) => run.signal(note, `first of ${index}`)));
  await Promise.all(
    runs.map((run) => eventually("the order is booked", async () => (await run.query(phase)) === "booked")),
  );
  const [shown] = runs;
  expect((await shown?.describe())?.pending).toMatchObject({ signals: ["approve"] });
  await Promise.all(runs.map((run) => run.signal(approve, { by: "ann" })));
  await Promise.all(runs.map((run, index) => run.signal(note, `second of ${index}`, { signalId: "second" })));

  const results = await Promise.all(runs.map((run) => run.result({ timeout: "30s" })));
  expect(results).toEqual(
    runs.map((_, index) => ({
      price: index * 10,
      isBooked: true,
      by: "ann",
      notes: [`first of ${index}`, `second of ${index}`],
    })),
  );
  // Nobody died: no step ran twice, and every booking is there once.
  expect(witness.all("price")).toHaveLength(RUNS);
  expect(witness.all("book")).toHaveLength(RUNS);
  const bookings = await ask<{ workflow_id: string; price: number }>(
    "select workflow_id, price from booking order by workflow_id",
  );
  expect(bookings).toEqual(runs.map(({ workflowId }, index) => ({ workflow_id: workflowId, price: index * 10 })));
  // A closed run is replayed to answer.
  expect(await shown?.query(phase)).toBe("approved");
  expect(await shown?.query(noteAt, 1)).toBe("second of 0");
  expect(await shown?.query(noteAt, 7)).toBeUndefined();
  expect(await Promise.all(workers.map((each) => each.stop()))).toEqual([DONE, DONE]);
  const complaints = workers.flatMap(({ lines }) => lines.filter(({ level }) => level === "warn" || level === "error"));
  expect(complaints).toEqual([]);
});
