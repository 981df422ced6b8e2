// Ids of runs: ULIDs, so that their order is the order of time.

import { decodeTime, ulid } from "ulid";
import { seededRandom } from "../../sdk/protocol/random.ts";
import type { World } from "./world.ts";

/** A new run id; later in order than `after`, whatever this process's clock says. */
export function newRunId({ clock, chance }: Pick<World, "clock" | "chance">, after?: string): string {
  const now = clock.now();
  const at = after === undefined ? now : Math.max(now, decodeTime(after) + 1);
  // From an id and not from `float`, which a test may hold still.
  const random = seededRandom(chance.uuid());
  return ulid(at, () => random.float());
}
