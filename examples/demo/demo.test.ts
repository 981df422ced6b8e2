// The report on real flights, without the demo's database: what writes to it is mocked.

import "everstep/testing/vitest";
import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { loadFlights, tally } from "./flights.ts";
import { approve, countBatch, delayReport, progress } from "./workflow.ts";

const input = { batchSize: 4_000, lanes: 2, patience: "3 days" } as const;

function mockDatabase(env: TestEnvironment): void {
  env.mockStep(countBatch, ({ number, size }) => {
    const flights = loadFlights().slice(number * size, (number + 1) * size);
    return { batch: number, pid: 0, tallies: tally(flights) };
  });
  env.mockStep("publish", () => 300);
}

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [delayReport], onlyMockedSteps: true });
  mockDatabase(env);
  env.mockStep("load the flights", () => loadFlights().length);
});

afterEach(() => env.stop());

test("an approved report is published", async () => {
  const run = await env.client.start(delayReport, { input });
  await env.advance("1 day");
  expect(await run.query(progress)).toEqual({ phase: "waiting for approval", done: 5, batches: 5 });
  await run.signal(approve, { by: "Ann" });
  await expect(run).toHaveCompleted({ outcome: "published", by: "Ann", flights: 20_000, airports: 300 });
  await expect(run).toHaveRunStep(countBatch, { times: 5, attempts: 1 });
});

test("a report that nobody approves expires", async () => {
  const run = await env.client.start(delayReport, { input });
  await expect(run).toHaveCompleted({ outcome: "expired" });
  await expect(run).not.toHaveRunStep("publish");
});

test("no crash counts a batch twice or leaves one out", async () => {
  const { crashes, places } = await crashEverywhere(delayReport, {
    input: { ...input, batchSize: 8_000 },
    prepare: mockDatabase,
    script: (run) => run.signal(approve, { by: "Ann" }),
  });
  expect(crashes).toBe(places);
});
