// Promises rejected with nobody to handle them. One of workflow code fails its run, as in a real worker; any other is a
// defect, of the runtime or of the simulation.

import { RunEngine } from "../../runtime/replay/engine.ts";
import { currentAmbient } from "../../sdk/workflow/ambient.ts";

export interface Rejections {
  /** What was rejected since the last look. */
  take(): string[];
}

export function watchRejections(): Rejections {
  const seen: string[] = [];
  process.on("unhandledRejection", (reason) => {
    const ambient = currentAmbient();
    if (ambient?.kind === "workflow" && ambient.run instanceof RunEngine) return ambient.run.rejectedUnhandled(reason);
    seen.push(`unhandled rejection: ${reason instanceof Error ? (reason.stack ?? reason.message) : String(reason)}`);
  });
  return { take: () => seen.splice(0) };
}
