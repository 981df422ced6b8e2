// A worker as a process of its own: claims runs of the database in DATABASE_URL until it is told to stop.

import { Worker } from "everstep/runtime";
import { transfer } from "./workflow.ts";

// With the default lease of 6 s a lost worker is noticed a little later; an example should not keep anyone waiting.
await new Worker({ workflows: [transfer], leaseTtlMs: 2_000, logLevel: "warn" }).run();
