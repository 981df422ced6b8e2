// A step under way: waits for a place among the running steps, makes one attempt, and says what history shall say of it.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Event, StepAttemptFailed } from "../../sdk/protocol/event.ts";
import { CanceledFailure, toFailure } from "../../sdk/protocol/failures.ts";
import type { RunHeaders } from "../../sdk/protocol/headers.ts";
import { encodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { nextRetry } from "../../sdk/protocol/retry-policy.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { StepBody } from "../../sdk/workflow/step.ts";
import type { PendingStep } from "../replay/pending.ts";
import type { Clock } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";
import { type AttemptEnd, type AttemptOptions, StepAttempt } from "./step-attempt.ts";
import type { StepRunner } from "./step-runner.ts";

export interface StepExecution {
  start(): void;
  /** Tells the body to stop; its end is waited for. */
  abort(reason: Error): void;
  /** Tells the body to stop and forgets it: whatever it still does is not recorded. */
  discard(reason: Error): void;
}

/** Tells its attempt what it needs to know of step, run and world: no other object for that, there are very many. */
export class RunningStep implements StepExecution, AttemptOptions {
  readonly pending: PendingStep;
  readonly body: StepBody;
  readonly totalLeftMs: number | null;
  readonly #run: LiveRun;
  readonly #runner: StepRunner;
  readonly #firstAttemptAt: number;
  readonly #attempt: StepAttempt;
  readonly #createdAt: number;
  #isDiscarded = false;

  constructor(run: LiveRun, pending: PendingStep, runner: StepRunner) {
    this.pending = pending;
    this.body = runner.bodyOf(run.facts, pending);
    this.#run = run;
    this.#runner = runner;
    const { storeClock, world } = runner;
    const now = storeClock.now();
    this.#createdAt = world.clock.monotonic();
    this.#firstAttemptAt = pending.firstAttemptAt ?? now;
    const { totalTimeoutMs } = pending.ask;
    this.totalLeftMs = totalTimeoutMs === null ? null : Math.max(0, this.#firstAttemptAt + totalTimeoutMs - now);
    this.#attempt = new StepAttempt(this);
  }

  get run(): LiveRun["facts"] {
    return this.#run.facts;
  }

  get headers(): RunHeaders {
    return this.#run.engine.headers;
  }

  get clock(): Clock {
    return this.#runner.world.clock;
  }

  get log(): WorkflowLog {
    return this.#runner.logFor(this.#run, this.pending);
  }

  onHeartbeat(details: Payload): void {
    const ageMs = this.clock.monotonic() - this.#createdAt;
    this.#runner.keepHeartbeat(this.#run, this.pending.command, this.#attempt.attempt, details, ageMs);
  }

  start(): void {
    this.#runner.places.enter(this);
  }

  /** There is a place for it now. */
  begin(): void {
    const { places } = this.#runner;
    if (this.#isDiscarded) return places.leave();
    if (this.body.kind === "transaction") return void this.#transact().finally(() => places.leave());
    this.#attempt.start((end) => {
      this.report(end);
      places.leave();
    });
  }

  abort(reason: Error): void {
    this.#attempt.abort(reason);
  }

  discard(reason: Error): void {
    this.#isDiscarded = true;
    this.#attempt.giveUp(reason);
  }

  #transact(): Promise<void> {
    return this.#runner.transact(this.#run, this.pending, this.#attempt, this);
  }

  /** Tells the run how the attempt ended. One that ended because its worker stops says nothing of the step. */
  report(end: AttemptEnd): void {
    if (this.#isDiscarded) return;
    const { command, cancelRequested } = this.pending;
    if (end.ok || !end.wasAborted || cancelRequested !== null) return this.#run.stepEnded(command, this.#eventOf(end));
    // Whoever makes the attempt again begins where its last heartbeat was.
    void this.#runner.flushHeartbeats().then(() => this.#run.stepHandedOver(command));
  }

  get isDiscarded(): boolean {
    return this.#isDiscarded;
  }

  /** What history says of the attempt. */
  #eventOf(end: AttemptEnd): Event {
    return end.ok ? this.completed(end.value) : this.#failed(end.error, end.wasAborted);
  }

  /** The result, stored; or the failure of a result that cannot be. */
  completed(value: unknown): Event {
    const { command, ask } = this.pending;
    try {
      const result = encodePayload(value, `result of step "${ask.name}"`);
      const { attempt } = this.#attempt;
      return { type: "StepCompleted", command, name: ask.name, result, attempt, inputHash: ask.inputHash };
    } catch (error) {
      return this.#failed(error, false);
    }
  }

  #failed(error: unknown, wasAborted: boolean): Event {
    const { command, ask, cancelRequested } = this.pending;
    const { attempt } = this.#attempt;
    const { storeClock, world } = this.#runner;
    const isCancel = wasAborted && cancelRequested !== null;
    const failure = toFailure(isCancel ? canceledBy(cancelRequested, error) : error);
    const base = { command, name: ask.name, failure, attempt };
    const elapsedMs = storeClock.now() - this.#firstAttemptAt;
    const verdict =
      isCancel || (isEverstepError(error) && !error.retryable)
        ? { stop: "not retryable" }
        : nextRetry({
            policy: ask.retry,
            attempt,
            failure,
            error,
            random: () => world.chance.float(),
            elapsedMs,
            totalTimeoutMs: ask.totalTimeoutMs,
          });
    if ("stop" in verdict) return { type: "StepFailed", ...base, inputHash: ask.inputHash };
    this.#runner.noteRetry(this.#run, base, verdict.delayMs);
    const { heartbeat } = this.#attempt;
    const firstAttemptAt = Math.round(this.#firstAttemptAt);
    const failed: StepAttemptFailed = {
      type: "StepAttemptFailed",
      ...base,
      delayMs: verdict.delayMs,
      firstAttemptAt,
      heartbeat,
    };
    return failed;
  }
}

function canceledBy(request: CanceledFailure, error: unknown): CanceledFailure {
  return error instanceof CanceledFailure ? error : new CanceledFailure(request.message, { cause: error });
}
