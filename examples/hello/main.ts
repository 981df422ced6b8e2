// Database, worker and client in one process: nothing to install, nothing to configure.

import { embedded } from "everstep/runtime";
import { hello } from "./workflow.ts";

const everstep = await embedded({ workflows: [hello], logLevel: "warn" });
try {
  const run = await everstep.client.start(hello, { input: { name: "Ann" } });
  console.log(await run.result());
} finally {
  await everstep.stop();
}
