// Answers queries: from the live run if it is here, else from a replay that is thrown away. Leaves no trace in any
// history, and never claims.

import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import { encodePayload } from "../../sdk/protocol/payload.ts";
import { refuseUnreadable } from "../../sdk/protocol/payload-encoded.ts";
import { PENDING_QUERY } from "../../sdk/protocol/pending-work.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { RunFacts } from "../replay/run-info.ts";
import type { TurnLoop } from "../replay/turn-loop.ts";
import type { VersionKey } from "../store/lanes.ts";
import type { QueryAnswer, TakenQuery } from "../store/questions.ts";
import type { RunDetail } from "../store/runs.ts";
import { codecsOf, type Store } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import { Backoff } from "../world/backoff.ts";
import { Lookout } from "../world/lookout.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";
import { describePending } from "./pending-summary.ts";

export interface QueryDeskOptions {
  readonly store: Store;
  readonly world: World;
  readonly wakeups: Wakeups;
  readonly turns: TurnLoop;
  /** Lanes, as for claims. */
  readonly queues: readonly string[];
  readonly pollMs: number;
  readonly workerId: () => string;
  readonly findRun: (runId: string) => LiveRun | undefined;
  /** An engine for a run that is not ours; undefined when no workflow here has the name and version. */
  readonly engineFor: (run: RunFacts & VersionKey) => RunEngine | undefined;
}

const MAX_QUERIES_AT_ONCE = 20;
const PATIENCE_MS = 250;

export class QueryDesk extends Lookout {
  readonly #options: QueryDeskOptions;
  readonly #backoff: Backoff;

  constructor(options: QueryDeskOptions) {
    super(options.world, options.pollMs);
    this.#options = options;
    this.#backoff = new Backoff(options.world.chance, { firstMs: 50, maxMs: 5_000 });
  }

  protected async look(signal: AbortSignal): Promise<number | undefined> {
    const { store, world, queues, workerId } = this.#options;
    try {
      const taken = await store.takeQueries(workerId(), queues, MAX_QUERIES_AT_ONCE);
      this.#backoff.reset();
      if (taken.length === 0) return undefined;
      await this.#answerTaken(taken);
    } catch (error) {
      world.log.debug({ error: String(error) }, "cannot answer queries, trying again");
      await pause(world.clock, this.#backoff.next(), signal);
    }
    return 0;
  }

  /** With codecs, a run whose history takes long to decode does not keep the others from their answers. */
  async #answerTaken(taken: readonly TakenQuery[]): Promise<void> {
    const { store, world } = this.#options;
    if (codecsOf(store) === undefined) return this.#answerAll(taken);
    const answering = taken.map((query) =>
      this.#answerAll([query]).catch((error: unknown) => {
        world.log.debug({ error: String(error) }, "cannot answer a query, it is asked again");
      }),
    );
    await Promise.race([Promise.all(answering), pause(world.clock, PATIENCE_MS, this.stopping)]);
  }

  async #answerAll(taken: readonly TakenQuery[]): Promise<void> {
    const answers = await Promise.all(
      taken.map(async (query) => ({ queryId: query.queryId, answer: await this.#answer(query) })),
    );
    const known = answers.filter((each): each is { queryId: string; answer: QueryAnswer } => each.answer !== undefined);
    await this.#options.store.answerQueries(known);
    this.#options.wakeups.publish(known.map(({ queryId }) => `query/${queryId}` as const));
  }

  /** Undefined when the run moved to another owner meanwhile, or its codecs are away: the question is asked again. */
  async #answer(query: TakenQuery): Promise<QueryAnswer | undefined> {
    const live = this.#options.findRun(query.runId);
    if (live?.isReadable === true) return ask(live.engine, query);
    try {
      return await this.#answerFromHistory(query);
    } catch (error) {
      // The store is asked again. A history that cannot be decoded is this question's affair alone.
      if (isEverstepError(error, "CODEC_FAILED")) return undefined;
      if (!isEverstepError(error, "PAYLOAD_UNREADABLE")) throw error;
      return { ok: false, code: "QUERY_FAILED", message: error.message };
    }
  }

  async #answerFromHistory(query: TakenQuery): Promise<QueryAnswer | undefined> {
    const { store, turns, engineFor } = this.#options;
    const run = await store.findRun({ runId: query.runId });
    const [history] = await store.loadHistories([query.runId]);
    if (run === null || history === undefined) return undefined;
    // Replaying it may end this process, too. A quarantined run says so; any other is answered by who claims it next.
    if (run.ownerId === null && run.crashCount > 0) return run.blocked === null ? undefined : unsafe(run);
    const engine = engineFor(run);
    // Moved since the question was taken: whoever has its version now is asked again.
    if (engine === undefined && run.version !== null) return undefined;
    if (engine === undefined) {
      const message = `No worker that was asked has workflow "${run.workflow}" of run ${run.workflowId}. Start one that has it.`;
      return { ok: false, code: "WORKFLOW_UNKNOWN", message };
    }
    for (const { payload } of history.events) refuseUnreadable(payload, `history of run ${run.workflowId}`);
    const events = history.events.map(fromRecord);
    const known = events.filter((event): event is HistoryEvent => event !== undefined);
    if (known.length !== events.length) {
      return {
        ok: false,
        code: "DIVERGENCE",
        message: `Run ${run.workflowId} has events of a newer release than this worker's.`,
      };
    }
    await new Promise<void>((resolve) => turns.feed(engine, known, true, resolve));
    return ask(engine, query);
  }
}

function unsafe({ workflowId, crashCount }: RunDetail): QueryAnswer {
  const message = `Run ${workflowId} is not replayed to answer: ${crashCount} workers that executed it ended without getting it any further.`;
  return { ok: false, code: "QUERY_FAILED", message };
}

function ask(engine: RunEngine, query: TakenQuery): QueryAnswer {
  if (query.name === PENDING_QUERY)
    return { ok: true, payload: encodePayload(describePending(engine), "pending work") };
  if (engine.broken !== undefined) return { ok: false, code: "DIVERGENCE", message: engine.broken.message };
  try {
    return { ok: true, payload: engine.query(query.name, query.input) };
  } catch (error) {
    const known: EverstepError = isEverstepError(error) ? error : new EverstepError("QUERY_FAILED", String(error));
    return {
      ok: false,
      code: known.code === "QUERY_UNKNOWN" ? "QUERY_UNKNOWN" : "QUERY_FAILED",
      message: known.message,
    };
  }
}
