// Other runs: children that end well and badly, mail to runs, a parent that is canceled.

import { defineSignal, executeChild, externalRun, isCanceled, sleep, startChild, step, workflow } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal<string>("go");

const double = workflow("double", async (n: number) => step("double", () => n * 2));
const fails = workflow("fails", async () => {
  await sleep("1 day");
  throw new Error("no luck");
});
const waits = workflow("waits", async () => go.receive());
const counts = workflow("counts", async (left: number): Promise<string> => {
  await sleep("1 day");
  return left === 0 ? "counted" : counts.continueAsNew(left - 1);
});
const workflows = [double, fails, waits, counts];

export const otherRuns: readonly Scenario[] = [
  scenario(
    "children one after the other",
    async () => {
      const first = await executeChild(double, { input: 1 });
      return executeChild(double, { input: first });
    },
    { result: 4 },
    { workflows },
  ),
  scenario(
    "a child that fails",
    async () => {
      const failed = await executeChild(fails).catch((error: Error) => [error.name, (error.cause as Error).message]);
      return step("after", () => failed);
    },
    { result: ["ChildFailure", "no luck"] },
    { workflows },
  ),
  scenario(
    "a child that continues as new",
    () => executeChild(counts, { input: 2 }),
    { result: "counted" },
    { workflows },
  ),
  scenario(
    "a child that its parent speaks to",
    async () => {
      const child = startChild(waits);
      await child.signal(go, "said");
      return child.result;
    },
    { result: "said" },
    { workflows },
  ),
  scenario(
    "mail to nobody",
    async () => {
      const code = await externalRun("nobody")
        .signal(go, "hello")
        .catch((error: { code: string }) => error.code);
      await sleep("1 day");
      return code;
    },
    { result: "RUN_NOT_FOUND" },
    { workflows },
  ),
  scenario(
    "a canceled parent and its child",
    async () => {
      try {
        return await executeChild(waits);
      } catch (error) {
        return isCanceled(error);
      }
    },
    { result: true },
    { workflows, script: (run) => run.cancel("enough") },
  ),
];
