// A step under way: waits for a place among the running steps, makes one attempt, and says what history shall say of it.

import type { Event } from "../../sdk/protocol/event.ts";
import { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { RunHeaders } from "../../sdk/protocol/headers.ts";
import { encodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { HANDED_OFF } from "../../sdk/workflow/deferred.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { StepBody } from "../../sdk/workflow/step.ts";
import type { PendingStep } from "../replay/pending.ts";
import { secretFrom, verifierOf } from "../service/step-token.ts";
import type { Clock } from "../world/world.ts";
import { attemptFailed } from "./failed-attempt.ts";
import type { LiveRun } from "./live-run.ts";
import { type AttemptEnd, type AttemptListener, type AttemptOptions, StepAttempt } from "./step-attempt.ts";
import type { StepRunner } from "./step-runner.ts";

export interface StepExecution {
  start(): void;
  /** Tells the body to stop; its end is waited for. */
  abort(reason: Error): void;
  /** Tells the body to stop and forgets it: whatever it still does is not recorded. */
  discard(reason: Error): void;
  /** Forgets the body without telling it: it goes on, and whatever it does is not recorded. */
  leave(): void;
}

/** Tells its attempt what it needs to know of step, run and world: no other object for that, there are very many. */
export class RunningStep implements StepExecution, AttemptOptions, AttemptListener {
  readonly pending: PendingStep;
  readonly body: StepBody;
  readonly totalLeftMs: number | null;
  readonly #run: LiveRun;
  readonly #runner: StepRunner;
  readonly #firstAttemptAt: number;
  readonly #attempt: StepAttempt;
  readonly #createdAt: number;
  #startedAt: number;
  #isDiscarded = false;
  #hasBegun = false;

  constructor(run: LiveRun, pending: PendingStep, runner: StepRunner) {
    this.pending = pending;
    this.body = runner.bodyOf(run.facts, pending);
    this.#run = run;
    this.#runner = runner;
    const { storeClock, world } = runner;
    const now = storeClock.now();
    this.#createdAt = world.clock.monotonic();
    this.#startedAt = now;
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

  newSecret(): string {
    return secretFrom(this.#runner.world.chance.uuid());
  }

  onHeartbeat(details: Payload): void {
    if (this.#isDiscarded) return;
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
    this.#hasBegun = true;
    this.#startedAt = this.#runner.storeClock.now();
    if (this.body.kind === "transaction") return void this.#transact().finally(() => places.leave());
    this.#attempt.start(this);
  }

  ended(end: AttemptEnd): void {
    this.report(end);
    this.#runner.places.leave();
  }

  abort(reason: Error): void {
    this.#attempt.abort(reason);
  }

  discard(reason: Error): void {
    this.#isDiscarded = true;
    this.#attempt.giveUp(reason);
  }

  leave(): void {
    // What it has written cannot stay: the event that would tell of it is not.
    if (this.body.kind === "transaction") return this.discard(new CanceledFailure("the run no longer waits for it"));
    this.#isDiscarded = true;
    if (this.#hasBegun) this.#runner.left.add(this);
  }

  #transact(): Promise<void> {
    return this.#runner.transact(this.#run, this.pending, this.#attempt, this);
  }

  /** Tells the run how the attempt ended. One that ended because its worker stops says nothing of the step. */
  report(end: AttemptEnd): void {
    if (this.#isDiscarded) return this.#runner.left.ended(this);
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
    if (!end.ok) return this.#failed(end.error, end.wasAborted);
    return end.value === HANDED_OFF ? this.#deferred() : this.completed(end.value);
  }

  /** The result, stored; or the failure of a result that cannot be. */
  completed(value: unknown): Event {
    const { command, ask } = this.pending;
    try {
      const result = encodePayload(value, `result of step "${ask.name}"`);
      const { attempt } = this.#attempt;
      const completed = {
        type: "StepCompleted",
        command,
        name: ask.name,
        result,
        attempt,
        inputHash: ask.inputHash,
      } as const;
      return ask.summary === undefined ? completed : { ...completed, summary: ask.summary };
    } catch (error) {
      return this.#failed(error, false);
    }
  }

  #deferred(): Event {
    const { command, ask } = this.pending;
    const { attempt, secret, heartbeat } = this.#attempt;
    return {
      type: "StepDeferred",
      command,
      name: ask.name,
      attempt,
      verifier: verifierOf(secret),
      startedAt: Math.round(this.#startedAt),
      firstAttemptAt: Math.round(this.#firstAttemptAt),
      heartbeat,
      inputHash: ask.inputHash,
    };
  }

  #failed(error: unknown, wasAborted: boolean): Event {
    const { cancelRequested } = this.pending;
    const isCancel = wasAborted && cancelRequested !== null;
    const { attempt, heartbeat } = this.#attempt;
    const event = attemptFailed({
      pending: this.pending,
      attempt,
      error: isCancel ? canceledBy(cancelRequested, error) : error,
      isFinal: isCancel,
      now: this.#runner.storeClock.now(),
      firstAttemptAt: this.#firstAttemptAt,
      heartbeat,
      chance: this.#runner.world.chance,
    });
    if (event.type === "StepAttemptFailed") this.#runner.noteRetry(this.#run, event);
    return event;
  }
}

function canceledBy(request: CanceledFailure, error: unknown): CanceledFailure {
  return error instanceof CanceledFailure ? error : new CanceledFailure(request.message, { cause: error });
}
