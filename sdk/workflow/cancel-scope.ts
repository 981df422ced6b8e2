// How a cancellation reaches what a run waits for. Scopes form a tree along the calls: canceling one cancels what is
// pending in it and in the scopes below. A shield is a scope without a parent.
//
// A scope is known to its parent only while something is pending in it: a loop that makes a scope each time round, for
// years, holds on to none of them.

import type { CanceledFailure } from "../protocol/failures.ts";
import { FewMap } from "./few-map.ts";

/** Something a run waits for. */
export interface Cancellable {
  /** It is to stop: called once, and the scope has let go of it. What takes time to stop enters again until it has. */
  cancel(failure: CanceledFailure): void;
}

export class CancelScope implements Cancellable {
  readonly #parent: CancelScope | null;
  // What waits, and the scopes below in which something does: told in the order in which they were asked for, which is
  // part of the run's determinism.
  readonly #pending = new FewMap<Cancellable, Cancellable>();
  #canceledBy: CanceledFailure | undefined;

  /** `parent`: the scope whose cancellation reaches this one; null for none. */
  constructor(parent: CancelScope | null) {
    this.#parent = parent;
  }

  /** Why nothing more may be asked for here; undefined while it may. */
  get canceledBy(): CanceledFailure | undefined {
    for (let scope: CancelScope | null = this; scope !== null; scope = scope.#parent) {
      if (scope.#canceledBy !== undefined) return scope.#canceledBy;
    }
    return undefined;
  }

  /** Nothing is pending here, nor in the scopes below; what was canceled has come to its end. */
  get isIdle(): boolean {
    return this.#pending.size === 0;
  }

  enter(pending: Cancellable): void {
    if (this.#pending.size === 0) this.#parent?.enter(this);
    this.#pending.set(pending, pending);
  }

  leave(pending: Cancellable): void {
    if (this.#pending.delete(pending) && this.#pending.size === 0) this.#parent?.leave(this);
  }

  cancel(failure: CanceledFailure): void {
    if (this.#canceledBy !== undefined) return;
    this.#canceledBy = failure;
    const pending = [...this.#pending.values()];
    this.#pending.clear();
    this.#parent?.leave(this);
    for (const each of pending) each.cancel(failure);
  }
}
