// Blobs as files, for development and tests on one machine.

import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { systemChance } from "../world/system.ts";
import type { BlobStore } from "./offload.ts";

/** A `BlobStore` in a folder that every worker and client must see: one file per blob, in one folder per run. */
export function directoryBlobs(folder: string): BlobStore {
  return {
    async put({ run, hash }, bytes) {
      const place = join(folder, run);
      await mkdir(place, { recursive: true, mode: 0o700 });
      // Written aside and moved: a file under its name is whole.
      const aside = join(place, `.${systemChance.uuid()}`);
      const file = await open(aside, "wx", 0o600);
      try {
        await file.writeFile(bytes);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(aside, join(place, hash));
    },
    async get({ run, hash }) {
      try {
        return await readFile(join(folder, run, hash));
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
    async delete(run) {
      await rm(join(folder, run), { recursive: true, force: true });
    },
  };
}
