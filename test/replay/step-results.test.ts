// What a step may return. A value that cannot be stored fails the step at once: another attempt would return it again.

import { expect, test } from "vitest";
import { ApplicationFailure, defineStep, type StepFailure, step, workflow } from "../../sdk/index.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";

const cycle: Record<string, unknown> = { list: [] };
(cycle.list as unknown[]).push({ back: cycle });

const unstorable: Record<string, { readonly value: () => unknown; readonly says: RegExp }> = {
  "a function": { value: () => ({ on: { click: () => {} } }), says: /result of step "work"\.on\.click/ },
  "a symbol": { value: () => [1, Symbol("x")], says: /result of step "work"\[1\]/ },
  "a cycle": { value: () => cycle, says: /result of step "work"\.list\[0\]\.back/ },
  "a getter that throws": {
    value: () => ({
      get balance() {
        throw new Error("no balance");
      },
    }),
    says: /result of step "work"\.balance cannot be stored: reading it threw .*no balance/,
  },
  "an instance of a class": { value: () => ({ at: new (class Point {})() }), says: /result of step "work"\.at/ },
  "more than a payload may be": { value: () => "x".repeat(3 * 1024 * 1024), says: /result of step "work" .*large/ },
};

test.each(Object.keys(unstorable))("%s fails the step once, naming the path", async (what) => {
  const { value, says } = unstorable[what] ?? { value: () => {}, says: /never/ };
  let calls = 0;
  const main = workflow("main", async () => {
    const failure: unknown = await step("work", () => {
      calls++;
      return value();
    }).catch((error) => error);
    return (failure as StepFailure).message;
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toMatch(says);
  expect(await typesOf(run)).toEqual(["RunStarted", "StepFailed", "RunCompleted"]);
  expect(calls).toBe(1);
});

test("what a step returns comes back the same, now and at replay", async () => {
  const value = {
    at: new Date(5),
    by: new Map([["a", new Set([1n])]]),
    gone: undefined,
    nan: Number.NaN,
    url: new URL("https://x.test/"),
  };
  let seen: unknown;
  const main = workflow("main", async () => {
    seen = await step("work", () => value);
    await step("next", () => {});
  });
  const house = openHouse();
  await house.startWorker([main]);
  await (await house.client.start(main)).result();
  expect(seen).toEqual(value);
});

test("nothing, null and false are told apart", async () => {
  const main = workflow("main", async () => [
    (await step("nothing", () => {})) === undefined,
    (await step("null", () => null)) === null,
    (await step("false", () => false)) === false,
  ]);
  const house = openHouse();
  await house.startWorker([main]);
  expect(await (await house.client.start(main)).result()).toEqual([true, true, true]);
});

test("an input that cannot be stored is refused where the step is called, before it has a number", async () => {
  const charge = defineStep("charge", (_order: unknown) => {});
  const main = workflow("main", async () => {
    const refusal = await Promise.resolve()
      .then(() => charge({ total: () => 1 }))
      .catch(String);
    await step("next", () => {});
    return refusal;
  });
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  expect(await run.result()).toContain('input of step "charge".total');
  expect((await historyOf(run))[1]).toMatchObject({ type: "StepCompleted", command: 1, name: "next" });
});

test("a result of the run that cannot be stored fails the run, naming the path", async () => {
  const main = workflow("main", async () => ({ on: () => {} }));
  const house = openHouse();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await expect(run.result()).rejects.toMatchObject({
    code: "RUN_FAILED",
    cause: { code: "PAYLOAD_UNSERIALIZABLE", message: expect.stringContaining('result of workflow "main".on') },
  });
});

test.each([
  ["a string", "plain", "NonError"],
  ["undefined", undefined, "NonError"],
  ["an object", { code: 7 }, "NonError"],
  ["null", null, "NonError"],
])("a step that throws %s fails with something that says so", async (_what, thrown, type) => {
  const main = workflow("main", async () => {
    const failure: unknown = await step("work", () => Promise.reject(thrown), { retry: { maxAttempts: 1 } }).catch(
      (e) => e,
    );
    const { cause } = failure as StepFailure;
    return cause instanceof ApplicationFailure ? cause.type : String(cause);
  });
  const house = openHouse();
  await house.startWorker([main]);
  expect(await (await house.client.start(main)).result()).toBe(type);
});
