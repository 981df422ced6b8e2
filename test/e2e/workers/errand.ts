// A run with something of everything, long enough for things to happen in the middle of it: steps one after another and
// side by side, a step that fails at first, timers. Its result tells whether every part was done with the right values.

import { setTimeout as wait } from "node:timers/promises";
import { sleep, step, workflow } from "everstep";
import { testify } from "../../support/witness.ts";

export interface ErrandInput {
  readonly start: number;
}

/** The steps of one errand, in any order. */
export const ERRAND_STEPS = ["fetch", "left", "right", "shaky", "deliver"] as const;

export const errandResult = ({ start }: ErrandInput): number => (start + 1) * 2 + (start + 1) * 3 + 7;

function part(name: (typeof ERRAND_STEPS)[number], value: number, ms: number): Promise<number> {
  return step(
    name,
    async ({ workflowId, attempt, idempotencyKey }) => {
      testify(name, workflowId, { attempt, idempotencyKey });
      await wait(ms);
      if (name === "shaky" && attempt === 1) throw new Error("shaky at first");
      return value;
    },
    { retry: { initialInterval: 50 } },
  );
}

export const errand = workflow("errand", async ({ start }: ErrandInput) => {
  const fetched = await part("fetch", start + 1, 150);
  await sleep(200);
  const [left, right] = await Promise.all([part("left", fetched * 2, 100), part("right", fetched * 3, 300), sleep(50)]);
  const extra = await part("shaky", 7, 50);
  await sleep(150);
  return part("deliver", left + right + extra, 150);
});
