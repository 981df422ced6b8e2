// Many items, one function: at most so many at once, until enough have succeeded or too many failed.

import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure, isCanceled } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { BatchFailure, type FailedItem } from "./batch-failure.ts";
import { CancelScope } from "./cancel-scope.ts";
import { type CompletionPolicy, completionPolicy, isTolerant, type Tolerance } from "./completion-policy.ts";
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

/** What an item came to; "canceled" when it was not begun, or stopped, because the batch was decided. */
export type ItemOutcome<Result> =
  | { readonly status: "completed"; readonly value: Result }
  | { readonly status: "failed"; readonly error: unknown }
  | { readonly status: "canceled" };

/**
 * Calls `each` for every item, as many at once as `concurrency` allows, begun in the order of the items. Resolves to the
 * results in that order. The first failure cancels the others, and rejects with `BatchFailure`.
 *
 * With a tolerance (`minSuccessful`, `toleratedFailures`, `toleratedFailureRate`) it resolves to an `ItemOutcome` for every
 * item, in order: as soon as `minSuccessful` have succeeded, the rest being canceled, or when all have ended. It rejects
 * with `BatchFailure`, the rest being canceled, as soon as more have failed than is tolerated, or than leave
 * `minSuccessful` possible. An item whose result came although it was told to stop has completed.
 *
 * Settles when all that it began has ended: steps under way first, unless their `onCancel` is "abandon". Rejects with
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
  const outcomes = batch.outcomes();
  return isTolerant(options) ? outcomes : outcomes.map((outcome) => (outcome as { value: unknown }).value);
}

/** Counts how its items end, until the policy is decided: once, for good. */
class Batch {
  readonly #outcomes: ItemOutcome<unknown>[];
  readonly #failures: FailedItem[] = [];
  readonly #policy: CompletionPolicy;
  readonly #caller: string;
  #successes = 0;
  #verdict: "open" | "done" | "enough" | "failed" = "open";

  constructor(count: number, policy: CompletionPolicy, caller: string) {
    this.#outcomes = new Array<ItemOutcome<unknown>>(count).fill({ status: "canceled" });
    this.#policy = policy;
    this.#caller = caller;
    this.#decide();
  }

  get isDecided(): boolean {
    return this.#verdict !== "open";
  }

  /** Decided with no need of what the items still do. */
  get isCutShort(): boolean {
    return this.#verdict === "enough" || this.#verdict === "failed";
  }

  completed(index: number, value: unknown): void {
    this.#outcomes[index] = { status: "completed", value };
    this.#successes++;
    this.#decide();
  }

  failed(index: number, error: unknown): void {
    this.#outcomes[index] = { status: "failed", error };
    this.#failures.push({ index, error });
    this.#decide();
  }

  /** How each item ended; throws when too many failed. */
  outcomes(): ItemOutcome<unknown>[] {
    if (this.#verdict === "failed") throw new BatchFailure(this.#complaint(), this.#failures, this.#outcomes.length);
    return this.#outcomes;
  }

  #decide(): void {
    if (this.isDecided) return;
    const { enough, mostFailures } = this.#policy;
    const ended = this.#successes + this.#failures.length;
    if (this.#failures.length > mostFailures) this.#verdict = "failed";
    else if (ended === this.#outcomes.length) this.#verdict = "done";
    else if (this.#successes >= enough) this.#verdict = "enough";
  }

  #complaint(): string {
    const count = this.#outcomes.length;
    const [first] = this.#failures;
    if (first === undefined)
      return `${this.#caller}: ${this.#policy.enough} items must succeed, and there are only ${count}`;
    const borne = Math.max(0, this.#policy.mostFailures);
    return `${this.#caller}: ${this.#failures.length} of ${count} items failed, and ${borne} may; first item ${first.index}: ${String(first.error)}`;
  }
}

function checkedConcurrency(concurrency: number, caller: string): number {
  if (concurrency === Number.POSITIVE_INFINITY || (Number.isSafeInteger(concurrency) && concurrency >= 1)) {
    return concurrency;
  }
  const message = `${caller}: concurrency must be a whole number from 1 up, or Infinity; got ${String(concurrency)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "concurrency" } });
}
