// Time: sleeps, dates, timers taken back, waits that run out, chance and clock from the history.

import { condition, sleep, sleepUntil, step, workflowInfo } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const DAY = 86_400_000;

export const timers: readonly Scenario[] = [
  scenario(
    "sleeps",
    async () => {
      await sleep("3 days");
      await step("between", () => 1);
      await sleep(0);
      await sleep("1 day");
      return Math.floor((Date.now() - workflowInfo().startedAt.getTime()) / DAY);
    },
    { result: 4 },
  ),
  scenario(
    "dates, also one that is past",
    async () => {
      await sleepUntil(new Date("2030-03-01T00:00:00Z"));
      await sleepUntil(new Date("2029-01-01T00:00:00Z"));
      return "March";
    },
    { result: "March" },
  ),
  scenario(
    "setTimeout, and one that is cleared",
    async () => {
      const said: string[] = [];
      const never = setTimeout(() => said.push("never"), DAY);
      setTimeout((word: string) => said.push(word), 2 * DAY, "later");
      clearTimeout(never);
      await sleep("3 days");
      return said;
    },
    { result: ["later"] },
  ),
  scenario(
    "a condition that holds in time, and one that does not",
    async () => {
      let isReady = false;
      setTimeout(() => {
        isReady = true;
      }, DAY);
      const inTime = await condition(() => isReady, { timeout: "2 days" });
      const tooLate = await condition(() => !isReady, { timeout: "2 days" });
      return [inTime, tooLate];
    },
    { result: [true, false] },
  ),
  scenario(
    "chance from the history",
    async () => {
      const before = [Math.random(), crypto.randomUUID()];
      await sleep("1 day");
      const after = [Math.random(), crypto.randomUUID()];
      await step("keep", () => [before, after]);
      return new Set([...before, ...after]).size;
    },
    { result: 4 },
  ),
  scenario(
    "a run that is open for too long",
    async () => {
      await step("begin", () => 1);
      await sleep("100 days");
    },
    { status: "RunTimedOut" },
    { timeout: "30 days" },
  ),
  scenario(
    "a run whose chain has no time left",
    async () => {
      const leftMs = (workflowInfo().chainDeadlineAt?.getTime() ?? 0) - workflowInfo().startedAt.getTime();
      await step("begin", () => leftMs / DAY);
      await sleep("100 days");
    },
    { status: "RunTimedOut" },
    { start: ({ env, workflow }) => env.client.start(workflow, { chainTimeout: "30 days" }) },
  ),
];
