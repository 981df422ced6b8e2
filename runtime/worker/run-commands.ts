// What this process does about the commands of one run: the steps that it executes, the times that it waits for, the
// requests to other runs. Whatever comes of them is said once, and nothing more is decided of a command until that is
// committed.

import type {
  Event,
  StepAttemptFailed,
  StepCompleted,
  StepDeferred,
  StepFailed,
  StepReported,
  StepRetried,
  TimerFired,
  TimerSkipped,
  TimerStarted,
} from "../../sdk/protocol/event.ts";
import { CanceledFailure, TerminatedFailure, toFailure } from "../../sdk/protocol/failures.ts";
import { FewMap } from "../../sdk/workflow/few-map.ts";
import { summaryOf } from "../../sdk/workflow/run-context.ts";
import type {
  PendingChild,
  PendingCommand,
  PendingLock,
  PendingMessage,
  PendingStep,
  PendingTimer,
} from "../replay/pending.ts";
import type { ParkRequest } from "../store/claims.ts";
import { limitOf, timedOut } from "./deferred-step.ts";
import type { LiveRun } from "./live-run.ts";
import type { Outbox } from "./outbox.ts";
import { lockRelease, requestOf } from "./requests.ts";
import type { RunHost } from "./run-host.ts";
import { RunTimers } from "./run-timers.ts";
import { none, withOneMore } from "./short-list.ts";
import type { StepExecution } from "./step-execution.ts";

export class RunCommands {
  readonly #run: LiveRun;
  readonly #host: RunHost;
  readonly #outbox: Outbox;
  readonly #steps = new FewMap<number, StepExecution>();
  readonly #timers: RunTimers;
  /** Commands of which something is decided and not yet committed: nothing more may be decided until then. */
  readonly #decided = new FewMap<number, true>();
  // Timers and retries become due only by what is committed: their start, or the failed attempt before.
  #toArm: number[] = none();
  // A patch is decided when its mark is committed. Until then nothing that may hang on it has begun, and nobody is told of
  // it: whoever claims the run instead may go the other way. And nothing is undone before the history says so.
  #openMarks = 0;
  /** Steps that begin when what the code has seen and said is committed. */
  #held: number[] = none();
  #isHandingOver = false;
  #mustArmAll = false;

  constructor(run: LiveRun, host: RunHost, outbox: Outbox) {
    this.#run = run;
    this.#host = host;
    this.#outbox = outbox;
    this.#timers = new RunTimers(host);
  }

  /** Steps whose bodies are under way. */
  get stepsUnderWay(): number {
    return this.#steps.size;
  }

  /** When the earliest timer or retry of this run is due, by the store's clock. */
  get nextDueAt(): number | null {
    return this.#timers.next?.dueAt ?? null;
  }

  /** What wakes this run when it is parked: a time, and the timer that is due then, where it is one. */
  get nextWaking(): Pick<ParkRequest, "wakeAt" | "timer"> {
    const { next } = this.#timers;
    if (next === undefined) return { wakeAt: null, timer: null };
    const pending = this.#run.engine.pendingCommand(next.command);
    const timer = pending?.kind === "StartTimer" ? { command: pending.command, name: pending.name } : null;
    return { wakeAt: next.dueAt, timer };
  }

  /** Marks are on their way into the history. */
  get hasOpenMarks(): boolean {
    return this.#openMarks > 0;
  }

  /** Nothing new begins. */
  get isHandingOver(): boolean {
    return this.#isHandingOver;
  }

  // ---------------------------------------------------------------- as the code asks

  /** What a replayed run waits for goes on from where history has it. Of timers that fell due meanwhile the earliest fires first. */
  takeUpAll(): void {
    const timers: { readonly pending: PendingTimer; readonly fireAt: number }[] = [];
    for (const pending of this.#run.engine.pendingCommands()) {
      if (pending.kind !== "StartTimer" || pending.fireAt === null) this.#begin(pending);
      else timers.push({ pending, fireAt: pending.fireAt });
    }
    timers.sort((a, b) => a.fireAt - b.fireAt);
    for (const { pending, fireAt } of timers) this.#awaitTimer(pending, fireAt);
  }

  /** Marks go into the history before whatever hangs on them. */
  mark(): void {
    for (const mark of this.#run.engine.takeMarks()) {
      this.#openMarks++;
      this.#run.say({ event: mark });
    }
  }

