// The one place where workflow code touches the world.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import { assertName } from "../protocol/names.ts";
import { cutSummary } from "../protocol/notes.ts";
import { encodePayload, hashPayload } from "../protocol/payload.ts";
import { normalizeRetry, type RetryOptions, type RetryPolicy } from "../protocol/retry-policy.ts";
import { requireRun } from "./ambient.ts";
import type { Deferred } from "./deferred.ts";
import type { WorkflowLog } from "./log.ts";
import type { StepAsk } from "./run-context.ts";

/** What a step's function gets. */
export interface StepContext {
  readonly workflowId: string;
  readonly runId: string;
  /** 1 for the first attempt. Losing a worker does not use one up. */
  readonly attempt: number;
  /** The same on every attempt of this step of this run, and nowhere else: hand it to whoever can deduplicate by it. */
  readonly idempotencyKey: string;
  /** Aborts when the attempt times out, the run or the step's scope is canceled, or this worker no longer owns the run. */
  readonly signal: AbortSignal;
  /**
   * Says that the attempt is alive, and keeps `details` (storable) for the next attempt, wherever it runs. Cheap: call
   * it as often as there is progress; it is written at most every few seconds.
   */
  heartbeat(details?: unknown): void;
  /** The details of the last heartbeat of an earlier attempt; undefined when there was none. */
  readonly lastHeartbeat: unknown;
  /**
   * By which this attempt is completed from outside once it has handed off: text that fits into a link, for whoever is to
   * complete it. Another one on every attempt, and when the body runs again because its worker was lost.
   */
  readonly token: string;
  /**
   * `return context.completeLater()` hands off: the body is done, and the step has its result when somebody completes it,
   * by its token (`client.completeStep`) or by its name (`run.completeStep`). Until then nothing of the run needs to be in
   * memory; timeouts, retries and cancellation hold as ever. An attempt that calls it and returns something else fails.
   *
   * Throws ARGUMENT_INVALID in a transaction.
   */
  completeLater<Result>(): Deferred<Result>;
  /** What the run was started with: see `workflowInfo().headers`. */
  readonly headers: RunHeaders;
  readonly log: WorkflowLog;
}

export interface StepOptions {
  /** When and how often to try again. Default: exponential from 1 s, doubling, at most 100 s, with jitter, for ever. */
  readonly retry?: RetryOptions;
  /** For one attempt, handed off or not. When it passes, the attempt's signal aborts and the attempt counts as failed. Default none. */
  readonly timeout?: Duration;
  /** For all attempts together, pauses included; never retried once passed. Default none. */
  readonly totalTimeout?: Duration;
  /** The longest silence between two heartbeats (or from the start to the first). Default none. */
  readonly heartbeatTimeout?: Duration;
  /**
   * When the run or the step's scope is canceled while it is under way: its signal aborts, and the workflow goes on when the
   * step has ended ("wait", the default: the code then knows whether the effect happened) or at once ("try"); or the workflow
   * goes on at once and the body is not told ("abandon"): it goes on to its end, its time limits or that of its worker, and
   * what it comes to is recorded nowhere. A transaction that is abandoned is rolled back.
   */
  readonly onCancel?: "wait" | "try" | "abandon";
  /**
   * For people: what this step is about, such as "charge ann's card", shown by `describe` while it is under way and in the
   * history once it has ended. Kept in clear, not compared at replay, and cut at 400 bytes. An empty one is none. Default: none.
   */
  readonly summary?: string | undefined;
}

/** What the transaction of a `transaction` step can do: run statements. A `pg` client's `query`, narrowed. */
export interface StepTransaction {
  query<Row = Record<string, unknown>>(
    text: string,
    values?: readonly unknown[],
  ): Promise<{ rows: Row[]; rowCount: number | null }>;
}

export type StepBody =
  | {
      readonly kind: "step";
      readonly run: (context: StepContext) => unknown;
      /** What a defined step was called with; inline ones close over theirs. */
      readonly input?: unknown;
    }
  | { readonly kind: "transaction"; readonly run: (tx: StepTransaction, context: StepContext) => unknown };

/**
 * Executes `run` outside the workflow and records how it ended: on replay the recorded outcome is given again and `run`
 * is not called. It is called at least once; again after a failed attempt, or when the worker died before the result
 * was committed. The result must be storable (see the payload rules).
 *
 * Rejects with `StepFailure` (its `cause` is what the last attempt threw) when the attempts are used up or the failure
 * cannot be retried, and with `CanceledFailure` when the run or its scope is canceled. Throws ARGUMENT_INVALID,
 * OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY.
 */
export function step<Result>(
  name: string,
  run: (context: StepContext) => Result | Deferred<Result> | Promise<Result | Deferred<Result>>,
  options?: StepOptions,
): Promise<Result> {
  return ask(name, { kind: "step", run }, null, options) as Promise<Result>;
}

