// A race between two steps, and a step after it that stays where it is until the test lets it go.

import { setTimeout as wait } from "node:timers/promises";
import { step, workflow } from "everstep";
import { isGateOpen, testify } from "../../support/witness.ts";

export interface RaceInput {
  readonly aMs: number;
  readonly bMs: number;
}

export const race = workflow("race", async ({ aMs, bMs }: RaceInput) => {
  const runner = (name: "a" | "b", ms: number) =>
    step(name, async ({ workflowId }) => {
      testify("ran", workflowId, name);
      await wait(ms);
      return name;
    });
  const winner = await Promise.race([runner("a", aMs), runner("b", bMs)]);
  await step("hold", async ({ workflowId, signal }) => {
    testify("winner", workflowId, winner);
    while (!isGateOpen("replay")) await wait(20, undefined, { signal });
  });
  return winner;
});
