// The trace goes through the database, and the history fits with and without the interceptor.

import { collectHistory, crashEverywhere, replayHistory, testEnvironment } from "everstep/testing";
import { beforeEach, expect, test } from "vitest";
import { spans } from "./tracer.ts";
import { tracing } from "./tracing.ts";
import { delivery } from "./workflow.ts";

beforeEach(() => {
  spans.length = 0;
});

test("every attempt of a step is a span within the one that started the run", async () => {
  const env = await testEnvironment({ workflows: [delivery], interceptors: [tracing] });
  try {
    env.mockStep("hand over", () => "handed over", { failFirst: 1, failWith: new Error("no van") });
    const run = await env.client.start(delivery, { input: "parcel 7" });
    expect(await run.result()).toBe("handed over");

    const [start, ...steps] = spans;
    expect(start).toMatchObject({ name: "start delivery", parentId: undefined });
    expect(steps.map(({ name, attributes, error }) => [name, attributes.attempt, error])).toEqual([
      ["step label", 1, undefined],
      ["step hand over", 1, "Error: no van"],
      ["step hand over", 2, undefined],
    ]);
    for (const { traceId, parentId } of steps) {
      expect({ traceId, parentId }).toEqual({ traceId: start?.traceId, parentId: start?.spanId });
    }

    const history = await collectHistory(run);
    await replayHistory(delivery, history);
    await replayHistory(delivery, history, { interceptors: [tracing] });
  } finally {
    await env.stop();
  }
});

test("no crash changes what is delivered, with the tracing around it", async () => {
  await crashEverywhere(delivery, {
    input: "parcel 7",
    interceptors: [tracing],
    prepare: (env) => void env.mockStep("hand over", () => "handed over"),
  });
});
