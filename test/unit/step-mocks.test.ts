// Steps mocked by their definition and by their name, and environments that execute nothing else.

import { defineStep, PermanentError, sleep, step, transaction, workflow } from "everstep";
import { type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";

async function open(workflows: TestEnvironmentOptions["workflows"], options: Partial<TestEnvironmentOptions> = {}) {
  const env = await testEnvironment({ workflows, ...options });
  onTestFinished(() => env.stop());
  return env;
}

const charge = defineStep("charge", async (input: { cents: number }) => ({ id: `real ${input.cents}` }), {
  retry: { initialInterval: "1h", jitter: 0, maxAttempts: 3 },
});
const buying = workflow("buying", async (cents: number) => {
  const { id } = await charge({ cents });
  const label = await step("label", () => `real label for ${id}`);
  return { id, label };
});

test("a defined step and an inline one are mocked, their calls noted, and restored", async () => {
  const env = await open([buying]);
  const charged = env.mockStep(charge, ({ cents }) => ({ id: `mock ${cents}` }));
  const labeled = env.mockStep("label", ({ attempt }) => `mock label at attempt ${attempt}`);
  const run = await env.client.start(buying, { id: "buying-1", input: 5 });
  expect(await run.result()).toEqual({ id: "mock 5", label: "mock label at attempt 1" });
  expect(charged.calls).toEqual([
    { input: { cents: 5 }, attempt: 1, workflowId: "buying-1", runId: run.runId, idempotencyKey: `${run.runId}/1` },
  ]);
  expect(labeled.calls).toMatchObject([{ input: undefined, attempt: 1 }]);

  labeled.restore();
  const second = await env.client.start(buying, { input: 6 });
  expect(await second.result()).toEqual({ id: "mock 6", label: "real label for mock 6" });
  env.restoreSteps();
  const third = await env.client.start(buying, { input: 7 });
  expect(await third.result()).toEqual({ id: "real 7", label: "real label for real 7" });
  expect(charged.calls).toHaveLength(2);
});

test("the newest mock counts, and restoring it brings back the one before", async () => {
  const env = await open([buying]);
  const older = env.mockStep(charge, () => ({ id: "older" }));
  const newer = env.mockStep("charge", () => ({ id: "newer" }));
  const result = async () => (await (await env.client.start(buying, { input: 1 })).result()).id;
  expect(await result()).toBe("newer");
  newer.restore();
  newer.restore();
  expect(await result()).toBe("older");
  older.restore();
  expect(await result()).toBe("real 1");
});

test("attempts fail as often as is said, with the step's own pauses", async () => {
  const env = await open([buying], { startAt: 0 });
  const charged = env.mockStep(charge, () => ({ id: "at last" }), { failFirst: 2 });
  const run = await env.client.start(buying, { input: 1 });
  expect((await run.result()).id).toBe("at last");
  expect(charged.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  expect(env.now().getTime()).toBe(3 * 3_600_000);

  env.mockStep(charge, () => ({ id: "never" }), { failFirst: 1, failWith: new PermanentError("declined") });
  await expect((await env.client.start(buying, { input: 1 })).result()).rejects.toThrow("declined");
});

test("a transaction is mocked without a database", async () => {
  const moving = workflow("moving", () => transaction("move", async (tx) => (await tx.query("select 1")).rowCount));
  const env = await open([moving], { onlyMockedSteps: true });
  env.mockStep("move", () => 30);
  expect(await (await env.client.start(moving)).result()).toBe(30);
});

test("where only mocked steps are executed any other is refused, at once", async () => {
  let executions = 0;
  const worldly = workflow("worldly", async () => {
    await sleep("1 day");
    await step("touch the world", () => void executions++);
  });
  const env = await open([worldly], { startAt: 0, onlyMockedSteps: true });
  const result = (await env.client.start(worldly)).result();
  await expect(result).rejects.toThrow(
    'Step "touch the world" was about to be executed, and this environment executes mocked steps only.',
  );
  expect(executions).toBe(0);
  expect(env.now().getTime()).toBe(86_400_000);
});

test("a killed worker is followed by another, which makes the attempt again", async () => {
  const env = await open([buying]);
  let release = () => {};
  let calls = 0;
  const charged = env.mockStep(charge, async () => {
    const call = ++calls;
    if (call === 1) await new Promise<void>((resolve) => (release = resolve));
    return { id: `call ${call}` };
  });
  const run = await env.client.start(buying, { input: 1 });
  await env.advance(0, { pastSteps: true });
  expect(charged.calls).toHaveLength(1);
  await env.killWorker();
  release();
  expect((await run.result()).id).toBe("call 2");
  expect(charged.calls.map(({ attempt }) => attempt)).toEqual([1, 1]);
});

test("a run that loses its workers again and again is set aside, and its result says so", async () => {
  const hanging = workflow("hanging", () => step("hang", () => new Promise<void>(() => {})));
  const env = await open([hanging]);
  const run = await env.client.start(hanging);
  for (let crash = 0; crash < 5; crash++) {
    await env.advance(0, { pastSteps: true });
    await env.killWorker();
  }
  await expect(run.result()).rejects.toThrow("5 workers claimed this run and none of them got it any further");
});

test("what is wrong with a mock is said at once", async () => {
  const env = await open([buying]);
  expect(() => env.mockStep("", () => 1)).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
  expect(() => env.mockStep("label", "text" as never)).toThrow(/takes a function; got string/);
  expect(() => env.mockStep("label", () => 1, { failFirst: -1 })).toThrow(/failFirst \}\) takes a count; got -1/);
});

