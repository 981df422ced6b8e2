// The test kit's types: mocks have those of their steps, experiments those of their workflows, expectations those of their
// runs. The checks are the compiler's.

import "everstep/testing/vitest";
import { defineSignal, defineStep, workflow } from "everstep";
import { crashEverywhere, interleavings, type StepMock, type TestEnvironment, underFaults } from "everstep/testing";
import { expect, expectTypeOf, test } from "vitest";

const order = workflow("order", async (input: { total: number }) => ({ shipped: input.total > 0 }));
const nightly = workflow("nightly", async () => 42);
const charge = defineStep("charge", async (input: { cents: number }) => ({ receipt: `${input.cents}` }));
const approve = defineSignal<{ by: string }>("approve");

async function mocks(env: TestEnvironment) {
  const charged = env.mockStep(charge, ({ cents }, { attempt }) => ({ receipt: `${cents}/${attempt}` }));
  expectTypeOf(charged).toEqualTypeOf<StepMock<{ cents: number }>>();
  env.mockStep(charge, async () => ({ receipt: "one" }), { failFirst: 2, failWith: new Error("no") });
  env.mockStep("inline", ({ idempotencyKey }) => idempotencyKey);
  // @ts-expect-error the mock of a step has the step's result
  env.mockStep(charge, () => ({ receipt: 1 }));
  // @ts-expect-error and its input
  env.mockStep(charge, ({ euros }) => ({ receipt: euros }));
}

async function experiments() {
  await crashEverywhere(nightly);
  await crashEverywhere(order, { input: { total: 1 }, maxCrashes: 10 });
  // @ts-expect-error the input is required
  await crashEverywhere(order);
  // @ts-expect-error and has its type
  await crashEverywhere(order, { input: { total: "1" } });
  await interleavings(order, {
    input: { total: 1 },
    script: async (run) => {
      expectTypeOf(await run.result()).toEqualTypeOf<{ shipped: boolean }>();
    },
  });
  await underFaults(nightly, { seeds: [1, 2], faults: { crashes: 0.1 } });
  // @ts-expect-error each seed has its own faults
  await underFaults(nightly, { faults: { seed: 1 } });
}

async function expectations(env: TestEnvironment) {
  const run = await env.client.start(order, { input: { total: 1 } });
  await expect(run).toHaveCompleted({ shipped: true });
  // @ts-expect-error the result has the workflow's type
  await expect(run).toHaveCompleted({ shipped: "yes" });
  await expect(run).toHaveRunStep(charge, { times: 1 });
  await expect(run).toBeWaitingFor(approve);
  // @ts-expect-error no such wait
  await expect(run).toBeWaitingFor({ nothing: true });
  // @ts-expect-error no such event
  await expect(run).toHaveHistory(["StepStarted"]);
}

test("types", () => {
  expect([mocks, experiments, expectations]).toHaveLength(3);
});
