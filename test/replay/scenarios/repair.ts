// Runs that are told to stand still and to go on: code learns nothing of it.

import { defineSignal, defineUpdate, sleep, step } from "everstep";
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
];
