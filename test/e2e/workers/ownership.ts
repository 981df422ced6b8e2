// Work that another worker would love to steal: slow steps, sleeps beside them, and steps that hold a process still.

import { readFile } from "node:fs/promises";
import { setTimeout as wait } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { sleep, step, workflow } from "everstep";
import { isGateOpen, testify } from "../../support/witness.ts";

/** A step that outlives the lease, beside a sleep that is over before it. */
export const slowBeside = workflow("slowBeside", async () => {
  const [slow] = await Promise.all([
    step("slow", async ({ workflowId }) => {
      testify("slow began", workflowId);
      await wait(2_500);
      testify("slow ended", workflowId);
      return "slow";
    }),
    sleep(1_000),
  ]);
  return slow;
});

export const short = workflow("short", async () => {
  const pid = await step("first", async ({ workflowId }) => {
    testify("first", workflowId);
    while (!isGateOpen("short")) await wait(20);
    return process.pid;
  });
  const second = await step("second", ({ workflowId }) => {
    testify("second", workflowId);
    return process.pid;
  });
  return { pid, second };
});

/**
 * A step that does not give way, in the phase of the event loop right before commits are sent. A process that is frozen in
 * it, and in which it fails, says so before it can learn that its time is over: a failed attempt is not shown to the code first.
 */
export const stubborn = workflow("stubborn", async () =>
  step("stubborn", async ({ workflowId }) => {
    await readFile(fileURLToPath(import.meta.url));
    testify("stubborn", workflowId);
    while (!isGateOpen("stubborn"));
    testify("stubborn ended", workflowId);
    if (isGateOpen(`failing-${process.pid}`)) throw new Error("it failed where it was frozen");
    return process.pid;
  }),
);
