// What every part of the front door works with: a store that is insisted on while it is away, and whom to wake.

import { setMaxListeners } from "node:events";
import type { RunReference } from "../../sdk/client/front-door.ts";
import type { RunDetail } from "../store/runs.ts";
import { codecsOf, type Store, type StoreCodecs } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { World } from "../world/world.ts";
import { doErrands } from "./errands.ts";
import { type Insistence, insist } from "./insist.ts";
import { nameOf, notFound } from "./run-errors.ts";

export interface DeskOptions {
  readonly store: Store;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly insistForMs: number;
  readonly pollMs: number;
}

export class Desk {
  readonly store: Store;
  readonly codecs: StoreCodecs | undefined;
  /** The store below the codecs: with them, each start, item of mail and outcome is coded by itself. */
  readonly kept: Store;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly insistence: Insistence;
  readonly pollMs: number;
  readonly #closing = new AbortController();

  constructor({ store, wakeups, world, insistForMs, pollMs }: DeskOptions) {
    this.store = store;
    this.codecs = codecsOf(store);
    this.kept = this.codecs?.kept ?? store;
    this.wakeups = wakeups;
    this.world = world;
    // As many may wait as there are callers.
    setMaxListeners(0, this.#closing.signal);
    this.insistence = { world, forMs: insistForMs, signal: this.#closing.signal };
    this.pollMs = pollMs;
  }

  /** Only for calls that are safe to repeat. */
  insist<T>(call: () => Promise<T>): Promise<T> {
    return insist(this.insistence, call);
  }

  /** Throws RUN_NOT_FOUND. */
  async find(to: RunReference): Promise<RunDetail> {
    const run = await this.insist(() => this.store.findRun(to));
    if (run === null) throw notFound(nameOf(to));
    return run;
  }

  /** Tells whoever executes the run that something has come for it; where nobody does, those who may. */
  wake({ ownerId, queue }: { readonly ownerId: string | null; readonly queue: string | null }): void {
    if (ownerId !== null) this.wakeups.publish([`worker/${ownerId}`]);
    else if (queue !== null) this.wakeups.publish([`queue/${queue}`]);
  }

  /** What the end of a run has made due. When it fails here, a worker does it at its next regular look. */
  doErrands(): void {
    const { store, wakeups, world } = this;
    const { log } = world;
    doErrands({ store, wakeups, log }, this.#closing.signal).catch((error: unknown) => {
      log.debug({ error: String(error) }, "errands are left to the workers");
    });
  }

  close(): void {
    this.#closing.abort();
  }
}
