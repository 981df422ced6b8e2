// What the code waits for in its own state. Woken one at a time, the first asked for first: what one wakes up may make
// another no longer true.

import { currentAmbient, rejectWithAmbient } from "../../sdk/workflow/ambient.ts";
import type { CancelScope } from "../../sdk/workflow/cancel-scope.ts";

interface Condition {
  readonly predicate: () => boolean;
  resolve(): void;
  reject(error: unknown): void;
}

export class Conditions {
  readonly #waiting = new Set<Condition>();

  get count(): number {
    return this.#waiting.size;
  }

  add(predicate: () => boolean, scope: CancelScope): { readonly held: Promise<void>; withdraw(): void } {
    let withdraw = () => {};
    const ambient = currentAmbient();
    const held = new Promise<void>((resolve, reject) => {
      const condition: Condition = {
        predicate,
        resolve() {
          withdraw();
          resolve();
        },
        reject(error) {
          withdraw();
          rejectWithAmbient(ambient, reject, error);
        },
      };
      const cancellable = { cancel: condition.reject };
      scope.enter(cancellable);
      withdraw = () => {
        scope.leave(cancellable);
        this.#waiting.delete(condition);
      };
      this.#waiting.add(condition);
    });
    return { held, withdraw: () => withdraw() };
  }

  /** True when one was woken: by its predicate, or by what its predicate threw. */
  wakeOne(evaluate: (predicate: () => boolean) => boolean): boolean {
    for (const condition of this.#waiting) {
      try {
        if (!evaluate(condition.predicate)) continue;
        condition.resolve();
      } catch (error) {
        condition.reject(error);
      }
      return true;
    }
    return false;
  }

  clear(): void {
    this.#waiting.clear();
  }
}
