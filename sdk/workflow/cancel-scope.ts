// How a cancel request reaches what a run waits for. Scopes form a tree along the calls: canceling one cancels what is
// pending in it and in the scopes below, except behind a shield.

import type { CanceledFailure } from "../protocol/failures.ts";

export class CancelScope {
  readonly #pending = new Set<(failure: CanceledFailure) => void>();
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
  onCancel(react: (failure: CanceledFailure) => void): () => void {
    this.#pending.add(react);
    return () => this.#pending.delete(react);
  }

  cancel(failure: CanceledFailure): void {
    if (this.#canceledBy !== undefined) return;
    this.#canceledBy = failure;
    for (const react of [...this.#pending]) react(failure);
    this.#pending.clear();
    for (const child of this.#children) if (!child.#isShielded) child.cancel(failure);
  }
}
