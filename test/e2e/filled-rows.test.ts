// The benchmarks fill databases by SQL. What they put there must be what runs would have left: read by a client, and
// carried on by a worker.

import { expect, onTestFinished, test } from "vitest";
import { EVENTS_PER_CLOSED_RUN, fillClaimable, fillClosed, fillParked } from "../../bench/growth/filling.ts";
import { steps } from "../../bench/workflows.ts";
import { Client, type ShownEvent } from "../../runtime/client.ts";
import { Worker } from "../../runtime/worker.ts";
import { createDatabase } from "../support/databases.ts";

test("filled rows are runs: closed ones have a history, parked ones sleep, claimable ones complete", async () => {
  const { url } = await createDatabase();
  await fillClosed(url, 3);
  await fillParked(url, 3);
  await fillClaimable(url, "filled", 3);
  const connection = { database: url, redis: "", logLevel: "error" as const };
  const client = new Client(connection);
  const worker = new Worker({ workflows: [steps], queues: ["filled"], ...connection });
  onTestFinished(async () => {
    await client.close();
    await worker.stop();
  });
  await worker.start();

  expect(await client.get(steps, "filled-2").result()).toBe(28);

  const closed = client.get(steps, "closed-2");
  expect(await closed.describe()).toMatchObject({ status: "completed", queue: "default" });
  const history = await typesOf(closed.history());
  expect(history).toEqual(["RunStarted", ...Array(EVENTS_PER_CLOSED_RUN - 2).fill("StepCompleted"), "RunCompleted"]);

  const parked = client.get(steps, "parked-2");
  expect(await parked.describe()).toMatchObject({ status: "running", workflow: "sleeper" });
  const asleep = await typesOf(parked.history());
  expect(asleep).toEqual(["RunStarted", "TimerStarted"]);
});

async function typesOf(history: AsyncIterable<ShownEvent>): Promise<string[]> {
  const types: string[] = [];
  for await (const { type } of history) types.push(type);
  return types;
}
