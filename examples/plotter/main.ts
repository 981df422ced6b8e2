// Three drawings that want the plotter at once, and a doodle that does not wait for long.

import type { RunHandle } from "everstep/client";
import { embedded } from "everstep/runtime";
import { doodle, drawing } from "./workflow.ts";

const everstep = await embedded({ workflows: [drawing, doodle], logLevel: "warn" });
const { client } = everstep;
try {
  const runs: RunHandle<string>[] = [];
  for (const input of ["house", "garden", "fence"]) {
    runs.push(await client.start(drawing, { id: `drawing-${input}`, input }));
    // In the queue before the next one asks.
    while ((await client.locks({ key: "plotter" })).length < runs.length)
      await new Promise((tick) => setTimeout(tick, 20));
  }
  for (const { workflowId, fencingToken } of await client.locks({ key: "plotter" })) {
    console.log(`${workflowId} ${fencingToken === null ? "waits" : "holds the plotter"}`);
  }
  console.log(await (await client.start(doodle, { input: "cat" })).result());
  for (const run of runs) console.log(await run.result());
  console.log("Locks left:", (await client.locks()).length);
} finally {
  await everstep.stop();
}
