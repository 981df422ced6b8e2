// The payment provider is mocked, with the trouble it makes; no step touches the world.

import "everstep/testing/vitest";
import { PermanentError } from "everstep";
import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { approve, type Order, order, status } from "./workflow.ts";

const lamp: Order = { item: "lamp", card: "4242", total: 40, address: "1 High Street" };

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [order], onlyMockedSteps: true });
  mockProvider(env);
  env.mockStep("ship", () => "lamp to 1 High Street");
});

afterEach(() => env.stop());

/** Fails twice, then charges once per key. */
function mockProvider(env: TestEnvironment) {
  const charges = new Map<string, string>();
  return {
    charge: env.mockStep(
      "charge",
      ({ idempotencyKey }) => {
        if (!charges.has(idempotencyKey)) charges.set(idempotencyKey, `ch_${charges.size + 1}`);
        return { chargeId: charges.get(idempotencyKey), amount: lamp.total };
      },
      { failFirst: 2 },
    ),
    refund: env.mockStep("refund", () => {}),
  };
}

test("an order is charged at the third attempt, approved and shipped", async () => {
  const run = await env.client.start(order, { input: lamp });
  await env.advance("1m");
  await expect(run).toBeWaitingFor(approve);
  expect(await run.query(status)).toBe("waiting for approval");
  await run.signal(approve, { by: "Ann" });
  await expect(run).toHaveCompleted({ parcel: "lamp to 1 High Street", approvedBy: "Ann", charged: 40 });
  await expect(run).toHaveRunStep("charge", { times: 1, attempts: 3 });
  await expect(run).not.toHaveRunStep("refund");
});

test("a canceled order is refunded", async () => {
  const { refund } = mockProvider(env);
  const run = await env.client.start(order, { input: lamp });
  await env.advance("1m");
  await run.cancel("the customer changed her mind");
  await expect(run.result()).rejects.toMatchObject({ status: "canceled" });
  expect(refund.calls).toHaveLength(1);
  expect(await run.query(status)).toBe("refunded");
});

test("an order that cannot be shipped is refunded", async () => {
  env.mockStep("ship", () => {
    throw new PermanentError("the order has no address");
  });
  const run = await env.client.start(order, { input: lamp });
  await run.signal(approve, { by: "Ann" });
  await expect(run.result()).rejects.toThrow("the order has no address");
  await expect(run).toHaveRunStep("refund", { times: 1 });
});

test("no crash charges twice, loses a refund or forgets the approval", async () => {
  const plan = {
    input: lamp,
    prepare: (env: TestEnvironment) => void mockProvider(env), // a provider that has seen nothing yet
  };
  const shipped = await crashEverywhere(order, { ...plan, script: (run) => run.signal(approve, { by: "Ann" }) });
  expect(shipped.history.events.at(-1)?.type).toBe("RunCompleted");
  const canceled = await crashEverywhere(order, {
    ...plan,
    script: async (run, env) => {
      await env.advance("1m");
      await run.cancel("the customer changed her mind");
    },
  });
  expect(canceled.history.events.at(-1)?.type).toBe("RunCanceled");
  expect([shipped.crashes, canceled.crashes]).toEqual([shipped.places, canceled.places]);
});
