// Several branches side by side that stand and fall together.

import type { ItemOutcome } from "./batch.ts";
import { type BatchOptions, runBatch, type TolerantBatchOptions } from "./map.ts";

type Functions = readonly (() => unknown)[];
type Results<Branches extends Functions> = {
  -readonly [Place in keyof Branches]: Awaited<ReturnType<Branches[Place]>>;
};
type Outcomes<Branches extends Functions> = {
  -readonly [Place in keyof Branches]: ItemOutcome<Awaited<ReturnType<Branches[Place]>>>;
};

/**
 * Starts every branch (at most `concurrency` at once) and resolves to their results, in the order of the branches. Where
 * `Promise.all` leaves the others running when one fails, this cancels them and waits until they have ended. Tolerances
 * and errors are those of `map`; its indexes are the places of the branches.
 *
 * Rejects and throws as `map` does.
 */
export function parallel<const Branches extends Functions>(
  branches: Branches,
  options: TolerantBatchOptions,
): Promise<Outcomes<Branches>>;
export function parallel<const Branches extends Functions>(
  branches: Branches,
  options?: BatchOptions,
): Promise<Results<Branches>>;
export function parallel(branches: Functions, options: BatchOptions = {}): Promise<unknown> {
  return runBatch([...branches], (branch) => branch(), options, "parallel()");
}
