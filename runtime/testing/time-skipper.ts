// Lets virtual time pass: to the next timer, again and again, while somebody waits and nothing is under way. Under way is
// a call of the client's, a step body, or anything that touched the clock in the last rounds of the event loop.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { systemClock } from "../world/system.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface TimeSkipperOptions {
  readonly clock: VirtualClock;
  /** Step bodies under way or waiting for a place. */
  readonly steps: () => number;
}

/** Rounds of the event loop in which nothing moves before time may: a test's own code goes on in between. */
const QUIET_ROUNDS = 20;

export class TimeSkipper {
  readonly #clock: VirtualClock;
  readonly #steps: () => number;
  readonly #advances = new Set<(error: Error) => void>();
  #arrived: (() => void)[] = [];
  #waiting = 0;
  #calls = 0;
  #pastSteps = 0;
  #isRunning = false;
  #phase: "open" | "ending" | "ended" = "open";

  constructor({ clock, steps }: TimeSkipperOptions) {
    this.#clock = clock;
    this.#steps = steps;
  }

  /** Until the environment is stopped. */
  get isOpen(): boolean {
    return this.#phase === "open";
  }

  /** Throws ARGUMENT_INVALID once the environment is stopped. */
  requireOpen(): void {
    if (this.#phase !== "open") throw stopped();
  }

  /** Time stands until the call has its answer. */
  async hold<T>(call: () => Promise<T>): Promise<T> {
    this.#calls++;
    try {
      return await call();
    } finally {
      this.#calls--;
      this.#clock.stir();
    }
  }

  /** Time passes until `wait` settles. */
  async during<T>(wait: () => Promise<T>): Promise<T> {
    this.#waiting++;
    this.#run();
    try {
      return await wait();
    } finally {
      this.#waiting--;
      this.#clock.stir();
    }
  }

  /** Lets just so much time pass. Resolves when all that is due by then has happened. */
  async advance(ms: number, isPastSteps: boolean): Promise<void> {
    this.requireOpen();
    if (isPastSteps) this.#pastSteps++;
    try {
      // What was asked for before this call counts from before it.
      await this.during(async () => {
        await this.hold(() => this.#settled());
        this.requireOpen();
        await new Promise<void>((resolve, reject) => {
          this.#advances.add(reject);
          const arrive = () => {
            this.#advances.delete(reject);
            resolve();
          };
          this.#clock.setTimer(ms, () => this.#arrived.push(arrive));
        });
      });
    } finally {
      if (isPastSteps) this.#pastSteps--;
    }
  }

  /** Nothing holds time back any more while `end` goes on; nothing waits for time afterwards. */
  async end(end: () => Promise<void>): Promise<void> {
    this.#phase = "ending";
    for (const reject of this.#advances) reject(stopped());
    await this.during(end);
    this.#phase = "ended";
  }

  #run(): void {
    this.#clock.stir();
    if (this.#isRunning) return;
    this.#isRunning = true;
    void this.#skip();
  }

  async #skip(): Promise<void> {
    while (this.#waiting > 0 && this.#phase !== "ended") {
      await this.#settled();
      if (this.#waiting === 0) break;
      if (!this.#isHeld && !this.#clock.hasDue && this.#arrived.length > 0) {
        for (const arrive of this.#arrived.splice(0)) arrive();
      } else if (this.#isHeld || !this.#clock.jump()) {
        await this.#clock.stirred();
      }
    }
    this.#isRunning = false;
  }

  get #isHeld(): boolean {
    if (this.#phase !== "open") return false;
    return this.#calls > 0 || (this.#pastSteps === 0 && this.#steps() > 0);
  }

  async #settled(): Promise<void> {
    let seen = this.#clock.stirs;
    for (let quiet = 0; quiet < QUIET_ROUNDS; quiet++) {
      await new Promise<void>((resolve) => systemClock.afterDrain(resolve));
      if (this.#clock.stirs !== seen) quiet = -1;
      seen = this.#clock.stirs;
    }
  }
}

function stopped(): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", "This test environment was stopped: its time stands still for good.");
}
