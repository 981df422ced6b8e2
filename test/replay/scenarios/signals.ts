// Mail: signals received, handled, early, late and unread; queries between them; a start with a signal.

import { condition, defineQuery, defineSignal, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const add = defineSignal<number>("add");
const end = defineSignal("end");
const sumOf = defineQuery<number>("sum");

export const signals: readonly Scenario[] = [
  scenario(
    "signals received in order, some before they are waited for",
    async () => {
      const first = await add.receive();
      await sleep("2 days");
      return [first, await add.receive(), await add.receive()];
    },
    { result: [1, 2, 3] },
    {
      script: async (run, env) => {
        for (const number of [1, 2, 3]) {
          await run.signal(add, number);
          await env.advance("12h");
        }
      },
    },
  ),
  scenario(
    "a signal in time, and none",
    async () => [await add.receive({ timeout: "7 days" }), await add.receive({ timeout: "7 days" })],
    { result: [5, undefined] },
    {
      script: async (run, env) => {
        await env.advance("6 days");
        await run.signal(add, 5);
      },
    },
  ),
  scenario(
    "handlers, conditions and queries",
    async () => {
      let sum = 0;
      let isEnded = false;
      sumOf.handle(() => sum);
      add.handle(async (number) => {
        sum += await step("weigh", () => number * 10);
      });
      end.handle(() => {
        isEnded = true;
      });
      await condition(() => isEnded && sum >= 30);
      return sum;
    },
    { result: 30 },
    {
      script: async (run, env) => {
        await run.signal(add, 1);
        await env.advance(0);
        if ((await run.query(sumOf)) !== 10) throw new Error("the query sees another sum");
        await run.signal(add, 2);
        await env.advance("1 day");
        await run.signal(end);
      },
    },
  ),
  scenario(
    "a signal that is there before the first line",
    async () => {
      const early = await add.receive({ timeout: "1h" });
      await step("after", () => early);
      return early;
    },
    { result: 7 },
    { start: ({ env, workflow }) => env.client.signalWithStart(workflow, { signal: add, payload: 7 }) },
  ),
  scenario(
    "a signal that nobody reads",
    async () => {
      await sleep("1 day");
      return "done";
    },
    { result: "done" },
    { script: (run) => run.signal(add, 1) },
  ),
  scenario(
    "the same signal twice is one",
    async () => [await add.receive(), await add.receive({ timeout: "1 day" })],
    { result: [1, undefined] },
    {
      script: async (run) => {
        await run.signal(add, 1, { signalId: "once" });
        await run.signal(add, 1, { signalId: "once" });
      },
    },
  ),
];
