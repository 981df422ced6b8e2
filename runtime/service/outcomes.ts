// How runs ended, for callers who wait for it: along the chain of runs that continued as new, where the caller follows it.

import type { ClosedRun, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord } from "../../sdk/protocol/event-record.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import { timeOfId } from "../world/run-id.ts";
import type { CancelTimer } from "../world/world.ts";
import { Batcher } from "./batcher.ts";
import type { Desk } from "./desk.ts";
import type { LocalWorkers } from "./local-workers.ts";
import { type OutcomeCaller, OutcomeWaiter, type StoredOutcome } from "./outcome-waiter.ts";
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
    let runId = this.#isFreshStart(to) ? to.chainOf : await this.#firstToAwait(to);
    for (;;) {
      const spentMs = timeoutMs === null ? 0 : this.#desk.world.clock.monotonic() - startedAt;
      const stored = await this.#await(to, runId, timeoutMs, spentMs);
      const closed = closedRunOf(runId, this.#desk.codecs === undefined ? stored : await this.#decoded(runId, stored));
      if (closed.nextRunId === null || !follows) return closed;
      runId = closed.nextRunId;
      if (!this.#isFresh(runId) && !(await this.#existence.ask(runId))) throw notKept(nameOf(to), runId);
    }
  }

  close(): void {
    this.#waiter.close();
  }

  async #decoded(runId: string, { status, event }: StoredOutcome): Promise<StoredOutcome> {
    const { codecs } = this.#desk;
    if (codecs === undefined) return { status, event };
    return { status, event: await this.#desk.insist(() => codecs.decodeEvent(runId, event)) };
  }

  /** The chain begins with a run that was started just now: it is there. */
  #isFreshStart(to: RunReference): to is { readonly chainOf: string } {
    return "chainOf" in to && this.#isFresh(to.chainOf);
  }

  /** Nobody would ever tell of the end of a run that is not there: what was not started just now is looked for. */
  async #firstToAwait(to: RunReference): Promise<string> {
    if ("workflowId" in to) return (await this.#desk.find(to)).runId;
    const runId = nameOf(to);
    if (!(await this.#existence.ask(runId))) throw notFound(runId);
    return runId;
  }

  /** Started so short a time ago that it cannot have been deleted. */
  #isFresh(runId: string): boolean {
    return this.#desk.world.clock.now() - timeOfId(runId) < FRESH_MS;
  }

  /** `spentMs`: of the timeout, on runs of the chain before this one. */
  #await(to: RunReference, runId: string, timeoutMs: number | null, spentMs: number): Promise<StoredOutcome> {
    return new Promise((resolve, reject) => {
      const caller = new Caller(to, runId, resolve, reject);
      this.#waiter.wait(runId, caller);
      if (timeoutMs === null) return;
      caller.cancelTimer = this.#desk.world.clock.setTimer(Math.max(0, timeoutMs - spentMs), () => {
        this.#waiter.leave(runId, caller);
        reject(stillOpen(to, timeoutMs));
      });
    });
  }
}

class Caller implements OutcomeCaller {
  readonly #to: RunReference;
  readonly #runId: string;
  readonly #resolve: (outcome: StoredOutcome) => void;
  readonly #reject: (error: EverstepError) => void;
  cancelTimer: CancelTimer | undefined;

  constructor(
    to: RunReference,
    runId: string,
    resolve: (outcome: StoredOutcome) => void,
    reject: (error: EverstepError) => void,
  ) {
    this.#to = to;
    this.#runId = runId;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  closed(outcome: StoredOutcome): void {
    this.cancelTimer?.();
    this.#resolve(outcome);
  }

  gone(): void {
    this.cancelTimer?.();
    this.#reject(deletedMeanwhile(nameOf(this.#to), this.#runId));
  }

  abandoned(): void {
    this.cancelTimer?.();
    this.#reject(stillOpen(this.#to, null));
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
