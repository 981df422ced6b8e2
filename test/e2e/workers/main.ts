// The process behind test/support/worker-process.ts: runs every workflow of a module, as a service would, and answers
// the test's questions over the channel it was started with.

import type { AnyWorkflow } from "everstep";
import { Worker } from "everstep/runtime";
import type { PortableWorkerOptions } from "../../support/worker-process.ts";

const [module = "", options = "{}"] = process.argv.slice(2);
const exported: unknown[] = Object.values((await import(`./${module}`)) as object);
const workflows = exported.filter(isWorkflow);
const worker = new Worker({ ...(JSON.parse(options) as PortableWorkerOptions), workflows });

process.on("message", () => process.send?.(worker.stats));
// Without the test there is nobody to stop this process.
process.on("disconnect", () => process.exit(1));
// The channel must not be what keeps a stopped worker's process alive.
process.channel?.unref();
await worker.run();

function isWorkflow(value: unknown): value is AnyWorkflow {
  return typeof value === "object" && value !== null && "main" in value && typeof value.main === "function";
}
