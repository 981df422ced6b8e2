// Many items that stand and fall together: counts how they end, until the policy is decided.

import { lineOf } from "../protocol/failures.ts";
import { BatchFailure, type FailedItem } from "./batch-failure.ts";
import type { CompletionPolicy } from "./completion-policy.ts";

/** What an item came to; "canceled" when it was not begun, or stopped, because the batch was decided. */
export type ItemOutcome<Result> =
  | { readonly status: "completed"; readonly value: Result }
  | { readonly status: "failed"; readonly error: unknown }
  | { readonly status: "canceled" };

/** Decided once, for good: what ends afterwards is noted and changes nothing. */
export class Batch {
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
    return `${this.#caller}: ${this.#failures.length} of ${count} items failed, and ${borne} may; first item ${first.index}: ${lineOf(first.error)}`;
  }
}
