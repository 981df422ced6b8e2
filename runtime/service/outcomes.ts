// How runs ended, for callers who wait for it: along the chain of runs that continued as new, where the caller follows it.

import type { ClosedRun, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { timeOfId } from "../world/run-id.ts";
import { Batcher } from "./batcher.ts";
import type { Desk } from "./desk.ts";
import type { LocalWorkers } from "./local-workers.ts";
import { OutcomeWaiter, type StoredOutcome } from "./outcome-waiter.ts";
import { deletedMeanwhile, nameOf, notFound, notKept } from "./run-errors.ts";

const FRESH_MS = 10_000;
const RUNS_PER_BATCH = 1_000;

export class Outcomes {
  readonly #desk: Desk;
  readonly #waiter: OutcomeWaiter;
  /** Whether runs are there, asked for many callers at once. */
  readonly #existence: Batcher<string, boolean>;

  /** `locals`: the workers of this process that tell of the runs they close. */
  constructor(desk: Desk, locals: LocalWorkers) {
    const { kept, wakeups, world, pollMs } = desk;
    this.#desk = desk;
    this.#waiter = new OutcomeWaiter({ store: kept, wakeups, world, pollMs, locals });
    this.#existence = new Batcher({
      clock: world.clock,
      most: RUNS_PER_BATCH,
      send: async (runIds) => {
        const missing = new Set(await desk.insist(() => desk.store.missingRuns(runIds)));
        return runIds.map((runId) => !missing.has(runId));
      },
    });
  }

  async outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun> {
    const startedAt = this.#desk.world.clock.monotonic();
    let runId = await this.#firstToAwait(to);
    for (;;) {
      const spentMs = this.#desk.world.clock.monotonic() - startedAt;
      const closed = closedRunOf(runId, await this.#readable(runId, await this.#await(to, runId, timeoutMs, spentMs)));
      if (closed.nextRunId === null || !follows) return closed;
      runId = closed.nextRunId;
      if (!this.#isFresh(runId) && !(await this.#existence.ask(runId))) throw notKept(nameOf(to), runId);
    }
  }

  close(): void {
    this.#waiter.close();
  }

  async #readable(runId: string, { status, event }: StoredOutcome): Promise<StoredOutcome> {
    const codecs = this.#desk.codecs;
    if (codecs === undefined) return { status, event };
    return { status, event: await this.#desk.insist(() => codecs.decodeEvent(runId, event)) };
  }

  /** Nobody would ever tell of the end of a run that is not there: what was not started just now is looked for. */
  async #firstToAwait(to: RunReference): Promise<string> {
    if ("workflowId" in to) return (await this.#desk.find(to)).runId;
    const isKnown = "chainOf" in to && this.#isFresh(to.chainOf);
    const runId = nameOf(to);
    if (!isKnown && !(await this.#existence.ask(runId))) throw notFound(runId);
    return runId;
  }

  /** Started so short a time ago that it cannot have been deleted. */
  #isFresh(runId: string): boolean {
    return this.#desk.world.clock.now() - timeOfId(runId) < FRESH_MS;
  }

  /** `spentMs`: of the timeout, on runs of the chain before this one. */
  async #await(to: RunReference, runId: string, timeoutMs: number | null, spentMs: number): Promise<StoredOutcome> {
    const { clock } = this.#desk.world;
    return new Promise((resolve, reject) => {
      let cancelTimer = () => {};
      const stop = this.#waiter.wait(runId, {
        closed(outcome) {
          cancelTimer();
          resolve(outcome);
        },
        gone() {
          cancelTimer();
          reject(deletedMeanwhile(nameOf(to), runId));
        },
        abandoned() {
          cancelTimer();
          reject(stillOpen(to, null));
        },
      });
      if (timeoutMs === null) return;
      cancelTimer = clock.setTimer(Math.max(0, timeoutMs - spentMs), () => {
        stop();
        reject(stillOpen(to, timeoutMs));
      });
    });
  }
}

function closedRunOf(runId: string, { status, event: stored }: StoredOutcome): ClosedRun {
  const event = fromRecord(stored);
  return {
    runId,
    status,
    result: event?.type === "RunCompleted" ? event.result : null,
    failure: failureOf(event),
    nextRunId: event?.type === "RunContinued" ? event.nextRunId : null,
  };
}

function failureOf(event: HistoryEvent | undefined): Failure | null {
  if (event?.type === "RunFailed" || event?.type === "RunCanceled") return event.failure;
  return event?.type === "RunContinued" ? (event.retry?.failure ?? null) : null;
}

function stillOpen(to: RunReference, timeoutMs: number | null): EverstepError {
  const name = nameOf(to);
  const what = timeoutMs === null ? "The client was closed" : `${timeoutMs} ms passed`;
  return new EverstepError("RUN_STILL_OPEN", `${what} before run ${name} had a result. The run goes on; ask again.`, {
    details: { run: name },
  });
}
