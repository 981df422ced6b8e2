// Opens claimed runs whose histories have to be decoded first. Each is decoded by itself, so a codec that is slow or down
// for one run holds up no other. While trying again may help, the run stays here and waits; after a while it is set aside
// as blocked, where everybody sees why, and is taken up again later.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { LoadedHistory } from "../store/claims.ts";
import type { StoreCodecs } from "../store/store.ts";
import { Backoff } from "../world/backoff.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";

export interface HistoryOpenerOptions {
  readonly codecs: StoreCodecs;
  readonly world: World;
  /** `mayPass`: not for good; this process may be able to read the history later. */
  readonly block: (run: LiveRun, reason: BlockedReason, mayPass: boolean) => void;
}

/** How long a run waits for its codecs before it is set aside. */
const WAIT_AT_MOST_MS = 30_000;

export class HistoryOpener {
  readonly #options: HistoryOpenerOptions;
  readonly #stopping = new AbortController();

  constructor(options: HistoryOpenerOptions) {
    this.#options = options;
  }

  /** Nothing is opened from here on. */
  stop(): void {
    this.#stopping.abort();
  }

  /** Opens the run, or blocks it. Never rejects. */
  async open(run: LiveRun, history: LoadedHistory): Promise<void> {
    const decoded = await this.#decode(run, history);
    if (decoded !== undefined && run.isOurs && !this.#stopping.signal.aborted) run.open(decoded);
  }

  async #decode(run: LiveRun, history: LoadedHistory): Promise<LoadedHistory | undefined> {
    const { codecs, world, block } = this.#options;
    const startedAt = world.clock.monotonic();
    const backoff = new Backoff(world.chance, { firstMs: 50, maxMs: 2_000 });
    while (run.isOurs && !this.#stopping.signal.aborted) {
      try {
        return await codecs.decodeHistory(history);
      } catch (error) {
        const mayPass = !isEverstepError(error) || error.retryable;
        const isOver = world.clock.monotonic() - startedAt >= WAIT_AT_MOST_MS;
        if (run.isOurs && (!mayPass || isOver)) {
          const why = error instanceof Error ? error.message : String(error);
          const message = `Run ${run.facts.workflowId}: ${why}`;
          block(run, { kind: "unreadablePayload", message }, mayPass);
          return undefined;
        }
        await pause(world.clock, backoff.next(), this.#stopping.signal);
      }
    }
    return undefined;
  }
}
