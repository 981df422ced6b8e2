// Steps: results of every kind, attempts, limits, heartbeats, failures that are caught and that are not.

import { defineStep, isCanceled, PermanentError, StepFailure, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const double = defineStep("double", (input: { of: number }) => input.of * 2);
const quick = { initialInterval: "1h", jitter: 0 } as const;

export const steps: readonly Scenario[] = [
  scenario(
    "steps one after the other",
    async () => {
      const one = await step("one", () => 1);
      const two = await step("two", async () => one + 1);
      return [one, two, await double({ of: two }), await double({ of: 10 })];
    },
    { result: [1, 2, 4, 20] },
  ),
  scenario(
    "rich results",
    async () => {
      const when = await step("when", () => new Date(0));
      const what = await step("what", () => new Map([["big", 10n]]));
      return { when, what, none: await step("none", () => undefined) };
    },
    { result: { when: new Date(0), what: new Map([["big", 10n]]), none: undefined } },
  ),
  scenario(
    "a step that needs three attempts",
    () =>
      step(
        "flaky",
        ({ attempt }) => {
          if (attempt < 3) throw new Error(`not at attempt ${attempt}`);
          return attempt;
        },
        { retry: quick },
      ),
    { result: 3 },
  ),
  scenario(
    "attempts that are used up, caught",
    async () => {
      try {
        return await step("hopeless", () => Promise.reject(new TypeError("no")), {
          retry: { ...quick, maxAttempts: 2 },
        });
      } catch (error) {
        return error instanceof StepFailure ? `${error.message}` : "something else";
      }
    },
    { result: 'step "hopeless" failed after 2 attempts: TypeError: no' },
  ),
  scenario(
    "a failure that nobody catches",
    async () => {
      await step("fine", () => 1);
      await step("hopeless", () => {
        throw new PermanentError("never");
      });
    },
    { status: "RunFailed", because: "never" },
  ),
  scenario(
    "a heartbeat that the next attempt finds",
    () =>
      step(
        "long",
        ({ attempt, heartbeat, lastHeartbeat }) => {
          if (attempt > 1) return lastHeartbeat;
          heartbeat({ done: 41 });
          throw new Error("in the middle");
        },
        { retry: quick },
      ),
    { result: { done: 41 } },
  ),
  scenario(
    "a body that hangs, timed out and tried again",
    () =>
      step("hang", ({ attempt }) => (attempt === 1 ? new Promise<number>(() => {}) : attempt), {
        timeout: "10s",
        retry: quick,
      }),
    { result: 2 },
    { script: (_run, env) => env.advance("1m", { pastSteps: true }) },
  ),
  scenario(
    "a body that is silent for too long",
    async () => {
      try {
        return await step("silent", () => new Promise<number>(() => {}), {
          heartbeatTimeout: "5s",
          retry: { maxAttempts: 1 },
        });
      } catch (error) {
        return isCanceled(error) ? "canceled" : (error as StepFailure).cause;
      }
    },
    { result: { name: "TimeoutFailure", timeout: "heartbeat" } },
    { script: (_run, env) => env.advance("10s", { pastSteps: true }) },
  ),
  scenario(
    "a loop of many steps",
    async () => {
      let sum = 0;
      for (let index = 0; index < 30; index++) sum += await double({ of: index });
      return sum;
    },
    { result: 870 },
  ),
];
