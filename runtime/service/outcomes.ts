// How runs ended, for callers who wait for it: along the chain of runs that continued as new, where the caller follows it.

import type { ClosedRun, RunReference } from "../../sdk/client/front-door.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import { timeOfId } from "../world/run-id.ts";
import type { CancelTimer } from "../world/world.ts";
import { Batcher } from "./batcher.ts";
import type { Desk } from "./desk.ts";
import type { LocalWorkers } from "./local-workers.ts";
import { type OutcomeCaller, OutcomeWaiter, type StoredOutcome } from "./outcome-waiter.ts";
import { deletedMeanwhile, nameOf, notFound, notKept } from "./run-errors.ts";

const FRESH_MS = 10_000;
const RUNS_PER_BATCH = 1_000;

/** What a caller waits for. */
interface Wait {
  readonly to: RunReference;
  readonly timeoutMs: number | null;
  /** Goes on to the run that takes the place of one that closed. */
  readonly follows: boolean;
  readonly startedAt: number;
  // The caller's own, along the whole chain: a promise for each run of it would be kept by the one before, for as long as
  // runs continue as new.
  readonly resolve: (closed: ClosedRun) => void;
  readonly reject: (error: unknown) => void;
}

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

  /** What waits here weighs as little as it can: one for each run that somebody waits for. */
  outcome(to: RunReference, timeoutMs: number | null, follows: boolean): Promise<ClosedRun> {
    return new Promise((resolve, reject) => {
      const wait: Wait = { to, timeoutMs, follows, startedAt: this.#desk.world.clock.monotonic(), resolve, reject };
      if ("chainOf" in to && this.#isFresh(to.chainOf)) this.#await(wait, to.chainOf);
      else
        this.#firstToAwait(to)
          .then((runId) => this.#await(wait, runId))
          .catch(reject);
    });
  }

  #await(wait: Wait, runId: string): void {
    const { to, timeoutMs, startedAt, reject } = wait;
    const caller = new Caller(to, runId, (stored) => this.#closed(wait, runId, stored), reject);
    this.#waiter.wait(runId, caller);
    if (timeoutMs === null) return;
    const { clock } = this.#desk.world;
    caller.cancelTimer = clock.setTimer(Math.max(0, timeoutMs - (clock.monotonic() - startedAt)), () => {
      this.#waiter.leave(runId, caller);
      reject(stillOpen(to, timeoutMs));
    });
  }

  #closed(wait: Wait, runId: string, { status, event }: StoredOutcome): void {
    const { codecs } = this.#desk;
    if (codecs === undefined) return this.#goOn(wait, closedRunOf(runId, status, event));
    this.#desk
      .insist(() => codecs.decodeEvent(runId, event))
      .then((decoded) => this.#goOn(wait, closedRunOf(runId, status, decoded)))
      .catch(wait.reject);
  }

  /** Answers, or waits for the run that goes on in the place of this one. */
  #goOn(wait: Wait, closed: ClosedRun): void {
    const { nextRunId } = closed;
    if (nextRunId === null || !wait.follows) return wait.resolve(closed);
    if (this.#isFresh(nextRunId)) return this.#await(wait, nextRunId);
    this.#existence
      .ask(nextRunId)
      .then((isThere) => {
        if (!isThere) throw notKept(nameOf(wait.to), nextRunId);
        this.#await(wait, nextRunId);
      })
      .catch(wait.reject);
  }

  close(): void {
    this.#waiter.close();
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
}

class Caller implements OutcomeCaller {
  readonly #to: RunReference;
  readonly #runId: string;
  readonly #end: (outcome: StoredOutcome) => void;
  readonly #reject: (error: unknown) => void;
  cancelTimer: CancelTimer | undefined;

  constructor(
    to: RunReference,
    runId: string,
    end: (outcome: StoredOutcome) => void,
    reject: (error: unknown) => void,
  ) {
    this.#to = to;
    this.#runId = runId;
    this.#end = end;
    this.#reject = reject;
  }

  closed(outcome: StoredOutcome): void {
    this.cancelTimer?.();
    try {
      this.#end(outcome);
    } catch (error) {
      this.#reject(error);
    }
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

function closedRunOf(runId: string, status: ClosedStatus, stored: StoredEvent): ClosedRun {
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