  /** What the code asked for, took back or was told to cancel since the last look. */
  followChanges(): void {
    const changes = this.#run.engine.takeChanges();
    const [only] = changes;
    if (changes.length === 1 && only?.type === "asked") return this.#begin(only.pending);
    const withdrawn = new Set(changes.map((change) => (change.type === "withdrawn" ? change.pending : undefined)));
    for (const change of changes) {
      if (change.type === "entered") {
        this.#run.say({ event: change.entry });
        continue;
      }
      const { type, pending } = change;
      if (type === "withdrawn") this.#withdraw(pending);
      // Told to cancel, and answered by an event of the same turn: there is nothing left to decide.
      else if (withdrawn.has(pending) || this.#run.engine.pendingCommand(pending.command) !== pending) continue;
      else this.#begin(pending);
    }
  }

  #begin(pending: PendingCommand): void {
    if (pending.kind === "RunStep") this.#takeUp(pending);
    else if (pending.kind === "StartTimer") this.#startTimer(pending);
    else this.#request(pending);
  }

  /** Starts a step's next attempt, now or when it is due; or ends it when the run was canceled. */
  #takeUp(pending: PendingStep): void {
    const { command, nextAttemptAt, cancelRequested } = pending;
    const underWay = this.#steps.get(command);
    if (this.#decided.has(command)) return;
    if (cancelRequested !== null) {
      if (underWay !== undefined) return underWay.abort(cancelRequested);
      this.#timers.cancel(command);
      return this.push(stepFailed(pending, cancelRequested));
    }
    if (underWay !== undefined) return;
    if (pending.deferral !== null) return this.#awaitReport(pending);
    if (nextAttemptAt === null || this.#host.msUntil(nextAttemptAt) === 0) return this.#execute(pending);
    this.#timers.set(command, nextAttemptAt, () => this.#execute(pending));
  }

  #execute(pending: PendingStep): void {
    if (this.#isHandingOver) return;
    if (this.#openMarks > 0 || this.#run.isAhead) {
      this.#held = withOneMore(this.#held, pending.command);
      return;
    }
    this.#host.becameBusy(this.#run);
    const execution = this.#host.execute(this.#run, pending);
    this.#steps.set(pending.command, execution);
    execution.start();
  }

  /** Its body is not run again: what ends the attempt is mail, or the first of its limits. */
  #awaitReport(pending: PendingStep): void {
    const { command } = pending;
    this.#timers.cancel(command);
    const limit = limitOf(pending);
    if (limit === null) return;
    this.#timers.set(command, limit.atMs, () => {
      const now = { now: this.#host.storeNow(), chance: this.#host.chance };
      this.push(timedOut(pending, limit.failure(), now), limit.atMs);
    });
  }

  #startTimer(pending: PendingTimer): void {
    const { command, name, due } = pending;
    this.push({ type: "TimerStarted", command, name, due, ...summaryOf(pending) });
  }

  /** What the code holds no more. At the end of the run all of it goes, by the commit of the end itself. */
  letLocksGo(): void {
    const { locks, outcome } = this.#run.engine;
    if (locks === undefined || outcome !== undefined) return;
    for (const lock of locks.takeUntold()) this.#run.say(lockRelease(lock));
  }

  /** Asks for what is another run's, or shared with others; that it was asked for is in the history, and done after that. */
  #request(pending: PendingChild | PendingMessage | PendingLock): void {
    const isRequested =
      pending.kind === "StartChild" ? pending.childRunId !== null && !pending.isShared : pending.isRequested;
    const { headers, root } = this.#run.engine;
    if (!isRequested) this.#run.say(requestOf(pending, { ...this.#run.facts, headers, root }, this.#host));
  }

  #awaitTimer(pending: PendingTimer, fireAt: number): void {
    const fired: Event = { type: "TimerFired", command: pending.command, name: pending.name };
    this.#timers.set(pending.command, fireAt, () => this.push(fired, fireAt));
  }

  /** Waits for what has become due to be waited for. */
  arm(): void {
    if (this.#isHandingOver) return;
    if (this.#mustArmAll) this.#toArm = [...this.#run.engine.pendingCommands()].map(({ command }) => command);
    this.#mustArmAll = false;
    if (this.#toArm.length === 0) return;
    const commands = this.#toArm;
    this.#toArm = none();
    for (const command of commands) {
      const pending = this.#run.engine.pendingCommand(command);
      if (pending === undefined || this.#decided.has(command)) continue;
      const isDeferred = pending.kind === "RunStep" && pending.deferral !== null;
      // A heartbeat moves the limit of an attempt that waits.
      if (this.#timers.has(command) && !isDeferred) continue;
      if (pending.kind === "RunStep") this.#takeUp(pending);
      else if (pending.kind === "StartTimer" && pending.fireAt !== null) this.#awaitTimer(pending, pending.fireAt);
    }
  }

  #withdraw(pending: PendingCommand): void {
    const { command } = pending;
    this.#timers.cancel(command);
    this.#outbox.forget(command);
    this.#decided.delete(command);
    const execution = this.#steps.get(command);
    if (execution === undefined) return;
    this.#steps.delete(command);
    if (pending.kind === "RunStep" && pending.ask.onCancel === "abandon") return execution.leave();
    const { workflowId } = this.#run.facts;
    const why =
      this.#run.engine.outcome === undefined
        ? new CanceledFailure(`run ${workflowId} no longer waits for this step`)
        : new TerminatedFailure(`run ${workflowId} ended while this step was under way`);
    execution.discard(why);
  }

  // ---------------------------------------------------------------- as steps, mail and commits have it

  /** Says what has become of a command. */
  push(event: Event, notBefore?: number): void {
    if (isDecision(event)) this.#decided.set(event.command, true);
    this.#run.say(notBefore === undefined ? { event } : { event, notBefore });
  }

  /** A step is no longer under way. False when it was not. */
  left(command: number): boolean {
    return this.#steps.delete(command);
  }

  /** The command with this number, if it waits for its time here, and nothing is decided of it. */
  waitingForTime(command: number): PendingCommand | undefined {
    return this.#timers.has(command) ? this.#run.engine.pendingCommand(command) : undefined;
  }

  /** Mail ends an attempt or a wait: whatever else was about to end it comes after this. */
  endedByMail(event: Event): void {
    // What its time would have begun comes with the commit.
    if (event.type === "StepRetried") return this.#timers.cancel(event.command);
    if (!isDecision(event)) return;
    const { command } = event;
    this.#outbox.forget(command);
    this.#timers.cancel(command);
    this.#decided.set(command, true);
  }

  noteCommitted(event: Event): void {
    if (isToArm(event)) this.#toArm = withOneMore(this.#toArm, event.command);
    if (isDecision(event)) this.#decided.delete(event.command);
    if (event.type === "PatchMarked" || event.type === "CompensationBegun") this.#openMarks--;
  }

  /** Steps that waited for a commit begin after it, before those that were asked for later. */
  beginHeld(): void {
    if (this.#held.length === 0 || this.#openMarks > 0 || this.#run.isAhead) return;
    const held = this.#held;
    this.#held = none();
    for (const command of held) {
      const pending = this.#run.engine.pendingCommand(command);
      if (pending?.kind === "RunStep") this.#takeUp(pending);
    }
  }

  // ---------------------------------------------------------------- leaving

  /** No time passes until `release`. */
  hold(): void {
    this.#timers.hold();
  }

  release(): void {
    this.#timers.release();
  }

  /** Nothing new begins; steps under way go on. */
  handOver(): void {
    this.#isHandingOver = true;
    this.#timers.cancelAll();
  }

  /** All that was not begun meanwhile begins with the next `arm`. */
  carryOn(): void {
    this.#isHandingOver = false;
    this.#mustArmAll = true;
  }

  /** Tells steps under way to stop; they are waited for. */
  abort(reason: Error): void {
    for (const execution of this.#steps.values()) execution.abort(reason);
  }

  /** Forgets everything at once. */
  drop(explain: () => Error): void {
    this.#timers.cancelAll();
    if (this.#steps.size === 0) return;
    const reason = explain();
    for (const execution of this.#steps.values()) execution.discard(reason);
    this.#steps.clear();
  }
}

function stepFailed(pending: PendingStep, error: Error): Event {
  return {
    type: "StepFailed",
    command: pending.command,
    name: pending.ask.name,
    failure: toFailure(error),
    attempt: pending.deferral?.attempt ?? Math.max(1, pending.failedAttempts),
    inputHash: pending.ask.inputHash,
    ...summaryOf(pending.ask),
  };
}

/** After it there is something to wait for, or another time to wait until. */
function isToArm(event: Event): event is TimerStarted | StepAttemptFailed | StepDeferred | StepReported | StepRetried {
  return ARMING.has(event.type) && !(event.type === "StepReported" && event.report === "ignored");
}

const ARMING: ReadonlySet<Event["type"]> = new Set([
  "TimerStarted",
  "StepAttemptFailed",
  "StepDeferred",
  "StepReported",
  "StepRetried",
]);

type Deciding = StepCompleted | StepFailed | StepAttemptFailed | StepDeferred | TimerFired | TimerSkipped;

function isDecision(event: Event): event is Deciding {
  return DECISIONS.has(event.type);
}

const DECISIONS: ReadonlySet<Event["type"]> = new Set([
  "StepCompleted",
  "StepFailed",
  "StepAttemptFailed",
  "StepDeferred",
  "TimerFired",
  "TimerSkipped",
]);
