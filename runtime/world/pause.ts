// Waiting inside a loop that must be able to stop.

import type { Clock } from "./world.ts";

/** Resolves after `ms`, or as soon as `signal` aborts. Never rejects. */
export function pause(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      cancel();
      signal?.removeEventListener("abort", done);
      resolve();
    };
    const cancel = clock.setTimer(ms, done);
    signal?.addEventListener("abort", done, { once: true });
  });
}

/** Like `pause`, and also ended early by `wake()`: a wake that came while nobody waited ends the next pause at once. */
export class Alarm {
  readonly #clock: Clock;
  #wake: (() => void) | undefined;
  #isRinging = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  wake(): void {
    if (this.#wake === undefined) this.#isRinging = true;
    else this.#wake();
  }

  wait(ms: number, signal?: AbortSignal): Promise<void> {
    if (this.#isRinging || signal?.aborted === true) {
      this.#isRinging = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = () => {
        cancel();
        signal?.removeEventListener("abort", done);
        this.#wake = undefined;
        resolve();
      };
      const cancel = this.#clock.setTimer(ms, done);
      this.#wake = done;
      signal?.addEventListener("abort", done, { once: true });
    });
  }
}
