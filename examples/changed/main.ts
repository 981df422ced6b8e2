// Three parcels: one is past the change when the new release comes, one is not there yet, one begins after it.

import { embedded } from "everstep/runtime";
import { checkRuns } from "everstep/testing";
import { arrived, paid, parcel, parcelInTwoSteps } from "./workflow.ts";

const today = await embedded({ workflows: [parcel], logLevel: "warn" });
const past = await today.client.start(parcel, { id: "parcel-past" });
await today.client.start(parcel, { id: "parcel-before" });
await past.signal(paid);
while ((await past.describe()).events < 3) await new Promise((resolve) => setTimeout(resolve, 50));
await today.stop();

const next = await embedded({ workflows: [parcelInTwoSteps], logLevel: "warn" });
const { client } = next;
try {
  for await (const { workflowId, verdict } of checkRuns(client, [parcelInTwoSteps])) {
    console.log(`${workflowId}: the new code ${verdict}`);
  }
  await client.start(parcelInTwoSteps, { id: "parcel-after" });
  for (const id of ["parcel-past", "parcel-before", "parcel-after"]) {
    const run = client.get(parcelInTwoSteps, id);
    if (id !== "parcel-past") await run.signal(paid);
    await run.signal(arrived);
    console.log(`${id}: ${await run.result()}`);
  }
} finally {
  await next.stop();
}
