// How a cancel request reaches what a run waits for. Scopes form a tree along the calls: canceling one cancels what is
// pending in it and in the scopes below, except behind a shield.

import type { CanceledFailure } from "../protocol/failures.ts";

/** Something a run waits for. */
export interface Cancellable {
  /** The run is to stop: called once, and the scope has let go of it. */
  cancel(failure: CanceledFailure): void;
}

export class CancelScope {
  readonly #pending = new Set<Cancellable>();
  readonly #children = new Set<CancelScope>();
  readonly #isShielded: boolean;
  #canceledBy: CanceledFailure | undefined;

  constructor(parent: CancelScope | null, isShielded: boolean) {
    this.#isShielded = isShielded;
    if (parent === null) return;
    parent.#children.add(this);
    if (!isShielded) this.#canceledBy = parent.#canceledBy;
  }

  get canceledBy(): CanceledFailure | undefined {
    return this.#canceledBy;
  }

  /** What is pending is told in the order it was asked for: the order is part of the run's determinism. */
  enter(pending: Cancellable): void {
    this.#pending.add(pending);
  }

  leave(pending: Cancellable): void {
    this.#pending.delete(pending);
  }

  cancel(failure: CanceledFailure): void {
    if (this.#canceledBy !== undefined) return;
    this.#canceledBy = failure;
    const pending = [...this.#pending];
    this.#pending.clear();
    for (const each of pending) each.cancel(failure);
    for (const child of this.#children) if (!child.#isShielded) child.cancel(failure);
  }
}
