// Runs at one device: in turn, whatever happens to their workers.

import "everstep/testing/vitest";
import { crashEverywhere, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import { doodle, drawing } from "./workflow.ts";

test("drawings are plotted in the order in which they asked", async () => {
  const env = await testEnvironment({ workflows: [drawing, doodle] });
  try {
    const order: string[] = [];
    env.mockStep("draw", async () => {
      order.push("drawn");
      return "a sheet";
    });
    const names = ["house", "garden", "fence"];
    const runs = await Promise.all(names.map((input) => env.client.start(drawing, { id: input, input })));
    await env.advance("500ms");
    const queue = await env.client.locks({ key: "plotter" });
    expect(queue.map(({ fencingToken }) => fencingToken !== null)).toEqual([true, false, false]);
    expect(order).toEqual(["drawn"]);
    const late = await env.client.start(doodle, { input: "cat" });
    expect(await late.result()).toBe("cat: the plotter is busy");
    for (const run of runs) expect(await run.result()).toMatch(/a sheet, cut$/);
    expect(await env.client.locks()).toEqual([]);
  } finally {
    await env.stop();
  }
});

test("a crash anywhere leaves nobody waiting", async () => {
  const { crashes, places } = await crashEverywhere(drawing, {
    input: "house",
    prepare: (env) => void env.mockStep("draw", () => "a sheet"),
  });
  expect(crashes).toBe(places);
});
