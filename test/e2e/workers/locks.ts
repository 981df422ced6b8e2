// Runs that take turns at a few keys and share a few permits. What they do under them is seen from outside.

import { defineSemaphore, defineSignal, sleep, step, withLock, workflow, workflowInfo } from "everstep";
import { testify } from "../../support/witness.ts";

export const KEYS = ["a", "b", "c"];
export const ROUNDS = 3;
export const pool = defineSemaphore("pool", { permits: 2 });

const work = () => step("work", () => new Promise((resolve) => setTimeout(resolve, 3)));

/** Each round under one of the keys, then under a permit. */
export const locked = workflow("locked", async (n: number) => {
  const { runId } = workflowInfo();
  const tokens: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const key = KEYS[(n + round) % KEYS.length] as string;
    const visit = `${runId}/${round}`;
    await withLock(key, async ({ fencingToken }) => {
      tokens.push(fencingToken);
      await step("enter", () => testify(key, visit, { does: "enter", token: fencingToken }));
      await work();
      // Parked with the lock, where its worker lets go of what waits.
      if (n % 4 === 0) await sleep(20);
      await step("leave", () => testify(key, visit, { does: "leave", token: fencingToken }));
    });
    await pool.with(async ({ fencingToken }) => {
      await step("enter", () => testify(pool.name, visit, { does: "enter", token: fencingToken }));
      await work();
      await step("leave", () => testify(pool.name, visit, { does: "leave", token: fencingToken }));
    });
  }
  return tokens;
});

/** Gives up soon, mostly while it waits: whatever it is granted goes on to the next. */
export const impatient = workflow("impatient", async (n: number) => {
  const key = KEYS[n % KEYS.length] as string;
  let given = 0;
  for (let round = 0; round < ROUNDS; round++) {
    given += await withLock(key, () => 1, { timeout: 5 }).catch(() => 0);
  }
  return given;
});

const done = defineSignal("done");

/** Until somebody says that it is done. */
export const held = workflow("held", async () => withLock("desk", () => done.receive()));
