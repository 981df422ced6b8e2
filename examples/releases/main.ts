// Parcels of two releases in one worker: some stay with the code they began with, one is moved, one that cannot be moved is
// moved back.

import { embedded } from "everstep/runtime";
import { paid, parcel1, parcel2 } from "./workflow.ts";

const { client, stop } = await embedded({ workflows: [parcel1, parcel2], logLevel: "silent" });
const versionOf = async (id: string) => (await client.getUntyped(id).describe()).version;
const becomes = async (id: string, is: (run: { status: string; unreadMail: number; events: number }) => boolean) => {
  while (!is(await client.getUntyped(id).describe())) await new Promise((resolve) => setTimeout(resolve, 50));
};
try {
  const old = await client.start(parcel1, { id: "old" });
  const moved = await client.start(parcel1, { id: "moved" });
  const late = await client.start(parcel1, { id: "late" });

  await client.setVersionPolicy("parcel", { current: "2.0.0" });
  const young = await client.start(parcel1, { id: "young" });
  console.log(`young, started with the old definition: version ${await versionOf("young")}`);

  await moved.moveTo("2.0.0");
  for (const run of [old, moved, young]) await run.signal(paid);
  for (const run of [old, moved, young]) console.log(`${run.workflowId}: ${await run.result()}`);

  // What the old code has done after the last common step is nothing that the new code would ask for.
  await late.pause("to look at it");
  await late.signal(paid);
  await late.resume();
  await late.result();
  const again = await late.fork({ id: "again" });
  await again.moveTo("2.0.0");
  await becomes("again", ({ status }) => status === "blocked");
  console.log("again: the new code does not fit what the old one has sent");
  await again.moveTo("1.0.0");
  console.log(`again: ${await again.result()}`);

  for (const { version, openRuns, isDrained } of (await client.versions(parcel1)).versions) {
    console.log(`${version}: ${isDrained ? "drained" : `${openRuns} open, gets new runs`}`);
  }
} finally {
  await stop();
}
