// Cancellation: of waits, of pauses between attempts, of steps under way; cleaning up; going on regardless; ends from
// outside.

import { condition, defineSignal, isCanceled, nonCancellable, sleep, step } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const never = defineSignal("never");

export const cancellation: readonly Scenario[] = [
  scenario(
    "a sleep that is canceled",
    async () => {
      await step("begin", () => 1);
      await sleep("365 days");
    },
    { status: "RunCanceled", because: "enough" },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.cancel("enough");
      },
    },
  ),
  scenario(
    "cleaning up, then the end as canceled",
    async () => {
      try {
        await never.receive();
      } finally {
        await nonCancellable(async () => {
          await step("refund", () => "refunded");
          await sleep("1 day");
        });
      }
    },
    { status: "RunCanceled" },
    { script: (run) => run.cancel() },
  ),
  scenario(
    "a cancel that is caught, and a result all the same",
    async () => {
      try {
        await condition(() => false);
      } catch (error) {
        if (!isCanceled(error)) throw error;
      }
      const refused = await step("refused", () => 1).catch((error: unknown) => (isCanceled(error) ? "refused" : error));
      return { refused };
    },
    { result: { refused: "refused" } },
    { script: (run) => run.cancel() },
  ),
  scenario(
    "a cancel in the pause before the next attempt",
    () => step("flaky", () => Promise.reject(new Error("always")), { retry: { initialInterval: "1 day", jitter: 0 } }),
    { status: "RunCanceled" },
    {
      script: async (run, env) => {
        await env.advance("2 days");
        await run.cancel();
      },
    },
  ),
  scenario(
    "a step under way that is told to stop",
    () =>
      step(
        "listen",
        ({ signal }) =>
          new Promise<string>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason))),
      ),
    { status: "RunCanceled" },
    {
      script: async (run, env) => {
        await env.advance(0, { pastSteps: true });
        await run.cancel();
      },
    },
  ),
  scenario(
    "a run that is terminated",
    async () => {
      await step("begin", () => 1);
      await sleep("365 days");
    },
    { status: "RunTerminated" },
    {
      script: async (run, env) => {
        await env.advance("1 day");
        await run.terminate();
      },
    },
  ),
];
