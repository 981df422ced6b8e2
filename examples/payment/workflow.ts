// Pays by a provider that calls back. What it delivers is from the network: it counts only when it is signed.

import { createWebhook, step, workflow } from "everstep";
import { isSigned, register } from "./provider.ts";

export interface Order {
  readonly id: string;
  /** Where the handler is mounted. */
  readonly hooks: string;
}

export const payment = workflow("payment", async ({ id, hooks }: Order) => {
  const hook = await createWebhook("paid");
  await step("register", () => register({ order: id, callbackUrl: `${hooks}/${hook.token}` }));
  for (let ignored = 0; ; ignored++) {
    const delivery = await hook.receive({ timeout: "7 days" });
    if (delivery === undefined) return { outcome: "not paid" as const, ignored };
    if (!isSigned(delivery.body, delivery.headers["x-signature"])) continue;
    const { amount } = delivery.json() as { amount: number };
    return { outcome: "paid" as const, amount, ignored };
  }
});
