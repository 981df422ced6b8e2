// Checksums of every file below a folder, by default the examples themselves: npm run example fan-out [folder]

import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { embedded } from "everstep/runtime";
import { checksums } from "./workflow.ts";

const { 2: folder = fileURLToPath(new URL("../", import.meta.url)) } = process.argv;

const everstep = await embedded({ workflows: [checksums], logLevel: "warn" });
try {
  const run = await everstep.client.start(checksums, { input: { folder } });
  const files = await run.result();
  for (const { sha256, name } of files) console.log(`${sha256}  ${relative(folder, name)}`);
  console.log(`${files.length} files, in order.`);
} finally {
  await everstep.stop();
}
