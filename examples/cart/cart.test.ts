// The cart in a world of its own, where its workers die at every place where they can.

import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { cart } from "./cart.ts";

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [cart.workflow] });
});

afterEach(() => env.stop());

test("what the warehouse refuses was never in the cart", async () => {
  const ann = env.client.entity(cart, "ann");
  expect(await ann.total()).toBe(0);
  expect(await ann.add({ name: "lamp", count: 2 })).toBe(1);
  await expect(ann.add({ name: "cup", count: 100 })).rejects.toMatchObject({ code: "UPDATE_FAILED" });
  expect(await ann.total()).toBe(2);
});

test("a cart that was checked out is gone, and the next item begins another", async () => {
  const ann = env.client.entity(cart, "ann");
  await ann.add({ name: "lamp", count: 2 });
  expect(await ann.checkout()).toEqual({ customer: "ann", sold: ["lamp"] });
  expect(await ann.total()).toBe(0);
  expect(await ann.add({ name: "chair", count: 4 })).toBe(1);
});

test("no crash loses an item or adds one twice", async () => {
  const { crashes, places } = await crashEverywhere(cart.workflow, {
    input: { key: "ann" },
    start: (env) => env.client.start(cart.workflow, { id: cart.workflowId("ann"), input: { key: "ann" } }),
    script: async (_run, env) => {
      const ann = env.client.entity(cart, "ann");
      await ann.add({ name: "lamp", count: 2 }, { operationId: "first" });
      await ann.add({ name: "chair", count: 4 }, { operationId: "second" });
      const { sold } = await ann.checkout(undefined, { operationId: "third" });
      expect(sold).toEqual(["lamp", "chair"]);
    },
  });
  expect(crashes).toBe(places);
});
