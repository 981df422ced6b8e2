// Claims that append nothing are committed without waiting for the disk. Here the server dies as if its machine had lost
// power, and keeps nothing that it has not flushed: what was promised is there, and whoever had a claim that is not can do
// nothing with it.

import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { ClaimedRun } from "../../runtime/store/claims.ts";
import { migrate } from "../../runtime/store/postgres/migrate.ts";
import { openPostgresStore } from "../../runtime/store/postgres/postgres-store.ts";
import { type PrivatePostgres, startPrivatePostgres } from "../support/private-postgres.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { only, Stage, startRequest, stepCompleted, turnOf } from "./store/stage.ts";

const stage = new Stage();
let server: PrivatePostgres;

beforeAll(async () => {
  // Nobody flushes the log but commits that wait for it.
  server = await startPrivatePostgres({ isDurable: true, settings: { wal_writer_delay: "10s", autovacuum: "off" } });
  await migrate({ url: server.url });
  const store = openPostgresStore({ url: server.url }, { log: new RecordedLog() });
  await stage.open(Promise.resolve({ store, close: () => store.close() }));
});

afterAll(async () => {
  await stage.close();
  await server.remove();
});

async function started(): Promise<string> {
  const start = startRequest();
  await stage.startAs(start);
  return start.queue;
}

/** Until the first statement that gets through: those before it find their connections cut. */
async function losesPower(): Promise<void> {
  await server.restart("immediate");
  await stage.becomes("the store is back", async () => {
    try {
      return (await stage.now()) > 0;
    } catch {
      return false;
    }
  });
}

const theyAgree = async (run: ClaimedRun, epoch: number | null): Promise<void> => {
  expect((await stage.store.findRun({ runId: run.runId }))?.epoch).toBe(epoch);
};

test("a claim that was lost with the server is nobody's: its owner can write nothing, the next one has the same epoch", async () => {
  const queue = await started();
  const lost = await stage.claimOne(queue);
  await losesPower();
  await theyAgree(lost, 0);
  expect(await stage.append(turnOf(lost))).toBe(false);
  const next = await stage.claimOne(queue);
  expect(next).toMatchObject({ runId: lost.runId, epoch: lost.epoch });
  expect(await stage.append(turnOf(lost))).toBe(false);
  expect(only(await stage.store.resolveTurns([turnOf(lost)]))).toMatchObject({ landed: false, owned: false });
  expect(await stage.append(turnOf(next))).toBe(true);
});

test("what was committed under a claim keeps the claim", async () => {
  const queue = await started();
  const run = await stage.claimOne(queue);
  expect(await stage.append(turnOf(run, {}, stepCompleted(1)))).toBe(true);
  await losesPower();
  await theyAgree(run, run.epoch);
  expect(await stage.append(turnOf({ ...run, events: 2 }, {}, stepCompleted(2)))).toBe(true);
});

test("a claim that tells of a timer is on the disk when it is answered", async () => {
  const queue = await started();
  const run = await stage.claimOne(queue);
  await stage.park(run, (await stage.now()) - 1_000, { command: 3, name: "payday" });
  const woken = await stage.claimOne(queue, { workerId: randomUUID() });
  expect(woken).toMatchObject({ hasFired: true, events: 2 });
  await losesPower();
  await theyAgree(woken, woken.epoch);
  expect(await stage.store.readHistory(run.runId, 0, 10)).toEqual(woken.history);
});
