// A step under way: waits for a place among the running steps, makes one attempt, and says what history shall say of it.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Event, StepAttemptFailed } from "../../sdk/protocol/event.ts";
import { CanceledFailure, toFailure } from "../../sdk/protocol/failures.ts";
import { encodePayload } from "../../sdk/protocol/payload.ts";
import { nextRetry } from "../../sdk/protocol/retry-policy.ts";
import type { PendingStep } from "../replay/pending.ts";
import type { LiveRun } from "./live-run.ts";
import { type AttemptEnd, StepAttempt } from "./step-attempt.ts";
import type { StepRunner } from "./step-runner.ts";

export interface StepExecution {
  start(): void;
  /** Tells the body to stop; its end is waited for. */
  abort(reason: Error): void;
  /** Tells the body to stop and forgets it: whatever it still does is not recorded. */
  discard(reason: Error): void;
}

export class RunningStep implements StepExecution {
  readonly #run: LiveRun;
  readonly #pending: PendingStep;
  readonly #runner: StepRunner;
  readonly #firstAttemptAt: number;
  readonly #attempt: StepAttempt;
  readonly #createdAt: number;
  #isDiscarded = false;

  constructor(run: LiveRun, pending: PendingStep, runner: StepRunner) {
    this.#run = run;
    this.#pending = pending;
    this.#runner = runner;
    const { storeClock, world } = runner;
    const now = storeClock.now();
    this.#createdAt = world.clock.monotonic();
    this.#firstAttemptAt = pending.firstAttemptAt ?? now;
    const { totalTimeoutMs } = pending.ask;
    this.#attempt = new StepAttempt({
      pending,
      run: run.facts,
      clock: world.clock,
      get log() {
        return runner.logFor(run, pending);
      },
      totalLeftMs: totalTimeoutMs === null ? null : Math.max(0, this.#firstAttemptAt + totalTimeoutMs - now),
      onHeartbeat: (details) => {
        const ageMs = world.clock.monotonic() - this.#createdAt;
        runner.keepHeartbeat(run, pending.command, this.#attempt.attempt, details, ageMs);
      },
    });
  }

  start(): void {
    this.#runner.places.enter(() => {
      if (this.#isDiscarded) return this.#runner.places.leave();
      void this.#make();
    });
  }

  abort(reason: Error): void {
    this.#attempt.abort(reason);
  }

  discard(reason: Error): void {
    this.#isDiscarded = true;
    this.#attempt.giveUp(reason);
  }

  async #make(): Promise<void> {
    try {
      if (this.#pending.ask.body.kind === "step") this.report(await this.#attempt.run());
      else await this.#runner.transact(this.#run, this.#pending, this.#attempt, this);
    } finally {
      this.#runner.places.leave();
    }
  }

  /** Tells the run how the attempt ended. One that ended because its worker stops says nothing of the step. */
  report(end: AttemptEnd): void {
    if (this.#isDiscarded) return;
    const { command, cancelRequested } = this.#pending;
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
    const { command, ask } = this.#pending;
    try {
      const result = encodePayload(value, `result of step "${ask.name}"`);
      const { attempt } = this.#attempt;
      return { type: "StepCompleted", command, name: ask.name, result, attempt, inputHash: ask.inputHash };
    } catch (error) {
      return this.#failed(error, false);
    }
  }

  #failed(error: unknown, wasAborted: boolean): Event {
    const { command, ask, cancelRequested } = this.#pending;
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
