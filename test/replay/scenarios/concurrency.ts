// Branches side by side: all, race, any, lanes that share variables.

import { defineSignal, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal<string>("go");

export const concurrency: readonly Scenario[] = [
  scenario(
    "all of several branches",
    () =>
      Promise.all(
        ["a", "b", "c"].map(async (name) => {
          const made = await step(`make ${name}`, () => name);
          await sleep("1 day");
          return step(`sell ${made}`, () => made.toUpperCase());
        }),
      ),
    { result: ["A", "B", "C"] },
  ),
  scenario(
    "a race that a step wins",
    async () => {
      const first = await Promise.race([step("quick", () => "step"), sleep("1 day").then(() => "timer")]);
      await step("after", () => first);
      return first;
    },
    { result: "step" },
  ),
  scenario(
    "a race that a timer wins, and the signal that comes after",
    async () => {
      const late = go.receive();
      const first = await Promise.race([late, sleep("1 day").then(() => "timer")]);
      return [first, await late];
    },
    { result: ["timer", "at last"] },
    {
      script: async (run, env) => {
        await env.advance("2 days");
        await run.signal(go, "at last");
      },
    },
  ),
  scenario(
    "any of branches that fail",
    async () => {
      const failing = step("fail", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } });
      return Promise.any([failing, sleep("1 day").then(() => "later")]);
    },
    { result: "later" },
  ),
  scenario(
    "lanes that share a list",
    async () => {
      const done: string[] = [];
      let next = 0;
      const lane = async (name: string) => {
        while (next < 6) {
          const item = next++;
          done.push(`${name}${await step("work", () => item)}`);
        }
      };
      await Promise.all([lane("a"), lane("b")]);
      return done;
    },
    { result: ["a0", "b1", "a2", "b3", "a4", "b5"] },
  ),
  scenario(
    "branches of which one fails and one goes on",
    async () => {
      const slow = sleep("2 days").then(() => step("slow", () => "slow"));
      const failed = await step("fail", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } }).catch(
        (error: Error) => error.name,
      );
      return [failed, await slow];
    },
    { result: ["StepFailure", "slow"] },
  ),
];
