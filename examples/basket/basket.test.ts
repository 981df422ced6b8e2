// A basket is asked to change, and answers; its workers die between the question and the answer.

import "everstep/testing/vitest";
import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { addItem, basket, checkout, contents } from "./workflow.ts";

const lamp = { name: "lamp", count: 2 };
const chair = { name: "chair", count: 4 };

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [basket] });
});

afterEach(() => env.stop());

test("the first item starts the basket, the next one finds it open", async () => {
  const add = (item: typeof lamp) =>
    env.client.updateWithStart(basket, { id: "of-ann", update: addItem, updateInput: item });
  const { run } = await add(lamp);
  expect(await (await add(chair)).update.result()).toEqual([lamp, chair]);
  expect(await run.update(checkout)).toEqual({ total: 6 });
  await expect(run).toHaveCompleted([lamp, chair]);
});

test("what makes no sense is refused, and the history does not know of it", async () => {
  const run = await env.client.start(basket);
  const refused = run.update(addItem, { name: "table", count: 0 });
  await expect(refused).rejects.toMatchObject({ code: "UPDATE_REJECTED", cause: { message: "nothing is added" } });
  await expect(run).toHaveHistory(["RunStarted"]);
});

test("what the warehouse has not got fails its update, and not the basket", async () => {
  const run = await env.client.start(basket);
  await expect(run.update(addItem, { name: "cup", count: 100 })).rejects.toMatchObject({ code: "UPDATE_FAILED" });
  await run.update(addItem, lamp);
  expect(await run.query(contents)).toEqual([lamp]);
});

test("a warehouse that is away for a moment is asked again", async () => {
  const reserved = env.mockStep("reserve lamp", () => {}, { failFirst: 2 });
  const run = await env.client.start(basket);
  const adding = run.update(addItem, lamp);
  await env.advance("1m");
  expect(await adding).toEqual([lamp]);
  expect(reserved.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
});

test("no crash loses an item or adds one twice", async () => {
  const { crashes, places } = await crashEverywhere(basket, {
    script: async (run) => {
      await run.update(addItem, lamp);
      await run.update(addItem, chair);
      expect(await run.update(checkout)).toEqual({ total: 6 });
    },
  });
  expect(crashes).toBe(places);
});
