// Ids of runs: ULIDs, so that their order is the order of time.

import { decodeTime, ulid } from "ulid";
import { seededRandom } from "../../sdk/protocol/random.ts";
import type { World } from "./world.ts";

/** The id of the fork of `source` that a bulk makes: the same each time, and later than its source. */
export function forkIdOf(bulkId: string, source: string): string {
  const random = seededRandom(`${bulkId} ${source}`);
  return ulid(Math.max(decodeTime(bulkId), decodeTime(source) + 1), () => random.float());
}

/** A place in the order of ids, so long after this one. */
export function idAfter(runId: string, ms: number): string {
  return ulid(decodeTime(runId) + ms, () => 0);
}

/** A new run id; later in order than `after`, whatever this process's clock says. */
export function newRunId({ clock, chance }: Pick<World, "clock" | "chance">, after?: string): string {
  const now = clock.now();
  const at = after === undefined ? now : Math.max(now, decodeTime(after) + 1);
  // From an id and not from `float`, which a test may hold still: two of its digits for each of the 16 that are random here.
  const digits = chance.uuid().replaceAll("-", "");
  let used = 0;
  return ulid(at, () => {
    used += 2;
    return Number.parseInt(digits.slice(used - 2, used), 16) / 256;
  });
}
