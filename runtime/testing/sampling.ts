// Some of many, drawn by a seed, in their order.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { seededRandom } from "../../sdk/protocol/random.ts";

export interface SamplingOptions {
  readonly most: number;
  readonly seed: number;
  /** What `most` is called where it was given. */
  readonly name: string;
}

export function sampled<Item>(items: readonly Item[], { most, seed, name }: SamplingOptions): readonly Item[] {
  if (!Number.isSafeInteger(most) || most < 1)
    throw new EverstepError("ARGUMENT_INVALID", `${name} takes a count from 1 on; got ${String(most)}.`);
  if (items.length <= most) return items;
  const random = seededRandom(`sample ${seed}`);
  return items
    .map((item, index) => ({ item, index, drawn: random.float() }))
    .sort((a, b) => a.drawn - b.drawn)
    .slice(0, most)
    .sort((a, b) => a.index - b.index)
    .map(({ item }) => item);
}
