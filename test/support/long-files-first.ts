// The order of the test files: random, and the long ones first, so that none of them is left to run by itself at the end.
// The same seed gives the same order.

import { createHash } from "node:crypto";
import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/** Where tests wait for processes, or try thousands of seeds. */
const LONG = ["test/e2e/", "test/sim/"];

export class LongFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { root, sequence } = this.ctx.config;
    const placed = files.map((file) => {
      const path = relative(root, file.moduleId);
      const isLong = LONG.some((folder) => path.startsWith(folder));
      return {
        file,
        place: `${isLong ? 0 : 1} ${createHash("sha256").update(`${sequence.seed} ${path}`).digest("hex")}`,
      };
    });
    return placed.sort((a, b) => (a.place < b.place ? -1 : 1)).map(({ file }) => file);
  }
}
