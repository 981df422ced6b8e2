// Two releases of one workflow, as they stand side by side while runs of both are open.

import { defineSignal, step, workflow } from "everstep";

export const paid = defineSignal("paid");

export const parcel1 = workflow(
  "parcel",
  async () => {
    await step("pack", () => "packed");
    await paid.receive();
    return step("send", () => "sent by post");
  },
  { version: "1.0.0" },
);

/** Sends in another way. Up to there the code is the same, so a run that has not been paid for fits both. */
export const parcel2 = workflow(
  "parcel",
  async () => {
    await step("pack", () => "packed");
    await paid.receive();
    return step("dispatch", () => "sent by courier");
  },
  { version: "2.0.0" },
);
