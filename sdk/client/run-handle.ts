// A run, seen from outside, with its types.

import { encodeChecked } from "../protocol/checked-payload.ts";
import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure, fromFailure, TerminatedFailure, TimeoutFailure } from "../protocol/failures.ts";
import type { HistoryFile } from "../protocol/history-file.ts";
import { decodePayload, encodePayload } from "../protocol/payload.ts";
import { assertVersion } from "../protocol/versions.ts";
import type { QueryDefinition } from "../workflow/query.ts";
import type { SignalDefinition } from "../workflow/signal.ts";
import type { StepDefinition } from "../workflow/step.ts";
import type { UpdateDefinition } from "../workflow/update.ts";
import type { AnyWorkflow } from "../workflow/workflow.ts";
import { type ActorOptions, actingAs } from "./acting.ts";
import type {
  Acting,
  ClosedRun,
  ForkCall,
  FrontDoor,
  QueriedRuns,
  RepairCall,
  RunDescription,
  RunReference,
  ShownEvent,
  SignalCall,
  StepReference,
  UpdateCall,
} from "./front-door.ts";
import { RunFailedError } from "./run-failed-error.ts";
import { completion, failing, heartbeat, type StepReportOptions } from "./step-reports.ts";
import { UpdateHandle, type UpdateWaitOptions } from "./update-handle.ts";

export interface SignalOptions {
  /** Sending again with the same id changes nothing. Default: a new random id for each call. */
  readonly signalId?: string;
}

export interface ResultOptions {
  /** How long to wait before giving up with RUN_STILL_OPEN. Default: for ever. */
  readonly timeout?: Duration;
  /** When the run continues as new or is tried again: wait for the result of the run that goes on in its place. Default true. */
  readonly followRuns?: boolean;
}

export interface QueryOptions {
  /** How long to wait for a worker's answer. Default 10 s. */
  readonly timeout?: Duration;
  /**
   * Rejects with QUERY_REJECTED, and asks nobody, unless the run is "open" (paused and blocked ones are), or has not ended in
   * another way than with a result ("openOrCompleted"), when the question is put. Default: closed runs are asked as well.
   */
  readonly onlyIf?: QueriedRuns;
}

export interface SendUpdateOptions extends UpdateWaitOptions {
  /**
   * Sending again with the same id, to the same run, changes nothing and gives the same answer. Default: a new random id
   * for each call.
   */
  readonly updateId?: string;
  /**
   * What the call waits for: that the update is "stored" (it will be looked at even if nothing runs now), "accepted", or
   * "completed" (the default).
   */
  readonly waitFor?: "stored" | "accepted" | "completed";
}

export interface RepairOptions extends ActorOptions {
  /** Asking again with the same id changes nothing and is no error. Default: a new random id for each call. */
  readonly requestId?: string;
}

export interface ResetOptions extends ActorOptions {
  /** The last event that is shared, by its number. Default: the last one; of a closed run the last one before its end. */
  readonly at?: number;
  /** Instead of the input that the run had. Only with `at: 1`. */
  readonly input?: unknown;
  /** Instead of what the step came to whose end is event `at`, be that a result or a failure. */
  readonly result?: unknown;
  /** What becomes of signals that came after the shared events: "keep" (default) delivers them again, "drop" does not. */
  readonly signals?: "keep" | "drop";
  /**
   * What becomes of a fork at a place after which a `saga` has begun to undo what the fork would count on: "refuse" (default)
   * throws ARGUMENT_INVALID, which names an event before it, "share" lets the fork count on it all the same.
   */
  readonly undone?: "refuse" | "share";
  /** The version whose code executes it; null for the workflow without a version. Default: that of the run. */
  readonly version?: string | null;
}

export interface ForkOptions extends ResetOptions {
  /** The fork's workflow id. Default: that of the run, which then must be closed. */
  readonly id?: string;
}

