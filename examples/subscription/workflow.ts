// A subscription is a loop that sleeps. Between two charges the run is a row in the database and nothing else: a million
// subscribers cost no memory and no process. Canceling it rejects the sleep; the loop ends as any loop does.

import { type Duration, defineQuery, isCanceled, nonCancellable, sleep, step, workflow } from "everstep";

export interface Subscription {
  readonly customer: string;
  readonly price: number;
  readonly months: number;
  /** The length of a month: seconds, to watch it. */
  readonly month?: Duration;
}

export const paid = defineQuery<{ months: number; amount: number }>("paid");

export const subscription = workflow("subscription", async (input: Subscription) => {
  const { customer, price, month = "30 days" } = input;
  let months = 0;
  paid.handle(() => ({ months, amount: months * price }));

  try {
    while (months < input.months) {
      await step("charge", ({ log }) => log.info("charged", { customer, price }));
      months += 1;
      await sleep(month);
    }
  } catch (error) {
    if (!isCanceled(error)) throw error;
    await nonCancellable(() => step("say goodbye", ({ log }) => log.info("goodbye", { customer })));
    return { ended: "canceled" as const, months };
  }
  return { ended: "ran out" as const, months };
});
