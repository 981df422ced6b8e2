// A run, seen from outside, with its types.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure, fromFailure, TerminatedFailure, TimeoutFailure } from "../protocol/failures.ts";
import { decodePayload, encodePayload } from "../protocol/payload.ts";
import type { QueryDefinition } from "../workflow/query.ts";
import type { SignalDefinition } from "../workflow/signal.ts";
import type { ClosedRun, FrontDoor, RunDescription, RunReference, ShownEvent } from "./front-door.ts";
import { RunFailedError } from "./run-failed-error.ts";

export interface SignalOptions {
  /** Sending again with the same id changes nothing. Default: a new random id for each call. */
  readonly signalId?: string;
}

export interface ResultOptions {
  /** How long to wait before giving up with RUN_STILL_OPEN. Default: for ever. */
  readonly timeout?: Duration;
  /** When the run continues as new: wait for the result of the run that goes on in its place. Default true. */
  readonly followRuns?: boolean;
}

export interface QueryOptions {
  /** How long to wait for a worker's answer. Default 10 s. */
  readonly timeout?: Duration;
}

type WithInput<Input, Rest extends unknown[]> = undefined extends Input
  ? [input?: Input, ...rest: Rest]
  : [input: Input, ...rest: Rest];

const DEFAULT_QUERY_TIMEOUT_MS = 10_000;

export class RunHandle<Result = unknown> {
  readonly #door: FrontDoor;
  readonly #reference: RunReference;
  /** The caller's key. */
  readonly workflowId: string;
  /**
   * The run's own id; undefined for a handle by workflow id, which acts on the open run, else the latest. A handle from
   * a start acts on the latest of the runs that this one continued as, and never on another start of the workflow id.
   */
  readonly runId: string | undefined;

  /** Handles come from a `Client`. */
  constructor(door: FrontDoor, workflowId: string, runId: string | undefined, isStarted = false) {
    this.#door = door;
    this.#reference = runId === undefined ? { workflowId } : isStarted ? { chainOf: runId } : { runId };
    this.workflowId = workflowId;
    this.runId = runId;
  }

  /**
   * Waits for the run to close and gives its result; where it continued as new, the result of the run that came last.
   *
   * Throws `RunFailedError` (RUN_FAILED) when it ended otherwise, RUN_STILL_OPEN when the timeout passed, RUN_CONTINUED
   * when it continued as new and `followRuns` is false, RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  async result(options: ResultOptions = {}): Promise<Result> {
    const timeoutMs = options.timeout === undefined ? null : toMs(options.timeout, "result({ timeout })");
    const closed = await this.#door.outcome(this.#reference, timeoutMs, options.followRuns ?? true);
    const { status } = closed;
    if (status === "continuedAsNew") throw continuedError(this.workflowId, closed);
    if (status !== "completed") throw new RunFailedError(this.workflowId, status, causeOf(closed));
    return decodePayload(closed.result, `result of run ${this.workflowId}`) as Result;
  }

  /**
   * Sends a signal. Resolves when it is stored: it will be delivered exactly once, in order, even if nothing runs now.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  async signal<Payload>(
    signal: SignalDefinition<Payload>,
    ...[payload, options]: WithInput<Payload, [options?: SignalOptions]>
  ): Promise<void> {
    await this.#door.signal(this.#reference, {
      signalId: options?.signalId ?? null,
      name: signal.name,
      payload: encodePayload(payload, `payload of signal "${signal.name}"`),
    });
  }

  /**
   * Asks the run. Works on open and on closed runs, as long as a worker that has the workflow is there to answer.
   *
   * Throws QUERY_UNKNOWN, QUERY_FAILED, QUERY_TIMED_OUT, WORKFLOW_UNKNOWN, DIVERGENCE, RUN_NOT_FOUND, STORE_UNAVAILABLE.
   */
  async query<Answer, Input>(
    query: QueryDefinition<Answer, Input>,
    ...[input, options]: WithInput<Input, [options?: QueryOptions]>
  ): Promise<Answer> {
    const timeout = options?.timeout;
    const timeoutMs = timeout === undefined ? DEFAULT_QUERY_TIMEOUT_MS : toMs(timeout, "query({ timeout })");
    const stored = encodePayload(input, `input of query "${query.name}"`);
    const answer = await this.#door.query(this.#reference, query.name, stored, timeoutMs);
    return decodePayload(answer, `answer of query "${query.name}"`) as Answer;
  }

  /**
   * Asks the run to stop: what it waits for rejects with `CanceledFailure`, and its code can clean up. Asking again
   * changes nothing. Resolves when the request is stored.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async cancel(reason = "canceled by the client"): Promise<void> {
    await this.#door.cancel(this.#reference, reason);
  }

  /**
   * Closes the run now; its code gets no chance to react. Steps under way are told to abort when their worker notices.
   *
   * Throws RUN_NOT_FOUND, RUN_CLOSED, STORE_UNAVAILABLE.
   */
  async terminate(reason = "terminated by the client"): Promise<void> {
    await this.#door.terminate(this.#reference, reason);
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
}

function continuedError(workflowId: string, { runId, nextRunId }: ClosedRun): EverstepError {
  const message = `Run ${workflowId} (run id ${runId}) continued as a new run (run id ${nextRunId}) and has no result of its own. Ask that one, or let result() follow.`;
  return new EverstepError("RUN_CONTINUED", message, { details: { workflowId, runId, nextRunId } });
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
