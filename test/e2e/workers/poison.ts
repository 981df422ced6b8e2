// Workflows that end the process they run in, or never give it back, and the neighbours they must not take along.

import { setTimeout as wait } from "node:timers/promises";
import { sleep, step, workflow } from "everstep";
import { isGateOpen, testify } from "../../support/witness.ts";

export const abortsInCode = workflow("abortsInCode", async () => {
  await step("before", ({ workflowId }) => testify("before", workflowId));
  process.abort();
});

export const abortsInStep = workflow("abortsInStep", async () =>
  step("abort", ({ workflowId }) => {
    testify("abort", workflowId);
    if (!isGateOpen("harmless")) process.abort();
    return "survived";
  }),
);

export const neighbour = workflow("neighbour", async (index: number) => {
  const first = await step("first", async ({ workflowId }) => {
    testify("first", workflowId);
    await wait(100);
    return index;
  });
  await sleep(300);
  const second = await step("second", () => wait(100, first));
  return second;
});

export const spins = workflow("spins", async () => {
  await step("before", ({ workflowId }) => testify("before", workflowId));
  // Until the test has seen what it wanted to see: a fixed workflow then comes with the next process.
  while (process.env.EVERSTEP_TEST_IS_FIXED === undefined);
  return "fixed";
});
