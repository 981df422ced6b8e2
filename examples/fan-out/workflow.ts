// Many steps at once: `map` keeps a hundred of them under way, and gives their results in the order of the items, whichever
// came first. When the worker dies, the files that are done stay done, and only the others are read again.

import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { defineStep, map, step, workflow } from "everstep";

const checksum = defineStep(
  "checksum",
  async (path: string) => {
    const content = await readFile(path);
    return { sha256: createHash("sha256").update(content).digest("hex"), bytes: content.length };
  },
  { retry: { maxAttempts: 3 } },
);

export const checksums = workflow("checksums", async (input: { folder: string }) => {
  const names = await step("list the files", async () => {
    const entries = await readdir(input.folder, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((file) => join(file.parentPath, file.name)).sort();
  });
  return map(names, async (name) => ({ name, ...(await checksum(name)) }), { concurrency: 100 });
});
