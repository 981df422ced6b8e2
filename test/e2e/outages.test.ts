// A hundred runs, and in the middle of them what they depend on is cut, restarted, emptied or gone. All of them end as
// if nothing had happened. EVERSTEP_TEST_REDIS_OUTAGE_MS makes the long outage longer than is bearable every time.

import { afterAll, beforeAll, expect, test } from "vitest";
import { createDatabase } from "../support/databases.ts";
import { startErrands } from "../support/errands.ts";
import { eventually } from "../support/eventually.ts";
import {
  type PrivatePostgres,
  type PrivateRedis,
  startPrivatePostgres,
  startPrivateRedis,
} from "../support/servers.ts";
import { type Stage, setStage } from "../support/stage.ts";

const RUNS = 100;
const REDIS_OUTAGE_MS = Number(process.env.EVERSTEP_TEST_REDIS_OUTAGE_MS ?? 15_000);
const DONE = { code: 0, signal: null };

let postgres: PrivatePostgres;
let redis: PrivateRedis;

beforeAll(async () => {
  [postgres, redis] = await Promise.all([startPrivatePostgres({ isDurable: true }), startPrivateRedis()]);
});
afterAll(() => Promise.all([postgres.remove(), redis.remove()]));

async function setPrivateStage(hasRedis: boolean): Promise<Stage> {
  const { url } = await createDatabase({ serverUrl: postgres.url });
  return setStage({ databaseUrl: url, redisUrl: hasRedis ? redis.url : null });
}

/** Takes few runs at a time, so that two of them share the work. */
const startWorker = (stage: Stage) => stage.worker("errand.ts", { maxRunsPerClaim: 10 });

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("every connection to Postgres is cut again and again", async () => {
  const stage = await setPrivateStage(true);
  const workers = await Promise.all([startWorker(stage), startWorker(stage)]);
  const errands = await startErrands(stage, RUNS);
  let cut = 0;
  for (let round = 0; round < 15; round++) {
    const [row] = await stage.ask<{ count: number }>(
      `select count(pg_terminate_backend(pid))::int as count from pg_stat_activity
       where datname = current_database() and pid <> pg_backend_pid()`,
    );
    cut += row?.count ?? 0;
    await pause(100);
  }
  expect(cut).toBeGreaterThan(15);
  await errands.expectDone("once");
  expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([DONE, DONE]);
});

test.each([
  ["fast", "with Redis", true],
  ["immediate", "with Redis", true],
  ["fast", "without Redis", false],
  ["immediate", "without Redis", false],
] as const)("Postgres is restarted (%s) %s", async (mode, _, hasRedis) => {
  const stage = await setPrivateStage(hasRedis);
  const workers = await Promise.all([startWorker(stage), startWorker(stage)]);
  const errands = await startErrands(stage, RUNS);
  await eventually("the runs are in the middle of it", () => errands.begun() > RUNS);
  await postgres.restart(mode);
  await errands.expectDone("at least once");
  expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([DONE, DONE]);
});

test("Redis forgets everything", async () => {
  const stage = await setPrivateStage(true);
  const workers = await Promise.all([startWorker(stage), startWorker(stage)]);
  const errands = await startErrands(stage, RUNS);
  for (let round = 1; round <= 5; round++) {
    await eventually("the runs go on", () => errands.begun() > round * RUNS);
    await redis.flush();
  }
  await errands.expectDone("once");
  expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([DONE, DONE]);
});

test(
  "Redis is gone for a while and comes back empty",
  async () => {
    const stage = await setPrivateStage(true);
    const workers = await Promise.all([startWorker(stage), startWorker(stage)]);
    // They begin before, during and after the outage.
    const errands = await startErrands(stage, RUNS, { apartMs: (REDIS_OUTAGE_MS * 1.2) / RUNS });
    await eventually("the first runs are under way", () => errands.begun() > 0);
    await redis.stop();
    const begunBefore = errands.begun();
    await pause(REDIS_OUTAGE_MS);
    expect(errands.begun()).toBeGreaterThan(begunBefore + RUNS);
    await redis.start();
    await errands.expectDone("once");
    for (const { lines } of workers) {
      const warnings = lines.filter(({ level }) => level === "warn").map(({ message }) => message);
      expect(warnings.filter((message) => String(message).startsWith("The Redis of the leases"))).toHaveLength(1);
      expect(warnings.filter((message) => String(message).startsWith("The Redis of the wake-ups"))).toHaveLength(1);
    }
    expect(await Promise.all(workers.map((worker) => worker.stop()))).toEqual([DONE, DONE]);
  },
  REDIS_OUTAGE_MS * 2 + 60_000,
);
