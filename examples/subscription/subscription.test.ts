// A year of a subscription, month by month.

import "everstep/testing/vitest";
import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { paid, subscription } from "./workflow.ts";

const input = { customer: "Ann", price: 9, months: 12 };

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [subscription] });
});

afterEach(() => env.stop());

test("a year is twelve charges", async () => {
  const run = await env.client.start(subscription, { input });
  await expect(run).toHaveCompleted({ ended: "ran out", months: 12 });
  await expect(run).toHaveRunStep("charge", { times: 12 });
});

test("who cancels in the third month has paid three", async () => {
  const run = await env.client.start(subscription, { input });
  await env.advance("70 days");
  expect(await run.query(paid)).toEqual({ months: 3, amount: 27 });
  await expect(run).toBeWaitingFor({ timer: "sleep" });
  await run.cancel("moved abroad");
  await expect(run).toHaveCompleted({ ended: "canceled", months: 3 });
  await expect(run).toHaveRunStep("say goodbye");
});

test("no crash charges a month twice or not at all", async () => {
  const { crashes, places } = await crashEverywhere(subscription, {
    input,
    script: async (run, env) => {
      await env.advance("100 days");
      await run.cancel();
    },
  });
  expect(crashes).toBe(places);
});
