// What codecs keep elsewhere for runs that are deleted. It is let go of when the rows are gone: what is left behind by a
// process that ends in between, or a codec that fails, costs room, and nothing refers to it.
//
// The end of a run may be told to others, who read its payload where the run has put it. Whether they all have is known to
// nobody: what is kept elsewhere for such a run stays.

import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { readEncoded } from "../../sdk/protocol/payload-encoded.ts";
import type { Store } from "../store/store.ts";
import type { Log } from "../world/world.ts";
import type { CodecChain } from "./codec-chain.ts";
import { someAtOnce } from "./some-at-once.ts";

/** Their last payloads are held at once. */
const RUNS_AT_ONCE = 20;

export class Forgetting {
  readonly #kept: Store;
  readonly #chain: CodecChain;
  readonly #log: Log;

  constructor(kept: Store, chain: CodecChain, log: Log) {
    this.#kept = kept;
    this.#chain = chain;
    this.#log = log;
  }

  /** Before they are deleted: those of the runs for which nothing has to stay. */
  async forgettable(runIds: readonly string[]): Promise<ReadonlySet<string>> {
    if (!this.#chain.canForget) return new Set();
    const found = new Set(runIds);
    for (let from = 0; from < runIds.length; from += RUNS_AT_ONCE) {
      const ended = await this.#endsKeptElsewhere(runIds.slice(from, from + RUNS_AT_ONCE));
      for (const runId of await this.#toldToOthers(ended)) found.delete(runId);
    }
    return found;
  }

  /** Never rejects: the runs are gone. */
  async forget(runIds: readonly string[]): Promise<void> {
    const outcomes = await someAtOnce(runIds, (runId) =>
      this.#chain.forget(runId).then(
        () => null,
        (error: unknown) => String(error),
      ),
    );
    const reasons = outcomes.filter((reason) => reason !== null);
    if (reasons.length === 0) return;
    const fields = { runs: reasons.length, reason: reasons[0] };
    this.#log.warn(fields, "what codecs keep elsewhere for runs that were deleted is left behind");
  }

  async #endsKeptElsewhere(runIds: readonly string[]): Promise<string[]> {
    const outcomes = [...(await this.#kept.readOutcomes(runIds))];
    return outcomes.flatMap(([runId, { status, event }]) => {
      const by = event.payload === null ? undefined : readEncoded(event.payload)?.by;
      return status !== "continuedAsNew" && by !== undefined && this.#chain.isKeptElsewhere(by) ? [runId] : [];
    });
  }

  // Whoever has adopted a run waits for the end of its chain.
  async #toldToOthers(runIds: readonly string[]): Promise<string[]> {
    if (runIds.length === 0) return [];
    const starts = await this.#kept.readEventsOfType(runIds, EVENT_CODES.RunStarted, 1);
    const adoptions = await this.#kept.readEventsOfType(runIds, EVENT_CODES.RunAdopted, 1);
    return runIds.filter((runId) => {
      const [record] = starts.get(runId) ?? [];
      const started = record === undefined ? undefined : fromRecord(record);
      if (started?.type !== "RunStarted" || adoptions.has(runId)) return true;
      return started.parent !== undefined || started.continues?.isAwaited === true;
    });
  }
}
