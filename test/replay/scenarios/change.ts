// Code that changes under its runs: patches, and a run that is moved to another version.

import { defineSignal, deprecatePatch, patched, sleep, step, workflow } from "everstep";
import { type Scenario, scenario } from "../../support/three-modes.ts";

const go = defineSignal("go");
const MOVES = "a run that is moved to another version";

const moved = workflow(
  MOVES,
  async () => {
    await step("pack", () => "packed");
    await go.receive();
    return step("by courier", () => "courier");
  },
  { version: "2.0.0" },
);

export const change: readonly Scenario[] = [
  scenario(
    "patches, one of them deprecated",
    async () => {
      deprecatePatch("long ago");
      const way = patched("first") ? await step("new way", () => "new") : await step("old way", () => "old");
      await sleep("1 day");
      if (patched("second")) await step("and more", () => "more");
      return [way, patched("first")];
    },
    { result: ["new", true] },
  ),
  scenario(
    MOVES,
    async () => {
      await step("pack", () => "packed");
      await go.receive();
      return step("by post", () => "post");
    },
    { result: "courier" },
    {
      version: "1.0.0",
      workflows: [moved],
      endsIn: moved,
      script: async (run, env) => {
        await env.advance("1 day");
        await run.moveTo("2.0.0");
        await env.advance("1 day");
        await run.signal(go);
      },
    },
  ),
];
