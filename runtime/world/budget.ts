// Waits for an answer no longer than a caller can afford. The work itself is not undone: what was asked may still happen.

import type { Clock } from "./world.ts";

/** Settles as `work` does, or rejects with what `late` makes after `ms`. What `work` does after that is ignored. */
export function withinBudget<T>(clock: Clock, ms: number, work: Promise<T>, late: () => Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = clock.setTimer(ms, () => reject(late()));
    work.then(resolve, reject).finally(cancel);
  });
}
