// Hours and a month pass in no time here: what is tested is that they need not.

import { crashEverywhere, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import { invoice, provider } from "./workflow.ts";

test("once the provider is back, all that wait are charged at once; a reminder is sent before its time", async () => {
  provider.isUp = false;
  const env = await testEnvironment({ workflows: [invoice] });
  try {
    const began = env.now();
    const runs = await env.client.startMany(invoice, [{ input: "Ann" }, { input: "Bob" }]);
    await env.advance("10 minutes");
    provider.isUp = true;
    expect(await env.client.bulk({ where: { workflow: invoice.name } }).retryNow()).toMatchObject({ done: 2 });
    await env.advance("10 minutes");
    await runs[0]?.skipSleep();
    expect(await runs[0]?.result()).toBe("charge of Ann");
    expect(env.now().valueOf() - began.valueOf()).toBeLessThan(3_600_000);
    expect(await runs[1]?.result()).toBe("charge of Bob");
    expect(env.now().valueOf() - began.valueOf()).toBeGreaterThan(30 * 86_400_000);
  } finally {
    await env.stop();
  }
});

test("no crash charges before the provider is back, or loses what cut the waits short", async () => {
  await crashEverywhere(invoice, {
    input: "Ann",
    prepare: () => {
      provider.isUp = false;
    },
    script: async (run, env) => {
      await env.advance("10 minutes");
      provider.isUp = true;
      await run.retryNow("charge", { requestId: "retry" });
      await env.advance("10 minutes");
      await run.skipSleep("sleep", { requestId: "skip" });
    },
  });
});
