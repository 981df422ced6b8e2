// Steps that hand off: completed, failed, tried again, timed out, canceled, and told of too late, from outside.

import { isCanceled, PermanentError, race, StepFailure, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const once = { maxAttempts: 1 };

export const deferred: readonly Scenario[] = [
  scenario(
    "completed from outside after days",
    async () => {
      const by = await step<string>("approve", (context) => context.completeLater());
      return [by, await step("pay", () => `paid, says ${by}`)];
    },
    { result: ["Ann", "paid, says Ann"] },
    {
      script: async (run, env) => {
        await env.advance("3 days");
        await run.completeStep("approve", "Ann", { reportId: "r" });
        await run.completeStep("approve", "Bob", { reportId: "r" });
      },
    },
  ),
  scenario(
    "failed from outside, then completed: another attempt",
    async () =>
      step<number>("approve", ({ attempt, completeLater }) => (attempt < 2 ? completeLater() : attempt * 10), {
        retry: { initialInterval: "1h", jitter: 0 },
      }),
    { result: 20 },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.failStep("approve", new Error("not yet"), { reportId: "r" });
      },
    },
  ),
  scenario(
    "reset while it waits: asked again",
    async () => step<number>("approve", ({ completeLater }) => completeLater(), { totalTimeout: "3 days" }),
    { result: 7 },
    {
      start: async ({ env, workflow }) => {
        const run = await env.client.start(workflow);
        await env.advance("2 days");
        return run.reset();
      },
      script: async (run, env) => {
        await env.advance("2 days");
        await run.completeStep("approve", 7, { reportId: "r" });
      },
    },
  ),
  scenario(
    "failed for good",
    async () => {
      const failure = await step("approve", (context) => context.completeLater()).catch((error: unknown) => error);
      return failure instanceof StepFailure && (failure.cause as Error).message;
    },
    { result: "never" },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.failStep("approve", new PermanentError("never"), { reportId: "r" });
      },
    },
  ),
  scenario(
    "each limit of an attempt that waits, and the next attempt",
    async () => {
      const limits = [{ timeout: "2 days" }, { heartbeatTimeout: "1 day" }, { totalTimeout: "3 days" }] as const;
      const ends: unknown[] = [];
      for (const limit of limits) {
        const options = { retry: { maxAttempts: 2, initialInterval: "1h", jitter: 0 }, ...limit } as const;
        const body = step<string>("ask", (context) => context.completeLater(), options);
        ends.push(await body.catch((error: StepFailure) => [error.attempts, (error.cause as Error).message]));
      }
      return ends;
    },
    {
      result: [
        [2, 'step "ask" was not completed within its timeout of 172800000 ms'],
        [2, 'step "ask" got no heartbeat from outside for 86400000 ms'],
        [1, 'step "ask" took longer than its totalTimeout of 259200000 ms over all attempts'],
      ],
    },
  ),
  scenario(
    "heartbeats from outside keep it alive, and are handed to the next attempt",
    async () =>
      step<unknown>(
        "work",
        ({ attempt, lastHeartbeat, completeLater }) => (attempt > 1 ? lastHeartbeat : completeLater()),
        {
          heartbeatTimeout: "2 days",
          retry: { jitter: 0 },
        },
      ),
    { result: { done: 3 } },
    {
      script: async (run, env) => {
        for (const done of [1, 2, 3]) {
          await env.advance("1 day");
          await run.heartbeatStep("work", { done });
        }
      },
    },
  ),
  scenario(
    "canceled while it waits: at once, and what comes then is ignored",
    async () => {
      try {
        return await step<string>("approve", (context) => context.completeLater());
      } catch (error) {
        return isCanceled(error) ? "canceled" : "failed";
      }
    },
    { result: "canceled" },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.cancel();
      },
    },
  ),
  scenario(
    "one of two that wait side by side, and a sleep between them",
    async () => {
      const both = Promise.all([
        step<number>("left", (context) => context.completeLater(), { retry: once }),
        step<number>("right", (context) => context.completeLater(), { retry: once }),
      ]);
      const first = await race({ both: () => both, time: () => sleep("2 days") });
      return [first.winner, await both];
    },
    { result: ["time", [1, 2]] },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.completeStep("right", 2, { reportId: "r" });
        await env.advance("2 days");
        await run.completeStep("left", 1, { reportId: "l" });
      },
    },
  ),
];
