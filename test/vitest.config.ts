// How the tests run. The package imports itself by name, and the condition everstep-source makes that the TypeScript
// sources instead of dist. The order is random and its seed printed; --sequence.seed=<n> repeats it.

import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { defaultServerConditions } from "vite";
import { defineConfig } from "vitest/config";
import { LongFilesFirst } from "./support/long-files-first.ts";

const conditions = ["everstep-source", ...defaultServerConditions];

export default defineConfig({
  root: fileURLToPath(new URL("..", import.meta.url)),
  resolve: { conditions },
  ssr: { resolve: { conditions, externalConditions: conditions } },
  test: {
    include: ["test/**/*.test.ts", "examples/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/leak-check.ts"],
    pool: "forks",
    execArgv: ["--conditions=everstep-source"],
    // Vitest would leave one core to itself. Most of the time of the long files is waiting: for processes, leases, outages.
    maxWorkers: availableParallelism(),
    sequence: { sequencer: LongFilesFirst, shuffle: { tests: true } },
    // What hangs has to end some time. Nothing is measured by it: also a machine with much else to do comes this far.
    testTimeout: 180_000,
    hookTimeout: 180_000,
    retry: 0,
    allowOnly: false,
    expandSnapshotDiff: true,
  },
});
