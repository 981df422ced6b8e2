// Keeps step heartbeats in the store, many at once and not too often: details for the next attempt, and the sign of
// progress that keeps a long step from looking like one that kills its workers. Only an attempt that has lived for a while
// shows that: a run that beats and then ends its worker, again and again, must be set aside like any other.

import type { Payload } from "../../sdk/protocol/payload.ts";
import type { Claim } from "../store/claims.ts";
import type { WorkerStore } from "../store/store.ts";
import type { World } from "../world/world.ts";

interface Beating {
  readonly runId: string;
  readonly claim: Claim;
  lost(): void;
}

interface Beat {
  readonly run: Beating;
  readonly command: number;
  readonly attempt: number;
  readonly details: Payload;
  readonly isProgress: boolean;
}

/** An attempt that is older than this does not end its worker: others do. */
const PROGRESS_AFTER_MS = 60_000;

export class HeartbeatKeeper {
  readonly #store: WorkerStore;
  readonly #world: World;
  readonly #everyMs: number;
  #waiting = new Map<string, Beat>();
  #writing = Promise.resolve();
  #isScheduled = false;
  #isStopped = false;

  constructor(options: { readonly store: WorkerStore; readonly world: World; readonly everyMs: number }) {
    this.#store = options.store;
    this.#world = options.world;
    this.#everyMs = options.everyMs;
  }

  /** The latest beat of a step replaces the one before that is not written yet. */
  keep(run: Beating, command: number, attempt: number, details: Payload, ageMs: number): void {
    const isProgress = ageMs >= PROGRESS_AFTER_MS;
    this.#waiting.set(`${run.runId}/${command}`, { run, command, attempt, details, isProgress });
    if (this.#isScheduled || this.#isStopped) return;
    this.#isScheduled = true;
    this.#world.clock.setTimer(this.#everyMs, () => void this.flush());
  }

  /** Resolves when everything kept so far is written, or could not be. Never rejects. */
  flush(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#write());
    return this.#writing;
  }

  stop(): void {
    this.#isStopped = true;
    this.#waiting.clear();
  }

  async #write(): Promise<void> {
    this.#isScheduled = false;
    const beats = [...this.#waiting.values()];
    this.#waiting = new Map();
    if (this.#isStopped || beats.length === 0) return;
    try {
      const held = await this.#store.saveHeartbeats(beats.map(({ run, ...beat }) => ({ claim: run.claim, ...beat })));
      for (const { run } of beats) if (!held.has(run.runId)) run.lost();
    } catch (error) {
      // Not kept this time: the next beat brings newer details, and the failed attempt's event carries the last ones.
      this.#world.log.debug({ error: String(error), beats: beats.length }, "heartbeats not kept");
    }
  }
}
