// The approval example, tested as an author would test it: seven days pass in no time.

import { testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { decide, expense } from "../../examples/approval/workflow.ts";

let env: Awaited<ReturnType<typeof testEnvironment>>;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [expense], startAt: new Date("2030-01-01T00:00:00Z") });
});

afterEach(() => env.stop());

test("an expense that is approved is paid", async () => {
  const run = await env.client.start(expense, { input: { by: "Ann", amount: 120 } });
  await env.advance("6 days");
  await run.signal(decide, { approver: "Cleo", isApproved: true });
  expect(await run.result()).toEqual({ outcome: "paid", approver: "Cleo", payment: "120 to Ann" });
});

test("an expense that is refused is not", async () => {
  const run = await env.client.start(expense, { input: { by: "Ann", amount: 120 } });
  await run.signal(decide, { approver: "Cleo", isApproved: false });
  expect(await run.result()).toEqual({ outcome: "refused", approver: "Cleo" });
});

test("an expense nobody decides on expires after a week", async () => {
  const run = await env.client.start(expense, { input: { by: "Bob", amount: 120_000 } });
  expect(await run.result()).toMatchObject({ outcome: "expired" });
  expect(env.now()).toEqual(new Date("2030-01-08T00:00:00Z"));
});
