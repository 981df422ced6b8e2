// A week passes in no time; and whenever the worker dies, the payment counts once.

import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { deliveryOf, registered } from "./provider.ts";
import { payment } from "./workflow.ts";

const input = { id: "lamp", hooks: "https://example.com/hooks" };
const token = () => registered.at(-1)?.callbackUrl.split("/").at(-1) ?? "";
const paid = deliveryOf({ amount: 40 }, "evt_1");

let env: TestEnvironment;

beforeEach(async () => {
  registered.length = 0;
  env = await testEnvironment({ workflows: [payment] });
});

afterEach(() => env.stop());

test("who pays after days has paid, and only what is signed counts", async () => {
  const run = await env.client.start(payment, { input });
  await env.advance("5 days");
  await env.client.deliverWebhook(token(), { body: paid.body });
  await env.client.deliverWebhook(token(), paid, { deliveryId: "evt_1" });
  expect(await run.result()).toEqual({ outcome: "paid", amount: 40, ignored: 1 });
});

test("nobody pays for a week", async () => {
  const run = await env.client.start(payment, { input });
  expect(await run.result()).toEqual({ outcome: "not paid", ignored: 0 });
});

test("no crash changes what was paid", async () => {
  const { crashes, places } = await crashEverywhere(payment, {
    input,
    script: async (_run, env) => {
      await env.advance("1 day");
      await env.client.deliverWebhook(token(), paid, { deliveryId: "evt_1" });
    },
  });
  expect(crashes).toBe(places);
});
