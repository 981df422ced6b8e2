// Webhooks: deliveries that are there and that come, one that does not fit, silence, and a next run that goes on receiving.

import { createWebhook, defineSignal, sleep, startChild, step, waitForAny, workflow } from "everstep";
import { z } from "zod";
import { type Scenario, scenario } from "../../support/three-modes.ts";

let token = "";

const go = defineSignal<string>("go");
const builds = workflow("builds", async () => {
  await sleep("3 days");
  return "built";
});

const listening = workflow("listening", async (input: { readonly token?: string }): Promise<string> => {
  const hook = await createWebhook("chain", input);
  if (input.token === undefined) {
    await step("tell", () => {
      token = hook.token;
    });
    return listening.continueAsNew({ token: hook.token });
  }
  await step("listen", () => {});
  return (await hook.receive()).body;
});

export const webhooks: readonly Scenario[] = [
  scenario(
    "deliveries, one that does not fit, and silence",
    async () => {
      const hook = await createWebhook("payment", { schema: z.object({ paid: z.number() }) });
      await step("tell", () => {
        token = hook.token;
      });
      await sleep("1 day");
      const waiting = await hook.receive();
      const later = await hook.receive({ timeout: "5 days" });
      return [waiting.paid, later?.paid, await hook.receive({ timeout: "1 day" })];
    },
    { result: [1, 2, undefined] },
    {
      script: async (_run, env) => {
        await env.advance("1h");
        await env.client.deliverWebhook(token, { body: '{"paid":1}' }, { deliveryId: "1" });
        await env.client.deliverWebhook(token, { body: '{"paid":1}' }, { deliveryId: "1" });
        await env.advance("3 days");
        await env.client.deliverWebhook(token, { body: "{}" }, { deliveryId: "2" });
        await env.client.deliverWebhook(token, { body: '{"paid":2}' }, { deliveryId: "3" });
      },
    },
  ),
  scenario(
    "the first of a delivery, a signal and a child",
    async () => {
      const child = startChild(builds);
      await child.started;
      const hook = await createWebhook("payment", { schema: z.object({ paid: z.number() }) });
      await step("tell", () => {
        token = hook.token;
      });
      const first = await waitForAny({ child, hook, go });
      const second = await waitForAny({ child, hook, go });
      return [first, second, await waitForAny({ hook, go }, { timeout: "1 day" })];
    },
    {
      result: [
        { winner: "hook", value: { paid: 1 } },
        { winner: "child", value: "built" },
        { winner: "go", value: "late" },
      ],
    },
    {
      workflows: [builds],
      script: async (run, env) => {
        await env.advance("1 day");
        await env.client.deliverWebhook(token, { body: "no JSON" }, { deliveryId: "1" });
        await env.client.deliverWebhook(token, { body: '{"paid":1}' }, { deliveryId: "2" });
        await env.advance("2 days");
        await run.signal(go, "late");
      },
    },
  ),
  {
    name: "a webhook that the next run goes on with",
    ends: { result: "arrived" },
    experiment: {
      name: "three modes",
      workflow: listening as never,
      startAt: Date.UTC(2030, 0, 1),
      plan: {
        input: {} as never,
        script: async (_run, env) => {
          await env.advance("1h");
          await env.client.deliverWebhook(token, { body: "arrived" }, { deliveryId: "1" });
        },
      },
    },
  },
];
