// Waiting costs nothing and ends on time: parked runs are in nobody's memory, and no timer fires before its time by the
// database's clock.

import { expect, test } from "vitest";
import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { eventually } from "../support/eventually.ts";
import { type Stage, setStage } from "../support/stage.ts";
import type { WorkerProcess } from "../support/worker-process.ts";
import { halfAYear, waits } from "./workers/timers.ts";

const DONE = { code: 0, signal: null };
const PARK_AT_ONCE = { lingerMs: 0, keepIfDueWithinMs: 0 };

const databaseNow = async ({ ask }: Stage): Promise<number> => {
  const [row] = await ask<{ now: number }>("select (extract(epoch from clock_timestamp()) * 1000)::float8 as now");
  return row?.now ?? Number.NaN;
};

const parked = (worker: WorkerProcess, count: number) =>
  eventually(`${count} runs are parked`, async () => {
    const stats = await worker.stats();
    return stats.liveRuns === 0 && stats.parked >= count ? stats : null;
  });

/** For each fired timer, how late it was by the database's clock, in ms. */
async function lateness({ ask }: Stage): Promise<number[]> {
  const rows = await ask<{ late: number }>(
    `select (extract(epoch from fired.at) * 1000 -
        coalesce((started.data::json -> 'due' ->> 'atMs')::float8,
                 extract(epoch from started.at) * 1000 + (started.data::json -> 'due' ->> 'afterMs')::float8))::float8 as late
     from everstep.event fired join everstep.event started using (run_id, command)
     where fired.type = $1 and started.type = $2`,
    [EVENT_CODES.TimerFired, EVENT_CODES.TimerStarted],
  );
  return rows.map(({ late }) => late);
}

test("a thousand timers due at the same moment all fire, none early, from nobody's memory", async () => {
  const stage = await setStage();
  const { client, worker, witness } = stage;
  const first = await worker("timers.ts", PARK_AT_ONCE);
  const until = Math.ceil(await databaseNow(stage)) + 4_000;
  const runs = await client.startMany(waits, Array(1_000).fill({ input: { until } }));
  expect(await parked(first, 1_000)).toMatchObject({ liveRuns: 0, liveBytes: 0, stepsUnderWay: 0 });
  const second = await worker("timers.ts", PARK_AT_ONCE);

  expect(new Set(await Promise.all(runs.map((run) => run.result())))).toEqual(new Set(["woken"]));
  const late = await lateness(stage);
  expect(late).toHaveLength(1_000);
  expect(Math.min(...late)).toBeGreaterThanOrEqual(0);
  expect(witness.all("after")).toHaveLength(1_000);
  expect(await Promise.all([first.stop(), second.stop()])).toEqual([DONE, DONE]);
});

test("a sleep of half a year is parked until then, survives its worker, and goes on when its time has come", async () => {
  const stage = await setStage();
  const { client, worker, ask } = stage;
  const first = await worker("timers.ts", PARK_AT_ONCE);
  const run = await client.start(halfAYear);
  await parked(first, 1);
  const description = await run.describe();
  expect(description).toMatchObject({ status: "running", ownerId: null, crashCount: 0 });
  const [{ started } = { started: Number.NaN }] = await ask<{ started: number }>(
    "select (extract(epoch from at) * 1000)::float8 as started from everstep.event where type = $1",
    [EVENT_CODES.TimerStarted],
  );
  const halfAYearMs = 180 * 86_400_000;
  expect(Math.abs((description.wakeAt ?? 0) - (started + halfAYearMs))).toBeLessThan(1);
  expect(description.summary).toContain(`Parked until ${new Date(description.wakeAt ?? 0).toISOString()}`);
  expect(await first.kill()).toEqual({ code: null, signal: "SIGKILL" });

  // The year goes by: for the database, everything happened half a year earlier.
  await ask("update everstep.event set at = at - interval '180 days'");
  await ask("update everstep.open_run set wake_at = wake_at - interval '180 days'");
  const second = await worker("timers.ts", PARK_AT_ONCE);
  expect(await run.result({ timeout: "30s" })).toBe("woken");
  expect(Math.min(...(await lateness(stage)))).toBeGreaterThanOrEqual(0);
  expect(await second.stop()).toEqual(DONE);
});