/**
 * A step whose writes commit in the same Postgres transaction as its event: its effect happens exactly once. `run` is
 * given the open transaction of Everstep's own database; it is rolled back when `run` throws, when the attempt times
 * out, or when this worker lost the run. Keep it short: it holds a connection and its row locks.
 *
 * Rejects and throws like `step`; TRANSACTION_UNSUPPORTED on a store that has no transactions.
 */
export function transaction<Result>(
  name: string,
  run: (tx: StepTransaction, context: StepContext) => Result | Promise<Result>,
  options?: StepOptions,
): Promise<Result> {
  return ask(name, { kind: "transaction", run }, null, options) as Promise<Result>;
}

/** A named, reusable step: call it with its input, and with options that override the defined ones. */
export interface StepDefinition<Input, Result> {
  (input: Input, options?: StepOptions): Promise<Result>;
  readonly stepName: string;
}

/**
 * Defines a step once, to be called from many places. Its input must be storable: a hash of it is recorded, so that a
 * replay with another input is found out as a divergence.
 *
 * Throws ARGUMENT_INVALID here, and what `step` throws when it is called.
 */
export function defineStep<Input, Result>(
  name: string,
  run: (input: Input, context: StepContext) => Result | Deferred<Result> | Promise<Result | Deferred<Result>>,
  defaults: StepOptions = {},
): StepDefinition<Input, Result> {
  assertName(name, "defineStep(name)");
  normalizeStep(name, defaults);
  const call = (input: Input, options?: StepOptions): Promise<Result> => {
    const inputHash = hashPayload(encodePayload(input, `input of step "${name}"`));
    const body: StepBody = { kind: "step", run: (context) => run(input, context), input };
    return ask(
      name,
      body,
      inputHash,
      options === undefined ? defaults : { ...defaults, ...options },
    ) as Promise<Result>;
  };
  return Object.assign(call, { stepName: name });
}

function ask(name: string, body: StepBody, inputHash: string | null, options?: StepOptions): Promise<unknown> {
  const { run, scope } = requireRun(`step "${name}"`);
  assertName(name, "step(name)");
  if (typeof body.run !== "function") {
    const message = `step "${name}" takes a function as its second argument; got ${typeof body.run}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "run", step: name } });
  }
  const { retry, timeoutMs, totalTimeoutMs, heartbeatTimeoutMs, onCancel, summary } =
    options === undefined ? PLAIN : normalizeStep(name, options);
  const ask: StepAsk = { name, body, inputHash, retry, timeoutMs, totalTimeoutMs, heartbeatTimeoutMs, onCancel };
  return run.askStep(summary === undefined ? ask : { ...ask, summary }, scope);
}

/** With the options that are given in place of those that it has. Throws ARGUMENT_INVALID. */
export function changedStep(ask: StepAsk, options: StepOptions): StepAsk {
  const changed = normalizeStep(ask.name, options);
  return {
    ...ask,
    retry: options.retry === undefined ? ask.retry : changed.retry,
    timeoutMs: changed.timeoutMs ?? ask.timeoutMs,
    totalTimeoutMs: changed.totalTimeoutMs ?? ask.totalTimeoutMs,
    heartbeatTimeoutMs: changed.heartbeatTimeoutMs ?? ask.heartbeatTimeoutMs,
    onCancel: options.onCancel === undefined ? ask.onCancel : changed.onCancel,
    summary: changed.summary ?? ask.summary,
  };
}

type StepSettings = Omit<StepAsk, "name" | "body" | "inputHash">;

const DEFAULT_RETRY: RetryPolicy = normalizeRetry({}, "step");

const PLAIN: StepSettings = {
  retry: DEFAULT_RETRY,
  timeoutMs: null,
  totalTimeoutMs: null,
  heartbeatTimeoutMs: null,
  onCancel: "wait",
};

function normalizeStep(name: string, options: StepOptions): StepSettings {
  const limit = (value: Duration | undefined, which: string) => {
    if (value === undefined) return null;
    const ms = toMs(value, `step "${name}", ${which}`);
    if (ms > 0) return ms;
    throw new EverstepError("ARGUMENT_INVALID", `step "${name}": ${which} must be longer than 0.`, {
      details: { argument: which, step: name },
    });
  };
  const onCancel = options.onCancel ?? "wait";
  if (onCancel !== "wait" && onCancel !== "try" && onCancel !== "abandon") {
    const message = `step "${name}": onCancel is "wait", "try" or "abandon"; got ${String(onCancel)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "onCancel", step: name } });
  }
  return {
    retry: options.retry === undefined ? DEFAULT_RETRY : normalizeRetry(options.retry, `step "${name}"`),
    timeoutMs: limit(options.timeout, "timeout"),
    totalTimeoutMs: limit(options.totalTimeout, "totalTimeout"),
    heartbeatTimeoutMs: limit(options.heartbeatTimeout, "heartbeatTimeout"),
    onCancel,
    summary: cutSummary(options.summary, `step "${name}", summary`),
  };
}
