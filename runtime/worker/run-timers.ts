// When a run's timers and retries are due, by the store's clock. Kept by command: a command waits for one time at most.

import { FewMap } from "../../sdk/workflow/few-map.ts";
import type { CancelTimer } from "../world/world.ts";
import { none, withOneMore } from "./short-list.ts";

export interface TimerHost {
  msUntil(storeTime: number): number;
  setTimer(ms: number, fire: () => void): CancelTimer;
}

interface Waiting {
  readonly command: number;
  readonly dueAt: number;
  cancel: CancelTimer;
}

export class RunTimers {
  readonly #host: TimerHost;
  readonly #waiting = new FewMap<number, Waiting>();
  /** What became due while nothing may begin. */
  #heldBack: (() => void)[] = none();
  #isHeld = false;

  constructor(host: TimerHost) {
    this.#host = host;
  }

  has(command: number): boolean {
    return this.#waiting.has(command);
  }

  /** The command that waits for the earliest time; of several for the same, the one that began first. */
  get next(): { readonly command: number; readonly dueAt: number } | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting.values()) if (next === undefined || waiting.dueAt < next.dueAt) next = waiting;
    return next;
  }

  /** Calls `fire` when the store's clock says so; at once when it does already. */
  set(command: number, dueAt: number, fire: () => void): void {
    const waiting: Waiting = { command, dueAt, cancel: () => {} };
    this.#waiting.set(command, waiting);
    const look = () => {
      if (this.#waiting.get(command) !== waiting) return;
      const ms = this.#host.msUntil(dueAt);
      if (ms > 0) {
        waiting.cancel = this.#host.setTimer(ms, look);
      } else if (this.#isHeld) {
        this.#heldBack = withOneMore(this.#heldBack, look);
      } else {
        this.#waiting.delete(command);
        fire();
      }
    };
    look();
  }

  cancel(command: number): void {
    this.#waiting.get(command)?.cancel();
    this.#waiting.delete(command);
  }

  cancelAll(): void {
    this.#heldBack = none();
    if (this.#waiting.size === 0) return;
    for (const { cancel } of this.#waiting.values()) cancel();
    this.#waiting.clear();
  }

  /** Nothing fires until `release`: what begins while the run is being parked would be begun again by its next owner. */
  hold(): void {
    this.#isHeld = true;
  }

  release(): void {
    this.#isHeld = false;
    const heldBack = this.#heldBack;
    this.#heldBack = none();
    for (const look of heldBack) look();
  }
}
