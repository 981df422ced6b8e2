// Runs that do nothing but wait.

import { sleep, sleepUntil, step, workflow } from "everstep";
import { testify } from "../../support/witness.ts";

/** Waits for a moment far away or near; `until` is ms since the epoch. */
export const waits = workflow("waits", async ({ until }: { until: number }) => {
  await step("before", () => undefined);
  await sleepUntil(until);
  return step("after", ({ workflowId }) => {
    testify("after", workflowId);
    return "woken";
  });
});

export const halfAYear = workflow("halfAYear", async () => {
  await sleep("180 days");
  return "woken";
});
