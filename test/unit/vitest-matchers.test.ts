// What vitest's expect learns from everstep/testing/vitest: what passes, what does not, and what is said then.

import "everstep/testing/vitest";
import { condition, defineSignal, defineStep, sleep, workflow } from "everstep";
import { type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";

const approve = defineSignal<string>("approve");
const charge = defineStep("charge", ({ cents }: { cents: number }) => `${cents} cents`);

const order = workflow("order", async (cents: number) => {
  const receipt = await charge({ cents }, { retry: { initialInterval: "1h", jitter: 0, maxAttempts: 3 } });
  const by = await approve.receive({ timeout: "7 days" });
  if (by === undefined) throw new Error("nobody approved");
  await sleep("1 day");
  return { receipt, by };
});
const idle = workflow("idle", () => condition(() => false));

let env: TestEnvironment;
beforeEach(async () => {
  env = await testEnvironment({ workflows: [order, idle], startAt: Date.UTC(2030, 0, 1) });
});
afterEach(() => env.stop());

const messageOf = (failing: Promise<void>) =>
  failing.then(
    () => "passed",
    (error: Error) => error.message,
  );

test("a run that completes, with this result or any", async () => {
  const run = await env.client.start(order, { id: "order-1", input: 5 });
  await run.signal(approve, "ann");
  await expect(run).toHaveCompleted();
  await expect(run).toHaveCompleted({ receipt: "5 cents", by: "ann" });
  await expect(run).toHaveCompleted({ receipt: expect.stringMatching(/cents/), by: "ann" });
  await expect(run).not.toHaveCompleted({ receipt: "6 cents", by: "ann" });
  expect(await messageOf(expect(run).toHaveCompleted({ receipt: "6 cents", by: "ann" }))).toBe(
    "expected run order-1 to have completed with another result",
  );
  expect(await messageOf(expect(run).not.toHaveCompleted())).toBe("expected run order-1 not to have completed");
});

test("a run that fails, waits for ever or is blocked says why it has not completed", async () => {
  const failed = await env.client.start(order, { id: "order-2", input: 5 });
  expect(await messageOf(expect(failed).toHaveCompleted())).toBe(
    "expected run order-2 to have completed, but it ended as failed: Error: nobody approved",
  );
  const open = await env.client.start(idle, { id: "idle-1" });
  expect(await messageOf(expect(open).toHaveCompleted())).toBe(
    "expected run idle-1 to have completed, but it is still open after 3650 days of its time. Parked: it waits for mail. Waits for a condition.",
  );
  const unknown = await env.client.start(
    workflow("elsewhere", async () => 1),
    { id: "unknown-1" },
  );
  expect(await messageOf(expect(unknown).toHaveCompleted())).toMatch(
    /^expected run unknown-1 to have completed, but it cannot: /,
  );
});

test("steps that ended, how often and with how many attempts", async () => {
  env.mockStep(charge, () => "paid", { failFirst: 2 });
  const run = await env.client.start(order, { id: "order-3", input: 5 });
  await env.advance("1 day");
  await expect(run).toHaveRunStep("charge");
  await expect(run).toHaveRunStep(charge, { times: 1, attempts: 3 });
  await expect(run).not.toHaveRunStep("charge", { times: 2 });
  await expect(run).not.toHaveRunStep("ship");
  await expect(run).toHaveRunStep("ship", { times: 0 });
  expect(await messageOf(expect(run).toHaveRunStep("charge", { times: 1, attempts: 1 }))).toBe(
    'expected run order-3 to have run step "charge" 1 times, 1 attempts each. Its steps so far:\n' +
      '  StepCompleted "charge", attempt 3: "paid" (attempts: 3)',
  );
});

test("what a run waits for", async () => {
  const run = await env.client.start(order, { id: "order-4", input: 5 });
  await env.advance(0);
  await expect(run).toBeWaitingFor(approve);
  await expect(run).toBeWaitingFor({ timer: "receive approve", until: new Date("2030-01-08T00:00:00Z") });
  await expect(run).not.toBeWaitingFor({ timer: "sleep" });
  await expect(run).not.toBeWaitingFor(charge);
  expect(await messageOf(expect(run).toBeWaitingFor({ step: "ship" }))).toBe(
    'expected run order-4 to be waiting for step "ship". It waits for: timer "receive approve" until 2030-01-08T00:00:00.000Z, signal "approve"',
  );
  env.mockStep(charge, () => "paid", { failFirst: 2 });
  const failing = await env.client.start(order, { input: 6 });
  await env.advance(0);
  await expect(failing).toBeWaitingFor({ step: "charge", attempt: 2 });
  const waiting = await env.client.start(idle);
  await env.advance(0);
  await expect(waiting).toBeWaitingFor({ condition: true });
});

test("a history, by types or by more of each event", async () => {
  const run = await env.client.start(order, { id: "order-5", input: 5 });
  await env.advance(0);
  await run.signal(approve, "ann");
  await run.result();
  await expect(run).toHaveHistory([
    "RunStarted",
    { type: "StepCompleted", name: "charge", attempt: 1 },
    { type: "TimerStarted", name: "receive approve" },
    "SignalReceived",
    "TimerStarted",
    "TimerFired",
    "RunCompleted",
  ]);
  await expect(run).not.toHaveHistory(["RunStarted", "RunCompleted"]);
  const message = await messageOf(expect(run).toHaveHistory(["RunStarted", { type: "StepCompleted", name: "ship" }]));
  expect(message).toContain(
    'expected run order-5 to have this history. Its events so far:\n  1 RunStarted\n  2 StepCompleted "charge"',
  );
});

test("what is no run is refused", async () => {
  await expect(expect({}).toHaveCompleted()).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});