export type RetryFromOptions = Pick<ResetOptions, "signals" | "undone" | "actor">;

/** A step by its name or its definition. */
export type AnyStep = string | { readonly stepName: string };
/** What `retryFrom` goes back to: a step, or a child by its workflow or its workflow id. */
export type RetriedWork = AnyStep | AnyWorkflow;

/** An argument that may be left out when it may be undefined. */
export type WithInput<Input, Rest extends unknown[]> = undefined extends Input
  ? [input?: Input, ...rest: Rest]
  : [input: Input, ...rest: Rest];

/** What a handle is made for, and by whom. */
export interface HandledRun {
  readonly workflowId: string;
  readonly runId?: string | undefined;
  /** By the call that gives the handle: it is for this chain of runs. */
  readonly isStarted?: boolean;
  /** Who acts where a call does not say. */
  readonly actor?: string | undefined;
}

const DEFAULT_QUERY_TIMEOUT_MS = 10_000;

export class RunHandle<Result = unknown> {
  readonly #door: FrontDoor;
  readonly #reference: RunReference;
  readonly #actor: string | undefined;
  /** The caller's key. */
  readonly workflowId: string;
  /**
   * The run's own id; undefined for a handle by workflow id, which acts on the open run, else the latest. A handle from
   * a start acts on the latest of the runs that this one continued as, and never on another start of the workflow id.
   */
  readonly runId: string | undefined;

  /** Handles come from a `Client`. */
  constructor(door: FrontDoor, { workflowId, runId, isStarted = false, actor }: HandledRun) {
    this.#door = door;
    this.#actor = actor;
    this.#reference = runId === undefined ? { workflowId } : isStarted ? { chainOf: runId } : { runId };
    this.workflowId = workflowId;
    this.runId = runId;
  }

