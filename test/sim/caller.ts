// Who calls from outside through the real Service, and again as long as nothing was answered. Knows when all that it began
// is done.

import { LocalWorkers } from "../../runtime/service/local-workers.ts";
import { Service } from "../../runtime/service/service.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Wakeups } from "../../runtime/wake/wakeups.ts";
import { pause } from "../../runtime/world/pause.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Dice } from "./dice.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

export interface CallerOptions {
  readonly process: SimulatedProcess;
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly locals?: LocalWorkers;
  readonly dice: Dice;
  readonly violation: (kind: string, what: string) => void;
}

/** The store or the codecs: it may have been done, or not. */
export function isAway(error: unknown): boolean {
  return isEverstepError(error, "STORE_UNAVAILABLE") || isEverstepError(error, "CODEC_FAILED");
}

export class Caller {
  readonly name: string;
  readonly service: Service;
  readonly #options: CallerOptions;
  #busy = 0;

  constructor(options: CallerOptions) {
    const { process, store, wakeups, locals = new LocalWorkers(), dice } = options;
    this.#options = options;
    this.name = process.name;
    this.service = new Service({
      store,
      wakeups,
      locals,
      world: process.world,
      insistForMs: dice.pick([50, 1_000, 15_000]),
      pollMs: dice.pick([50, 500]),
    });
  }

  /** Nothing that was begun is under way. */
  get isIdle(): boolean {
    return this.#busy === 0;
  }

  task(work: () => Promise<void>): void {
    this.#busy++;
    work().then(
      () => {
        this.#busy--;
      },
      (error: unknown) => {
        this.#busy--;
        this.#options.violation("client", error instanceof Error ? (error.stack ?? error.message) : String(error));
      },
    );
  }

  /** Calls until told something: what may be repeated has an id to be recognised by. */
  async insist<T>(call: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await call();
      } catch (error) {
        if (!isAway(error)) throw error;
        await this.sleep(200);
      }
    }
  }

  sleep(mostMs: number, dice = this.#options.dice): Promise<void> {
    return pause(this.#options.process.world.clock, dice.int(0, mostMs));
  }
}
