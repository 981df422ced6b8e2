// One of the demo's two worker processes. It tells the driver which worker it is, and ends with it.

import { Worker } from "everstep/runtime";
import { delayReport } from "./workflow.ts";

// The default lease of 6 s would have us watch a dead worker's lease run out for a few seconds longer.
const worker = new Worker({ workflows: [delayReport], leaseTtlMs: 3_000 });
const endNow = () => process.exit(1);
process.on("disconnect", endNow); // the driver is gone, however it went
process.on("SIGINT", () => {}); // Ctrl-C goes to the whole group; what happens then is for the driver to say
process.once("SIGTERM", async () => {
  await worker.stop();
  process.off("disconnect", endNow);
  process.disconnect();
});
await worker.start();
process.send?.({ workerId: worker.stats.workerId });