  /**
   * Waits for the run to close and gives its result; where it continued as new or was tried again, the result of the run
   * that came last.
   *
   * Throws `RunFailedError` (RUN_FAILED) when it ended otherwise, RUN_STILL_OPEN when the timeout passed, RUN_CONTINUED
   * when it continued as new or is tried again and `followRuns` is false, RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  result(options: ResultOptions = {}): Promise<Result> {
    try {
      const timeoutMs = options.timeout === undefined ? null : toMs(options.timeout, "result({ timeout })");
      const end = this.#door.outcome(this.#reference, timeoutMs, options.followRuns ?? true);
      // Not an async function: one that waits weighs as much as all else that waits for a run.
      return end.then((closed) => this.#resultOf(closed));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #resultOf(closed: ClosedRun): Result {
    const { status } = closed;
    if (status === "continuedAsNew") throw continuedError(this.workflowId, closed);
    if (status !== "completed") throw new RunFailedError(this.workflowId, status, causeOf(closed));
    return decodePayload(closed.result, `result of run ${this.workflowId}`) as Result;
  }

  /**
   * Sends a signal. Resolves when it is stored: it will be delivered exactly once, in order, even if nothing runs now.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  async signal<Payload>(
    signal: SignalDefinition<Payload, unknown>,
    ...[payload, options]: WithInput<Payload, [options?: SignalOptions]>
  ): Promise<void> {
    await this.#door.signal(this.#reference, signalCall(signal, payload as Payload, options?.signalId));
  }

  /**
   * Sends an update: a signal that is answered. It is stored first, so it survives the death of workers and clients, and
   * it is handled in order with signals. Resolves to what its handler returned, or to a handle when it waits for less.
   *
   * Throws UPDATE_REJECTED and UPDATE_UNKNOWN when the run did not take it, UPDATE_FAILED when its handler threw,
   * UPDATE_ABANDONED when the run closed before the handler ended, RUN_CLOSED when it closed before it came to the update,
   * UPDATE_TIMED_OUT, RUN_NOT_FOUND, ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  update<Result, Input>(
    update: UpdateDefinition<Result, Input, unknown, unknown>,
    ...[input, options]: WithInput<Input, [options?: SendUpdateOptions & { readonly waitFor?: "completed" }]>
  ): Promise<Result>;
  update<Result, Input>(
    update: UpdateDefinition<Result, Input, unknown, unknown>,
    input: Input,
    options: SendUpdateOptions & { readonly waitFor: "stored" | "accepted" },
  ): Promise<UpdateHandle<Result>>;
  async update<Result, Input>(
    update: UpdateDefinition<Result, Input, unknown, unknown>,
    input?: Input,
    options: SendUpdateOptions = {},
  ): Promise<Result | UpdateHandle<Result>> {
    const { waitFor = "completed", updateId, ...wait } = options;
    if (waitFor !== "stored" && waitFor !== "accepted" && waitFor !== "completed") {
      const message = `update({ waitFor }) is "stored", "accepted" or "completed"; got ${String(waitFor)}.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "waitFor" } });
    }
    const sent = await this.#door.sendUpdate(this.#reference, updateCall(update, input, updateId));
    const handle = new UpdateHandle<Result>(this.#door, sent);
    if (waitFor === "completed") return handle.result(wait);
    if (waitFor === "accepted") await handle.accepted(wait);
    return handle;
  }

  /** A handle to an update that was sent with this id. Asks nothing of the database yet. */
  getUpdate<Result, Input>(
    update: UpdateDefinition<Result, Input, unknown, unknown>,
    updateId: string,
  ): UpdateHandle<Result> {
    return new UpdateHandle<Result>(this.#door, { to: this.#reference, updateId, name: update.name, after: 0 });
  }

  /**
   * Asks the run. Works on open and on closed runs, as long as a worker that has the workflow is there to answer.
   *
   * Throws QUERY_UNKNOWN, QUERY_FAILED, QUERY_REJECTED, QUERY_TIMED_OUT, ARGUMENT_INVALID, WORKFLOW_UNKNOWN, DIVERGENCE, RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  async query<Answer, Input>(
    query: QueryDefinition<Answer, Input, unknown, unknown>,
    ...[input, options]: WithInput<Input, [options?: QueryOptions]>
  ): Promise<Answer> {
    const { timeout, onlyIf } = options ?? {};
    if (onlyIf !== undefined && onlyIf !== "open" && onlyIf !== "openOrCompleted") {
      const message = `query({ onlyIf }) is "open" or "openOrCompleted"; got ${String(onlyIf)}.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "onlyIf" } });
    }
    const timeoutMs = timeout === undefined ? DEFAULT_QUERY_TIMEOUT_MS : toMs(timeout, "query({ timeout })");
    const stored = encodeChecked(query.schema, input, `input of query "${query.name}"`);
    const answer = await this.#door.query(this.#reference, query.name, stored, timeoutMs, onlyIf);
    return decodePayload(answer, `answer of query "${query.name}"`) as Answer;
  }

  /**
   * Completes the step that waits for it, without its token, for whoever may act on the run: by its definition or its name, or
   * by the number of its command (see `describe`), where several of the name wait. With a definition the result has its type.
   *
   * Throws STEP_NOT_WAITING, ARGUMENT_INVALID when several steps of the name wait, RUN_NOT_FOUND, RUN_CLOSED,
   * PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  completeStep<Result>(
    step: StepDefinition<never, Result>,
    ...[result, options]: WithInput<NoInfer<Result>, [options?: StepReportOptions]>
  ): Promise<void>;
  completeStep(step: string | number, result?: unknown, options?: StepReportOptions): Promise<void>;
  async completeStep(step: AnyStep | number, result?: unknown, options?: StepReportOptions): Promise<void> {
    await this.#door.reportStep(this.#stepOf(step), { ...completion(result, options), ...this.#by(options) });
  }

  /**
   * Fails the attempt that waits, as if its body had thrown `error`; the retry policy says whether another follows.
   *
   * Throws like `completeStep`.
   */
  async failStep(step: AnyStep | number, error: unknown, options?: StepReportOptions): Promise<void> {
    await this.#door.reportStep(this.#stepOf(step), { ...failing(error, options), ...this.#by(options) });
  }

  /**
   * Says that whoever is to complete the step is at it; see `heartbeatStep` of the client.
   *
   * Throws like `completeStep`.
   */
  async heartbeatStep(step: AnyStep | number, details?: unknown, options: ActorOptions = {}): Promise<void> {
    await this.#door.reportStep(this.#stepOf(step), { ...heartbeat(details), ...this.#by(options) });
  }

  #by(options: ActorOptions = {}): Acting {
    return actingAs(options, this.#actor);
  }

  #stepOf(step: AnyStep | number): StepReference {
    return { to: this.#reference, step: typeof step === "number" ? step : stepNameOf(step) };
  }

  /**
   * Asks the run to stop: what it waits for rejects with `CanceledFailure`, and its code can clean up. Asking again
   * changes nothing. Resolves when the request is stored.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async cancel(reason = "canceled by the client", options: ActorOptions = {}): Promise<void> {
    await this.#door.cancel(this.#reference, reason, this.#by(options));
  }

  /**
   * Closes the run now; its code gets no chance to react. Steps under way are told to abort when their worker notices.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async terminate(reason = "terminated by the client", options: ActorOptions = {}): Promise<void> {
    await this.#door.terminate(this.#reference, reason, this.#by(options));
  }

  /**
   * Makes the run stand still: nobody claims it, and the worker that executes it lets go of it. Steps whose bodies are under
   * way may finish, and what they did is recorded; nothing else begins. Signals, updates and a cancel wait in the mailbox,
   * timers that fall due fire after `resume`; queries are answered; a run timeout goes on. Pausing a paused run changes
   * nothing. Resolves when the pause is stored: it survives every crash.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async pause(reason = "paused by the client", options: ActorOptions = {}): Promise<void> {
    await this.#door.pause(this.#reference, reason, this.#by(options));
  }

  /**
   * Lets a paused run go on. A run that is not paused stays as it is.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async resume(options: ActorOptions = {}): Promise<void> {
    await this.#door.resume(this.#reference, this.#by(options));
  }

  /**
   * Lets a blocked run be claimed again, whatever it was blocked for: the way to release a quarantined one when what ended
   * its workers is mended. A worker whose code does not fit blocks it again. A run that is not blocked stays as it is.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async unblock(options: ActorOptions = {}): Promise<void> {
    await this.#door.unblock(this.#reference, this.#by(options));
  }

  /**
   * Tries again at once what waits for its next attempt after a failure: the steps of a name, the one with a command's number
   * (see `describe`), or without either all of them. Attempts are counted on, and `maxAttempts` and `totalTimeout` hold as
   * ever. A paused run does it when it goes on. Resolves when the request is stored; what has become due by itself before the
   * run comes to it is left alone.
   *
   * Throws STEP_NOT_WAITING when nothing waits so, and nothing is stored then; ARGUMENT_INVALID, RUN_NOT_FOUND, RUN_CLOSED,
   * STORE_UNAVAILABLE.
   */
  async retryNow(step?: AnyStep | number, options: RepairOptions = {}): Promise<void> {
    const which = step === undefined ? null : typeof step === "number" ? step : stepNameOf(step);
    await this.#door.retryNow(this.#reference, this.#repair(which, options));
  }

  /**
   * Ends sleeps before their time: those of a name ("sleep", "setTimeout", "poll" and its name), or without one all of them. A
   * timer by its number (see `describe`) may also be the limit of another wait, which times out then. The history tells
   * that it was skipped; to the code it is as if its time had come. A paused run does it when it goes on. Resolves when the
   * request is stored; what has ended before the run comes to it is left alone.
   *
   * Throws TIMER_NOT_WAITING when nothing waits so, and nothing is stored then; ARGUMENT_INVALID, RUN_NOT_FOUND, RUN_CLOSED,
   * STORE_UNAVAILABLE.
   */
  async skipSleep(timer?: string | number, options: RepairOptions = {}): Promise<void> {
    await this.#door.skipSleep(this.#reference, this.#repair(timer ?? null, options));
  }

  #repair(which: RepairCall["which"], options: RepairOptions): RepairCall {
    return { which, requestId: options.requestId ?? null, ...this.#by(options) };
  }

  /**
   * Gives an open run to another version of its workflow: the worker that executes it lets go of it, and the next one that has
   * the version replays the history with its code and goes on. Code that does not fit blocks the run untouched, and it can be
   * moved back, or on. A blocked run is tried again; a paused one stays paused. Null: to the workflow without a version.
   * Moving a run to where it is changes nothing. Resolves when the move is stored.
   *
   * Throws VERSION_UNKNOWN when no worker ever had the version, ARGUMENT_INVALID, RUN_NOT_FOUND, RUN_CLOSED,
   * STORE_UNAVAILABLE.
   */
  async moveTo(version: string | null, options: ActorOptions = {}): Promise<void> {
    if (version !== null) assertVersion(version, "moveTo(version)");
    await this.#door.move(this.#reference, version, this.#by(options));
  }

  /**
   * Starts a run that shares the events of this one up to `at`, and goes its own way from there. Steps that ended by then are
   * not made again; timers keep the time at which they were due, so those that are past fire at once; chance is drawn anew.
   * This run stays as it is. Children that are under way at `at` stay this run's own: the fork waits for them, too, and leaves
   * them alone. Mail to other runs of which the events do not tell that it came is sent again, under the same id.
   *
   * Throws ARGUMENT_INVALID when the run cannot be forked there, RUN_ALREADY_STARTED when the id has an open run,
   * PAYLOAD_UNREADABLE when what it would share cannot be read with the codecs of this client, CODEC_FAILED when one of them
   * fails, VERSION_UNKNOWN, RUN_NOT_FOUND, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  fork(options: ForkOptions = {}): Promise<RunHandle<Result>> {
    return this.#fork(forkCall(options), options);
  }

  /**
   * Puts a fork in the place of this run, under its workflow id: in one transaction, this run is terminated if it is open,
   * and the fork begins. Children that are under way at `at` go on as the fork's own, and where this run is a child, its parent
   * waits for the fork.
   *
   * Throws like `fork`.
   */
  reset(options: ResetOptions = {}): Promise<RunHandle<Result>> {
    return this.#fork({ ...forkCall(options), replaces: true }, options);
  }

  /**
   * Makes a step again, or starts a child again, and all that came after its end: a `reset` to the moment before the last end
   * of the step or child with this name (of a child: its workflow's, or its workflow id) or definition, or without either of the one that
   * failed last. A step's attempts are counted from 1 again; a child is a new run under the same workflow id, if that allows it.
   *
   * Throws ARGUMENT_INVALID when there is none, as where the code itself failed, and like `fork`.
   */
  retryFrom(work?: RetriedWork, options: RetryFromOptions = {}): Promise<RunHandle<Result>> {
    return this.#fork(retryCall(work, options), options);
  }

  async #fork(call: ForkCall, options: ActorOptions): Promise<RunHandle<Result>> {
    const { workflowId, runId } = await this.#door.fork(this.#reference, { ...call, ...this.#by(options) });
    return new RunHandle<Result>(this.#door, { workflowId, runId, isStarted: true, actor: this.#actor });
  }

  /**
   * Status, pending steps with attempts and last error, timers, waits, and one sentence on why it is not moving.
   *
   * Throws RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  describe(): Promise<RunDescription> {
    return this.#door.describe(this.#reference);
  }

  /**
   * The run's events from the first, read page by page. Payloads are in stored form.
   *
   * Throws RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  history(): AsyncIterable<ShownEvent> {
    return this.#door.history(this.#reference);
  }

  /**
   * The whole history as plain data, in a form that any later release reads: to be kept as JSON, and given to
   * `replayHistory`. Of an open run it is what there is by now, with the mail that the run had not taken.
   *
   * Throws RUN_NOT_FOUND, STORE_UNAVAILABLE, CODEC_FAILED, and PAYLOAD_UNREADABLE where codecs of the client are missing.
   */
  export(): Promise<HistoryFile> {
    return this.#door.exportRun(this.#reference);
  }
}

/** A signal in stored form. Throws ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
export function signalCall<Payload>(
  signal: SignalDefinition<Payload, unknown>,
  payload: Payload | undefined,
  signalId: string | undefined,
): SignalCall {
  const { name, schema } = signal;
  return { signalId: signalId ?? null, name, payload: encodeChecked(schema, payload, `payload of signal "${name}"`) };
}

/** An update in stored form. Throws ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
export function updateCall<Result, Input>(
  update: UpdateDefinition<Result, Input, unknown, unknown>,
  input: Input | undefined,
  updateId: string | undefined,
): UpdateCall {
  const { name } = update;
  return { updateId: updateId ?? null, name, input: encodeChecked(update.schema, input, `input of update "${name}"`) };
}

/** A fork in stored form. Throws ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
export function forkCall(options: ForkOptions): ForkCall {
  const { at = null, id = null, signals = "keep", undone = "refuse", version } = options;
  if (version != null) assertVersion(version, "fork({ version })");
  if (signals !== "keep" && signals !== "drop") {
    const message = `fork({ signals }) is "keep" or "drop"; got ${String(signals)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "signals" } });
  }
  if (undone !== "refuse" && undone !== "share") {
    const message = `fork({ undone }) is "refuse" or "share"; got ${String(undone)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "undone" } });
  }
  const stored = (name: "input" | "result") =>
    name in options ? { payload: encodePayload(options[name], `fork({ ${name} })`) } : null;
  return {
    at,
    beforeStep: null,
    workflowId: id,
    input: stored("input"),
    result: stored("result"),
    keepsSignals: signals === "keep",
    ...(undone === "share" ? { sharesUndone: true } : {}),
    ...(version === undefined ? {} : { version }),
    replaces: false,
    bulkId: null,
  };
}

/** A reset to before the end of a step or child, in stored form. */
export function retryCall(work: RetriedWork | undefined, options: RetryFromOptions): ForkCall {
  return { ...forkCall(options), replaces: true, beforeStep: { name: work === undefined ? null : nameOf(work) } };
}

function nameOf(work: RetriedWork): string {
  return typeof work === "string" || "stepName" in work ? stepNameOf(work) : work.name;
}

export function stepNameOf(step: AnyStep): string {
  return typeof step === "string" ? step : step.stepName;
}

/** `cause`: how it failed, where it is tried again. */
function continuedError(workflowId: string, { runId, nextRunId, failure }: ClosedRun): EverstepError {
  const what = failure === null ? "continued as a new run" : "failed and is tried again as a new run";
  const message = `Run ${workflowId} (run id ${runId}) ${what} (run id ${nextRunId}) and has no result of its own. Ask that one, or let result() follow.`;
  const cause = failure === null ? {} : { cause: fromFailure(failure) };
  return new EverstepError("RUN_CONTINUED", message, { ...cause, details: { workflowId, runId, nextRunId } });
}

function causeOf(closed: ClosedRun): Error {
  if (closed.failure !== null) return fromFailure(closed.failure);
  switch (closed.status) {
    case "terminated":
      return new TerminatedFailure("the run was terminated");
    case "timedOut":
      return new TimeoutFailure("run", "the run was open longer than its timeout");
    default:
      return new CanceledFailure("the run was canceled");
  }
}
