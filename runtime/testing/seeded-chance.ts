// Chance that follows from a seed: the same ids at every repetition.

import { seededRandom } from "../../sdk/protocol/random.ts";
import type { Chance } from "../world/world.ts";

export function seededChance(seed: string): Chance {
  const random = seededRandom(seed);
  return { float: () => random.float(), uuid: () => random.uuid() };
}

/** Ids from the seed; and no jitter in what workers do: a pause between two attempts is as long as it was the time before. */
export function steadyChance(whose: string): Chance {
  const chance = seededChance(whose);
  return whose === "client" ? chance : { ...chance, float: () => 0.5 };
}
