// Many items, one function: at most so many at once, until enough have succeeded or too many failed.

import { EverstepError, invariant } from "../protocol/errors.ts";
import { CanceledFailure, isCanceled } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { Batch, type ItemOutcome } from "./batch.ts";
import { CancelScope } from "./cancel-scope.ts";
import { completionPolicy, isTolerant, type Tolerance } from "./completion-policy.ts";
import { stopScope } from "./stop-scope.ts";

export interface BatchOptions {
  /** Items that are under way at once, at the most. From 1 up. Default: all of them. */
  readonly concurrency?: number;
}

/** At least one tolerance: what an item came to is then told item by item. */
export type TolerantBatchOptions = BatchOptions &
  Tolerance &
  (
    | Required<Pick<Tolerance, "minSuccessful">>
    | Required<Pick<Tolerance, "toleratedFailures">>
    | Required<Pick<Tolerance, "toleratedFailureRate">>
  );

/**
 * Calls `each` for every item, as many at once as `concurrency` allows, begun in the order of the items. Resolves to the
 * results in that order. The first failure cancels the others, and rejects with `BatchFailure`.
 *
 * With a tolerance (`minSuccessful`, `toleratedFailures`, `toleratedFailureRate`) it resolves to an `ItemOutcome` for every
 * item, in order: as soon as `minSuccessful` have succeeded, the rest being canceled, or when all have ended. It rejects
 * with `BatchFailure`, the rest being canceled, as soon as more have failed than is tolerated, or than leave
 * `minSuccessful` possible. An item whose result came although it was told to stop has completed.
 *
 * Settles when all that it began has ended: steps under way first, unless their `onCancel` is "try" or "abandon". Rejects with
 * `CanceledFailure` when the run or its scope was canceled before it was decided. Throws ARGUMENT_INVALID and
 * OUTSIDE_WORKFLOW.
 */
export function map<Item, Result>(
  items: Iterable<Item>,
  each: (item: Item, index: number) => Result | Promise<Result>,
  options: TolerantBatchOptions,
): Promise<ItemOutcome<Result>[]>;
export function map<Item, Result>(
  items: Iterable<Item>,
  each: (item: Item, index: number) => Result | Promise<Result>,
  options?: BatchOptions,
): Promise<Result[]>;
export function map(
  items: Iterable<unknown>,
  each: (item: unknown, index: number) => unknown,
  options: BatchOptions & Tolerance = {},
): Promise<unknown[]> {
  return runBatch([...items], each, options, "map()");
}

/** `map` for functions of any kind, under the caller's name. */
export async function runBatch<Item>(
  items: readonly Item[],
  each: (item: Item, index: number) => unknown,
  options: BatchOptions & Tolerance,
  caller: string,
): Promise<unknown[]> {
  const { run, scope: outer } = requireRun(caller);
  run.refuseInReadOnly(caller);
  const concurrency = checkedConcurrency(options.concurrency ?? Number.POSITIVE_INFINITY, caller);
  const batch = new Batch(items.length, completionPolicy(options, items.length, caller), caller);
  if (outer.canceledBy !== undefined) throw outer.canceledBy;

  const scope = new CancelScope(outer);
  const notNeeded = new CanceledFailure(`${caller} needs no more of its items`);
  let next = 0;
  const lane = async () => {
    while (next < items.length && !batch.isDecided && scope.canceledBy === undefined) {
      const index = next++;
      try {
        batch.completed(index, await each(items[index] as Item, index));
      } catch (error) {
        // What was told to stop, and stopped, did not fail.
        if (scope.canceledBy === undefined || !isCanceled(error)) batch.failed(index, error);
      }
      if (batch.isCutShort) run.cancelScope(scope, notNeeded);
    }
  };
  const lanes = Math.min(concurrency, items.length);
  await run.runInScope(scope, () => Promise.all(Array.from({ length: lanes }, lane)));
  if (batch.isCutShort) await stopScope(run, scope, notNeeded);

  if (!batch.isDecided && outer.canceledBy !== undefined) throw outer.canceledBy;
  invariant(batch.isDecided, "a batch whose items have all ended is decided", { caller, items: items.length });
  const outcomes = batch.outcomes();
  return isTolerant(options) ? outcomes : outcomes.map((outcome) => (outcome as { value: unknown }).value);
}

function checkedConcurrency(concurrency: number, caller: string): number {
  if (concurrency === Number.POSITIVE_INFINITY || (Number.isSafeInteger(concurrency) && concurrency >= 1)) {
    return concurrency;
  }
  const message = `${caller}: concurrency must be a whole number from 1 up, or Infinity; got ${String(concurrency)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "concurrency" } });
}
