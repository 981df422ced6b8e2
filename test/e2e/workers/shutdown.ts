// Steps that are under way when their worker is asked to stop.

import { setTimeout as wait } from "node:timers/promises";
import { step, workflow } from "everstep";
import { isGateOpen, testify } from "../../support/witness.ts";

/** Three steps that take their time and cannot be told to stop; the first waits until the test is ready for its end. */
export const steady = workflow("steady", async () => {
  const pids: number[] = [];
  for (const name of ["one", "two", "three"]) {
    pids.push(
      await step(name, async ({ workflowId }) => {
        testify("begun", workflowId, name);
        while (name === "one" && !isGateOpen("one")) await wait(20);
        await wait(300);
        testify("ended", workflowId, name);
        return process.pid;
      }),
    );
  }
  return pids;
});

/** Far longer than anybody waits, and only one attempt: whoever is told to stop must not use it up. */
export const endless = workflow("endless", async ({ listens }: { listens: boolean }) =>
  step(
    "endless",
    async ({ workflowId, signal, attempt, heartbeat, lastHeartbeat }) => {
      testify("begun", workflowId);
      if (process.env.EVERSTEP_TEST_IS_SUCCESSOR) return { attempt, lastHeartbeat };
      heartbeat("begun");
      if (listens) signal.addEventListener("abort", () => heartbeat("told to stop"));
      await wait(600_000, undefined, listens ? { signal } : {});
      return undefined;
    },
    { retry: { maxAttempts: 1 } },
  ),
);