test("many environments side by side, each with its own clock, mocks and worker", async () => {
  const waiting = workflow("waiting", async (days: number) => {
    await sleep(days * 86_400_000);
    const said = await step("say", () => "real");
    await sleep(days * 86_400_000);
    return { said, days: Math.floor(Date.now() / 86_400_000) };
  });
  const results = await Promise.all(
    Array.from({ length: 20 }, async (_, index) => {
      const env = await open([waiting], { startAt: 0 });
      env.mockStep("say", () => `mock ${index}`);
      const run = await env.client.start(waiting, { input: index + 1 });
      if (index % 2 === 0) {
        await env.advance((index + 1) * 86_400_000);
        await env.killWorker();
      }
      const result = await run.result();
      return { ...result, now: Math.floor(env.now().getTime() / 86_400_000) };
    }),
  );
  expect(results).toEqual(
    Array.from({ length: 20 }, (_, index) => ({ said: `mock ${index}`, days: 2 * index + 2, now: 2 * index + 2 })),
  );
});

test("a mock that no step has called is told, with the names of the steps that were executed", async () => {
  const env = await open([buying]);
  env.mockStep(charge, () => ({ id: "mock" }));
  env.mockStep("lable", () => "never");
  expect(env.unusedMocks()).toEqual(["charge", "lable"]);
  expect(() => env.assertMocksUsed()).toThrow(
    'Mocks of "charge", "lable" were never called. Steps executed so far: none.',
  );
  const run = await env.client.start(buying, { input: 1 });
  expect(await run.result()).toEqual({ id: "mock", label: "real label for mock" });
  expect(env.unusedMocks()).toEqual(["lable"]);
  const message =
    'A mock of "lable" was never called. Steps executed so far: "charge", "label". Correct the name, or leave the mock out.';
  expect(() => env.assertMocksUsed()).toThrow(
    expect.objectContaining({
      code: "MOCK_UNUSED",
      message,
      details: { unused: ["lable"], executed: ["charge", "label"] },
    }),
  );
});

test("mocks that were called or restored are no mocks too many; one that hides another leaves it unused", async () => {
  const env = await open([buying]);
  const hidden = env.mockStep(charge, () => ({ id: "hidden" }));
  env.mockStep(charge, () => ({ id: "mock" }), { failFirst: 1 });
  const label = env.mockStep("label", () => "mock label");
  const other = env.mockStep("other", () => "never");
  const run = await env.client.start(buying, { input: 1 });
  await run.result();
  expect(env.unusedMocks()).toEqual(["charge", "other"]);
  // What is said of it holds for one whose step was executed by another body.
  expect(() => env.assertMocksUsed()).toThrow(
    'Mocks of "charge", "other" were never called. Steps executed so far: "charge", "label".',
  );
  hidden.restore();
  other.restore();
  env.assertMocksUsed();
  label.restore();
  expect(env.unusedMocks()).toEqual([]);
  env.mockStep("another", () => "never");
  env.restoreSteps();
  expect(() => env.assertMocksUsed()).not.toThrow();
});

test("of many executed steps a message names the first", async () => {
  const many = workflow("many", async () => {
    for (let n = 1; n <= 12; n++) await step(`step ${n}`, () => n);
  });
  const env = await open([many]);
  env.mockStep("none of them", () => 0);
  await (await env.client.start(many)).result();
  expect(() => env.assertMocksUsed()).toThrow(/"step 9", "step 10", and 2 more\. Correct the name/);
});
