// Seven days pass in no time; and whenever the worker dies, the expense is paid once or not at all.

import "everstep/testing/vitest";
import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decide, expense } from "./workflow.ts";

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [expense], startAt: new Date("2030-01-01T00:00:00Z") });
});

afterEach(() => env.stop());

test("an expense that is approved is paid", async () => {
  const run = await env.client.start(expense, { input: { by: "Ann", amount: 120 } });
  await env.advance("6 days");
  await expect(run).toBeWaitingFor(decide);
  await run.signal(decide, { approver: "Cleo", isApproved: true });
  await expect(run).toHaveCompleted({ outcome: "paid", approver: "Cleo", payment: "120 to Ann" });
});

test("an expense that is refused is not", async () => {
  const run = await env.client.start(expense, { input: { by: "Ann", amount: 120 } });
  await run.signal(decide, { approver: "Cleo", isApproved: false });
  await expect(run).toHaveCompleted({ outcome: "refused", approver: "Cleo" });
  await expect(run).not.toHaveRunStep("pay");
});

test("an expense nobody decides on expires after a week", async () => {
  const run = await env.client.start(expense, { input: { by: "Bob", amount: 120_000 } });
  expect(await run.result()).toMatchObject({ outcome: "expired" });
  expect(env.now()).toEqual(new Date("2030-01-08T00:00:00Z"));
});

test("no crash changes how an expense ends", async () => {
  const input = { by: "Ann", amount: 120 };
  const expired = await crashEverywhere(expense, { input });
  const paid = await crashEverywhere(expense, {
    input,
    script: (run) => run.signal(decide, { approver: "Cleo", isApproved: true }),
  });
  expect([expired.crashes, paid.crashes]).toEqual([expired.places, paid.places]);
});
