// Steps that read real files: they are slow in real time, and come back in any order.

import "everstep/testing/vitest";
import { fileURLToPath } from "node:url";
import { crashEverywhere, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import { checksums } from "./workflow.ts";

const folder = fileURLToPath(new URL("./", import.meta.url));

test("every file has its checksum, in order", async () => {
  const env = await testEnvironment({ workflows: [checksums] });
  try {
    const run = await env.client.start(checksums, { input: { folder } });
    const files = await run.result();
    expect(files.map(({ name }) => name)).toEqual([...files.map(({ name }) => name)].sort());
    expect(files).toContainEqual(expect.objectContaining({ sha256: expect.stringMatching(/^[0-9a-f]{64}$/) }));
    await expect(run).toHaveRunStep("checksum", { times: files.length, attempts: 1 });
  } finally {
    await env.stop();
  }
});

test("after a crash only what was not committed is read again", async () => {
  const { crashes, places } = await crashEverywhere(checksums, { input: { folder } });
  expect(crashes).toBe(places);
});
