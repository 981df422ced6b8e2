// A run that waits long for its second attempt, and then sleeps long.

import { defineSignal, sleep, step, workflow } from "everstep";

export const decide = defineSignal<string>("decide");

export const stubborn = workflow("stubborn", async () => {
  const attempt = await step(
    "charge",
    (context) => {
      if (context.attempt === 1) throw new Error("the provider is down");
      return context.attempt;
    },
    { retry: { initialInterval: "1h", jitter: 0 }, summary: "charge the card" },
  );
  await sleep("1 day", { summary: "until the bank opens" });
  return [attempt, await decide.receive({ timeout: "1 day" })];
});
