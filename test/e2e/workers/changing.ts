// A workflow in the states of its change: as it was, with both ways, and when the old one is gone.

import { defineSignal, deprecatePatch, patched, step, type Workflow, workflow } from "everstep";

export const go = defineSignal("go");

export type Stage = "original" | "patched" | "deprecated" | "renamed";

export function changing(stage: Stage): Workflow<void, string> {
  return workflow(stage === "renamed" ? "renamed" : "changing", async () => {
    await step("reserve", () => {});
    if (isNew(stage)) {
      await step("authorize", () => {});
      await step("capture", () => {});
    } else {
      await step("charge", () => {});
    }
    await go.receive();
    return "done";
  });
}

function isNew(stage: Stage): boolean {
  if (stage === "patched") return patched("split-charge");
  if (stage !== "deprecated") return false;
  deprecatePatch("split-charge");
  return true;
}
