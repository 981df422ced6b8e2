// The shortest tests there are.

import "everstep/testing/vitest";
import { crashEverywhere, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import { hello } from "./workflow.ts";

test("hello greets and takes leave", async () => {
  const env = await testEnvironment({ workflows: [hello] });
  try {
    const run = await env.client.start(hello, { input: { name: "Ann" } });
    await expect(run).toHaveCompleted("Hello, Ann! Goodbye, Ann.");
    await expect(run).toHaveHistory([
      "RunStarted",
      { type: "StepCompleted", name: "greet" },
      "TimerStarted",
      "TimerFired",
      { type: "StepCompleted", name: "take leave" },
      "RunCompleted",
    ]);
  } finally {
    await env.stop();
  }
});

test("it does so wherever its worker dies", async () => {
  const { crashes, places } = await crashEverywhere(hello, { input: { name: "Ann" } });
  expect(crashes).toBe(places);
});
