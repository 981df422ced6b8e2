// Promises of workflow code that nobody awaits.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const SCRIPT = fileURLToPath(new URL("../support/unawaited-process.ts", import.meta.url));

test("a step that fails with nobody awaiting it fails the run; a canceled wait does not cut the clean-up short", async () => {
  const flags = ["--conditions=everstep-source", "--import", "tsx", SCRIPT];
  const { stdout } = await promisify(execFile)(process.execPath, flags);
  expect(JSON.parse(stdout)).toEqual({
    failed: 'failed: StepFailure: step "doomed" failed: TypeError: nobody looks',
    canceled: "canceled: CanceledFailure: enough",
    undone: ["undone", "told"],
  });
});
