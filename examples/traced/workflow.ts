// A workflow that knows nothing of tracing.

import { sleep, step, workflow } from "everstep";

let failures = 1;

export const delivery = workflow("delivery", async (parcel: string) => {
  const label = await step("label", () => `label of ${parcel}`);
  await sleep("100ms");
  return step("hand over", () => {
    if (failures-- > 0) throw new Error("the van is not there yet");
    return `${label}, handed over`;
  });
});
