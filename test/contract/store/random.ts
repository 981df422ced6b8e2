// A store beside the one in memory: after every operation of a random list both have given the same answer, at the end
// both tell the same of every run, and what each tells is sound by itself. A failing list is shrunk to its essence.

import { randomUUID } from "node:crypto";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MemoryStore } from "../../../runtime/store/memory/memory-store.ts";
import { Actor, checkFacts, type Names } from "./actor.ts";
import { type Operation, randomOperations } from "./operations.ts";
import { newId, newRunId, type Stage } from "./stage.ts";

/** EVERSTEP_CONTRACT_SEED repeats the lists of another run; fast-check prints the seed of a failing one. */
const SEED = Number(process.env.EVERSTEP_CONTRACT_SEED ?? 20_260_101);
const LISTS = Number(process.env.EVERSTEP_CONTRACT_LISTS ?? 25);

export function randomContract(stage: Stage): void {
  describe("random operations", () => {
    test("get the answers that the store in memory gives", async () => {
      const property = fc.asyncProperty(randomOperations, (operations) => compare(stage, operations));
      await fc.assert(property, { seed: SEED, numRuns: LISTS, endOnFailure: false });
    }, 300_000);
  });
}

async function compare(stage: Stage, operations: readonly Operation[]): Promise<void> {
  let now = 1_750_000_000_000;
  const names: Names = {
    prefix: newId("random"),
    runIds: Array.from({ length: operations.length + 1 }, newRunId),
    uuids: Array.from({ length: operations.length + 4 }, () => randomUUID()),
  };
  const subject = new Actor(stage.store, names);
  const model = new Actor(new MemoryStore({ clock: { now: () => now } }), names);
  for (const operation of operations) {
    now += 1;
    await stage.opened.advance?.(1);
    expect(await subject.do(operation)).toEqual(await model.do(operation));
  }
  expect(await subject.look()).toEqual(await model.look());
  await checkFacts(subject);
  await checkFacts(model);
}
