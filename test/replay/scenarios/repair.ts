// Runs that are told to stand still and to go on, and whose waits are cut short: code learns nothing of it.

import { condition, defineSignal, defineUpdate, race, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const add = defineSignal<number>("add");
const double = defineUpdate<number, number>("double");

export const repair: readonly Scenario[] = [
  scenario(
    "paused while it waits for signals, which come meanwhile",
    async () => {
      const first = await add.receive();
      await step("between", () => 1);
      return [first, await add.receive(), await add.receive()];
    },
    { result: [1, 2, 3] },
    {
      script: async (run, env) => {
        await run.signal(add, 1);
        await env.advance("1h");
        await run.pause("later");
        await env.advance("1h");
        await run.signal(add, 2);
        await env.advance("1h");
        await run.resume();
        await run.signal(add, 3);
      },
    },
  ),
  scenario(
    "paused before its first line",
    async () => {
      let doubled = 0;
      double.handle((n) => {
        doubled = n * 2;
        return doubled;
      });
      await sleep("1 day");
      return [doubled, await add.receive({ timeout: 0 })];
    },
    { result: [14, 5] },
    {
      start: async ({ env, workflow }) => {
        const run = await env.client.start(workflow, { delay: "1h" });
        await run.pause("later");
        return run;
      },
      script: async (run, env) => {
        await env.advance("2h");
        await run.signal(add, 5);
        await run.resume();
        await env.advance("1h");
        await run.update(double, 7);
      },
    },
  ),
  scenario(
    "failed steps that are retried before their time, alone, together, and once more",
    async () => {
      const stubborn = (name: string, needs: number) =>
        step(
          name,
          ({ attempt }) => {
            if (attempt < needs) throw new Error(`${name} needs ${needs}`);
            return attempt;
          },
          { retry: { initialInterval: "30 days", jitter: 0 } },
        );
      return Promise.all([stubborn("a", 2), stubborn("b", 3), stubborn("c", 3)]);
    },
    { result: [2, 3, 3] },
    {
      script: async (run, env) => {
        await env.advance("1h");
        await run.retryNow("b", { requestId: "b" });
        await run.retryNow("b", { requestId: "b" });
        await env.advance("1h");
        await run.retryNow(undefined, { requestId: "all" });
        await env.advance("1h");
        await run.retryNow(3, { requestId: "c" });
      },
    },
  ),
  scenario(
    "sleeps and limits that are skipped, also in a pause",
    async () => {
      const began = Date.now();
      await sleep("30 days");
      const first = await race({ long: () => sleep("20 days"), short: () => sleep("10 days") });
      const held = await condition(() => false, { timeout: "30 days" });
      const received = await add.receive({ timeout: "30 days" });
      return [first.winner, held, received, Date.now() - began < 30 * 86_400_000];
    },
    { result: ["long", false, 4, true] },
    {
      script: async (run, env) => {
        await env.advance("1h");
        await run.skipSleep("sleep", { requestId: "first" });
        await env.advance("1h");
        await run.pause("to look");
        await run.skipSleep(2, { requestId: "long" });
        await env.advance("1h");
        await run.resume();
        await env.advance("1h");
        await run.skipSleep(4, { requestId: "condition" });
        await env.advance("1h");
        await run.signal(add, 4);
      },
    },
  ),
];
