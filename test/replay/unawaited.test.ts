// Promises of workflow code that nobody awaits.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../support/unawaited-process.ts", import.meta.url));

test("what fails with nobody awaiting it fails the run or its step, not the process; what was canceled does not", async () => {
  const flags = ["--conditions=everstep-source", "--import", "tsx", SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  expect(JSON.parse(stdout)).toEqual({
    failed: 'failed: StepFailure: step "doomed" failed: TypeError: nobody looks',
    parted: "completed",
    late: "failed: TimeoutFailure: not done within 5 ms",
    doubted: "failed: TypeError: nobody looks at this either",
    listened:
      'failed: StepFailure: step "slow" failed: TimeoutFailure: step "slow" ran longer than its timeout of 20 ms',
    heard: "canceled: CanceledFailure: enough",
    canceled: "canceled: CanceledFailure: enough",
    undone: ["undone", "told"],
  });
});
