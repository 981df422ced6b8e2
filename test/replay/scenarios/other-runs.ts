// Other runs: children that end well and badly, mail to runs, a parent that is canceled.

import {
  defineSignal,
  executeChild,
  externalRun,
  isCanceled,
  sleep,
  startChild,
  step,
  waitForAny,
  workflow,
  workflowInfo,
} from "everstep";
import { collectHistory } from "everstep/testing";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal<string>("go");
const other = defineSignal<string>("other");

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
const flaky = workflow(
  "flaky",
  async (word: string) => {
    const { attempt, lastFailure } = workflowInfo();
    await sleep("1 day");
    const made = await step("make", () => `${word} ${attempt}`);
    if (attempt < 3) throw new RangeError(`${made} fell`);
    return [made, lastFailure?.name, lastFailure?.message];
  },
  { retry: { maxAttempts: 3, initialInterval: "2 days" } },
);
const workflows = [double, fails, waits, counts, flaky];

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
    "a child that is tried again",
    () => executeChild(flaky, { input: "bridge" }),
    { result: ["bridge 3", "RangeError", "bridge 2 fell"] },
    { workflows },
  ),
  scenario(
    "a child that is tried in vain",
    async () => {
      const failed = executeChild(flaky, { input: "tower", retry: { maxAttempts: 2, jitter: 0 } });
      return failed.catch((error: Error) => (error.cause as Error).message);
    },
    { result: "tower 2 fell" },
    { workflows },
  ),
  scenario(
    "a run that stands for a child",
    async () => {
      const first = startChild(waits, { id: "stands" });
      const runId = await first.started;
      const second = startChild(waits, { id: "stands", onConflict: "useExisting" });
      const isSame = (await second.started) === runId;
      await second.signal(go, "said");
      return [isSame, await first.result, await second.result];
    },
    { result: [true, "said", "said"] },
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
    "the first of children and signals, until there is none",
    async () => {
      const [slow, broken] = [startChild(counts, { input: 3 }), startChild(fails)];
      const order: unknown[] = [];
      order.push(await waitForAny({ slow, go, other }));
      order.push(await waitForAny({ slow, broken, other }).catch((error: Error) => error.name));
      order.push(await waitForAny({ slow, go, other }, { timeout: "1h" }));
      await sleep("10 days");
      order.push(await waitForAny({ slow, go, other }));
      order.push(await waitForAny({ slow, go, other }));
      return order;
    },
    {
      result: [
        { winner: "go", value: "at once" },
        "ChildFailure",
        undefined,
        { winner: "slow", value: "counted" },
        { winner: "slow", value: "counted" },
      ],
    },
    {
      workflows,
      script: async (run, env) => {
        await run.signal(go, "at once");
        await env.advance("6 days");
        await run.signal(other, "after the child");
      },
    },
  ),
  scenario(
    "a fork in the place of a run that waits for children, and has just sent mail",
    async () => {
      const [one, two] = [startChild(waits, { id: "waits" }), startChild(double, { input: 1, id: "double" })];
      const ids = [one.workflowId, two.workflowId];
      const doubled = await two.result;
      await externalRun("waits").signal(other, "hello");
      const after = await step("after", () => doubled + 1);
      return [ids, after, await one.result];
    },
    { result: [["waits", "double"], 3, "said"] },
    {
      workflows,
      start: async ({ env, workflow: main }) => {
        const run = await env.client.start(main);
        await env.advance("1h");
        const { events } = await collectHistory(run);
        return run.reset({ at: events.find(({ type }) => type === "ExternalRequested")?.seq ?? 0 });
      },
      script: async (_run, env) => {
        await env.client.getUntyped("waits").signal(go, "said");
      },
    },
  ),
  scenario(
    "a fork of a closed run whose child has ended with it, and one that is started once more",
    async () => {
      const [kept, failed] = [startChild(waits), startChild(fails)];
      const ends = await failed.result.catch((error: Error) => error.name);
      return [kept.workflowId.endsWith("-1"), ends, await kept.result.catch((error: Error) => error.name)];
    },
    { result: [true, "ChildFailure", "ChildFailure"] },
    {
      workflows,
      start: async ({ env, workflow: main }) => {
        const run = await env.client.start(main);
        await env.advance("2 days");
        await run.terminate();
        await env.advance("1h");
        return run.retryFrom();
      },
    },
  ),
  scenario(
    "a child that is reset",
    async () => {
      const child = startChild(waits, { id: "reset" });
      const runId = await child.started;
      const word = await other.receive();
      await child.signal(go, word);
      return [runId === (await child.started), await child.result];
    },
    { result: [true, "through its parent"] },
    {
      workflows,
      script: async (run, env) => {
        await env.client.getUntyped("reset").reset();
        await env.advance("1h");
        await run.signal(other, "through its parent");
      },
    },
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
