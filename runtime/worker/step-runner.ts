// Executes steps for all live runs of a worker: places, heartbeats, logs, and the transactions of transaction steps.

import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { StepAttemptFailed } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { StepBody, StepTransaction } from "../../sdk/workflow/step.ts";
import type { PendingStep } from "../replay/pending.ts";
import type { ClaimedRun } from "../store/claims.ts";
import type { Transaction, WorkerStore } from "../store/store.ts";
import type { AppendTurn } from "../store/turns.ts";
import { pause } from "../world/pause.ts";
import type { Log, World } from "../world/world.ts";
import type { HeartbeatKeeper } from "./heartbeat-keeper.ts";
import { LeftBodies } from "./left-bodies.ts";
import type { LiveRun } from "./live-run.ts";
import { Outbox, type SentTurn } from "./outbox.ts";
import { Places } from "./places.ts";
import type { AttemptEnd, StepAttempt } from "./step-attempt.ts";
import { RunningStep, type StepExecution } from "./step-execution.ts";
import type { StoreClock } from "./store-clock.ts";

/** What is executed for an attempt of a step. */
export type BodyOf = (run: BodyOwner, pending: PendingStep) => StepBody;

export type BodyOwner = Pick<ClaimedRun, "runId" | "workflow">;

export interface StepRunnerOptions {
  readonly store: WorkerStore;
  readonly world: World;
  readonly storeClock: StoreClock;
  readonly heartbeats: HeartbeatKeeper;
  /** Step bodies under way at once; more wait in line. */
  readonly maxSteps: number;
  /** Default: the step's own body. Whatever it is, the attempt keeps its limits, its name and its place in the history. */
  readonly bodyOf?: BodyOf | undefined;
}

const BEGIN_AGAIN_AFTER_MS = 500;

/** The attempt ended without a turn to append: it failed, or the run is no longer ours. */
class AttemptOver extends Error {
  readonly end: AttemptEnd;

  constructor(end: AttemptEnd) {
    super("the attempt is over");
    this.end = end;
  }
}

export class StepRunner {
  readonly places: Places;
  readonly left = new LeftBodies();
  readonly world: World;
  readonly storeClock: StoreClock;
  readonly #options: StepRunnerOptions;

  constructor(options: StepRunnerOptions) {
    this.#options = options;
    this.places = new Places(options.maxSteps);
    this.world = options.world;
    this.storeClock = options.storeClock;
  }

  bodyOf(run: BodyOwner, pending: PendingStep): StepBody {
    return this.#options.bodyOf?.(run, pending) ?? pending.ask.body;
  }

  execution(run: LiveRun, pending: PendingStep): StepExecution {
    return new RunningStep(run, pending, this);
  }

  keepHeartbeat(run: LiveRun, command: number, attempt: number, details: Payload, ageMs: number): void {
    this.#options.heartbeats.keep(run, command, attempt, details, ageMs);
  }

  /** Writes now what steps said of their progress. Never rejects. */
  flushHeartbeats(): Promise<void> {
    return this.#options.heartbeats.flush();
  }

  noteRetry(run: LiveRun, { name, attempt, failure, delayMs }: StepAttemptFailed): void {
    const fields = { ...idsOf(run), step: name, attempt, delayMs: Math.round(delayMs), error: failure.message };
    this.world.log.warn(fields, "step attempt failed, will be tried again");
  }

  logFor(run: LiveRun, pending: PendingStep): WorkflowLog {
    return boundLog(this.world.log, () => ({
      ...idsOf(run),
      step: pending.ask.name,
      attempt: pending.failedAttempts + 1,
    }));
  }

  /**
   * A transaction step: its body and the append of its event in one transaction. The body runs before the run is kept
   * from other commits, so a slow body holds up nobody but itself.
   */
  async transact(run: LiveRun, pending: PendingStep, attempt: StepAttempt, step: RunningStep): Promise<void> {
    let sent: SentTurn | undefined;
    let hasBegun = false;
    let hasEntered = false;
    try {
      const { committed, at } = await this.#options.store.appendInTransaction(async (tx) => {
        hasBegun = true;
        const end = await attempt.run(narrow(tx));
        if (!end.ok) throw new AttemptOver(end);
        const event = step.completed(end.value);
        // A result that cannot be stored fails the step: its writes must not stay.
        if (event.type !== "StepCompleted")
          throw new AttemptOver({ ok: false, error: unstorable(event), wasAborted: false });
        await run.enterExclusive();
        hasEntered = true;
        if (!run.isOurs || step.isDiscarded)
          throw new AttemptOver({ ok: false, error: new Error("discarded"), wasAborted: false });
        const outbox = new Outbox();
        outbox.push({ event });
        sent = outbox.take(run.claim, run.head, this.world.chance.uuid(), null, 1);
        return sent.turn satisfies AppendTurn;
      });
      this.#options.storeClock.observe(at);
      const turn = sent as SentTurn | undefined;
      if (committed && turn !== undefined) return run.stepCommitted(pending.command, turn, at);
      run.lost();
    } catch (error) {
      // Postgres is away: no fault of the step's, and nothing of it has happened yet.
      if (!hasBegun && isEverstepError(error) && error.retryable && run.isOurs && !step.isDiscarded) {
        await pause(this.world.clock, BEGIN_AGAIN_AFTER_MS * (0.5 + this.world.chance.float()));
        return this.transact(run, pending, attempt, step);
      }
      if (error instanceof AttemptOver || sent === undefined || isEverstepError(error, "STORE_REJECTED")) {
        if (hasEntered) run.leaveExclusive();
        step.report(endOf(error));
        return;
      }
      // Rolled back before the commit, because the result could not be encoded: the step is made again, here or elsewhere.
      if (isEverstepError(error, "CODEC_FAILED")) {
        await pause(this.world.clock, BEGIN_AGAIN_AFTER_MS * (0.5 + this.world.chance.float()));
        return run.giveBack("the result of a transaction could not be encoded");
      }
      // The answer to COMMIT was lost. Giving the run back waits for the row lock the transaction may still hold, so
      // whoever claims the run next loads a history that has the event for good, or will never have it.
      run.giveBack("the answer to a transaction's commit was lost");
    }
  }
}

function narrow(tx: Transaction): StepTransaction {
  return { query: (text, values) => tx.query(text, values) as ReturnType<StepTransaction["query"]> } as StepTransaction;
}

function endOf(error: unknown): AttemptEnd {
  return error instanceof AttemptOver ? error.end : { ok: false, error, wasAborted: false };
}

function unstorable(event: object): EverstepError {
  const message = "failure" in event ? (event.failure as Failure).message : "the result cannot be stored";
  return new EverstepError("PAYLOAD_UNSERIALIZABLE", message);
}

function idsOf(run: LiveRun): Record<string, unknown> {
  return { workflowId: run.facts.workflowId, runId: run.runId, workflow: run.facts.workflow };
}

/** A log with fields of its own on every line. */
function boundLog(log: Log, bound: () => Record<string, unknown>): WorkflowLog {
  return {
    debug: (message, fields) => log.debug({ ...bound(), ...fields }, message),
    info: (message, fields) => log.info({ ...bound(), ...fields }, message),
    warn: (message, fields) => log.warn({ ...bound(), ...fields }, message),
    error: (message, fields) => log.error({ ...bound(), ...fields }, message),
  };
}
