// One workflow in two releases. Runs that the first one began go on under the second: where the code was changed, each
// goes the way that it was on.

import { defineSignal, patched, step, workflow } from "everstep";

export const paid = defineSignal("paid");
export const arrived = defineSignal("arrived");

/** The release that is running today. */
export const parcel = workflow("parcel", async () => {
  await paid.receive();
  const charge = await step("charge", () => "charged at once");
  await arrived.receive();
  return charge;
});

/** The next one: the same name, charging in two steps. */
export const parcelInTwoSteps = workflow("parcel", async () => {
  await paid.receive();
  if (!patched("charge-in-two-steps")) {
    const charge = await step("charge", () => "charged at once");
    await arrived.receive();
    return charge;
  }
  await step("authorize", () => "authorized");
  await arrived.receive();
  return step("capture", () => "authorized, and captured on arrival");
});
