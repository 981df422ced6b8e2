// One attempt of one step: the author's function with its context, its limits and its way to be stopped. Ends exactly
// once, whatever comes first: result, error, a limit, an abort that nobody waits out.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { fromFailure, TimeoutFailure } from "../../sdk/protocol/failures.ts";
import type { RunHeaders } from "../../sdk/protocol/headers.ts";
import { decodePayload, encodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { runWithAmbient, type StepAmbient } from "../../sdk/workflow/ambient.ts";
import { type Deferred, HANDED_OFF } from "../../sdk/workflow/deferred.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { StepBody, StepContext, StepTransaction } from "../../sdk/workflow/step.ts";
import type { PendingStep } from "../replay/pending.ts";
import { stepToken } from "../service/step-token.ts";
import type { CancelTimer, Clock } from "../world/world.ts";

export type AttemptEnd =
  /** The value is HANDED_OFF when the body has. */
  | { readonly ok: true; readonly value: unknown }
  | { readonly ok: false; readonly error: unknown; readonly wasAborted: boolean };

export interface AttemptListener {
  ended(end: AttemptEnd): void;
}

export interface AttemptOptions {
  readonly pending: PendingStep;
  /** What is executed for the step. */
  readonly body: StepBody;
  readonly run: { readonly runId: string; readonly workflowId: string };
  readonly headers: RunHeaders;
  readonly clock: Clock;
  /** Read when the step asks for it. */
  readonly log: WorkflowLog;
  /** What is left of the time over all attempts; null for no limit. */
  readonly totalLeftMs: number | null;
  /** One that nobody can guess, for the attempt's token. */
  newSecret(): string;
  onHeartbeat(details: Payload): void;
}

/** Is itself what the code of the step finds as its ambient: one object less for every step. */
export class StepAttempt implements StepAmbient {
  readonly kind = "step";
  readonly attempt: number;
  readonly step: StepContext;
  readonly #options: AttemptOptions;
  #controller: AbortController | undefined;
  #abortedBy: unknown;
  #isEnded = false;
  #hasHandedOff = false;
  #secret: string | undefined;
  #heartbeat: Payload;
  #cancelTimers: CancelTimer[] | undefined;
  #restartSilence: (() => void) | undefined;
  #listener: AttemptListener | undefined;

  constructor(options: AttemptOptions) {
    this.#options = options;
    this.attempt = options.pending.failedAttempts + 1;
    this.#heartbeat = options.pending.heartbeat;
    this.step = new AttemptContext(this, options);
  }

  get name(): string {
    return this.#options.pending.ask.name;
  }

  /** Made when asked for: most steps never look. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#abortedBy !== undefined) this.#controller.abort(this.#abortedBy);
    }
    return this.#controller.signal;
  }

  /** Details of the latest heartbeat, for the next attempt. */
  get heartbeat(): Payload {
    return this.#heartbeat;
  }

  /** Of the attempt's token. Made when asked for: hardly a step has a use for it. */
  get secret(): string {
    this.#secret ??= this.#options.newSecret();
    return this.#secret;
  }

  /** Runs the author's function; resolves with how it ended, never rejects. */
  run(tx?: StepTransaction): Promise<AttemptEnd> {
    return new Promise((resolve) => this.start({ ended: resolve }, tx));
  }

  /** Runs the author's function and tells once how it ended, never before this call returns. */
  start(listener: AttemptListener, tx?: StepTransaction): void {
    this.#listener = listener;
    if (this.#abortedBy !== undefined) return queueMicrotask(() => this.#failed(this.#abortedBy));
    this.#setLimits();
    let result: unknown;
    try {
      result = runWithAmbient(this, () => this.#call(tx));
      // No promise of its own for what is there already.
      if (!mayBePromise(result)) return void SETTLED.then(() => this.#returned(result));
    } catch (error) {
      return queueMicrotask(() => this.#failed(error));
    }
    Promise.resolve(result).then(
      (value) => this.#returned(value),
      (error) => this.#failed(error),
    );
  }

  #call(tx: StepTransaction | undefined): unknown {
    const { body } = this.#options;
    return body.kind === "step" ? body.run(this.step) : body.run(requireTransaction(tx), this.step);
  }

  #returned(value: unknown): void {
    if (!this.#hasHandedOff || value === HANDED_OFF) return this.#end({ ok: true, value });
    const message = `step "${this.name}" called completeLater() and returned something else. Write \`return context.completeLater()\`.`;
    this.#failed(new EverstepError("ARGUMENT_INVALID", message, { details: { step: this.name } }));
  }

  /** The body says that it hands off. */
  handOff(): Deferred<never> {
    if (this.#options.body.kind === "transaction") {
      const message = `step "${this.name}" is a transaction, which commits with its result and cannot be completed later. Hand off in a step of its own.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { step: this.name } });
    }
    this.#hasHandedOff = true;
    return HANDED_OFF;
  }

  #end(end: AttemptEnd): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#cancelTimers !== undefined) for (const cancel of this.#cancelTimers) cancel();
    this.#listener?.ended(end);
  }

  #failed(error: unknown): void {
    this.#end({ ok: false, error, wasAborted: this.#abortedBy !== undefined });
  }

  /** Tells the function to stop; it is waited for. */
  abort(reason: Error): void {
    this.#abortedBy ??= reason;
    const controller = this.#controller;
    // Its listeners are code of the step, whoever aborts: what one of them throws, or leaves rejected, is the step's.
    if (controller !== undefined) runWithAmbient(this, () => controller.abort(reason));
  }

  /** Tells the function to stop and does not wait: for limits, and for runs that are no longer ours. */
  giveUp(reason: Error): void {
    this.abort(reason);
    if (this.#listener !== undefined) this.#end({ ok: false, error: reason, wasAborted: false });
  }

  /** An error of the function's code that nobody caught. */
  fail(error: unknown): void {
    if (this.#isEnded) return;
    this.#end({ ok: false, error, wasAborted: false });
    this.abort(error instanceof Error ? error : new Error(String(error)));
  }

  #setLimits(): void {
    const { pending, totalLeftMs, clock } = this.#options;
    const { timeoutMs, heartbeatTimeoutMs, totalTimeoutMs, name } = pending.ask;
    if (timeoutMs !== null) {
      this.#limit(
        timeoutMs,
        () => new TimeoutFailure("attempt", `step "${name}" ran longer than its timeout of ${timeoutMs} ms`),
      );
    }
    if (totalLeftMs !== null) {
      this.#limit(
        totalLeftMs,
        () =>
          new TimeoutFailure(
            "total",
            `step "${name}" took longer than its totalTimeout of ${totalTimeoutMs} ms over all attempts`,
            // What the attempt before this one died of is what people look for.
            pending.lastFailure === null ? {} : { cause: fromFailure(pending.lastFailure) },
          ),
      );
    }
    if (heartbeatTimeoutMs === null) return;
    let cancel: CancelTimer = () => {};
    this.#restartSilence = () => {
      cancel();
      cancel = clock.setTimer(heartbeatTimeoutMs, () =>
        this.giveUp(new TimeoutFailure("heartbeat", `step "${name}" sent no heartbeat for ${heartbeatTimeoutMs} ms`)),
      );
    };
    this.#restartSilence();
    this.#cancelAtEnd(() => cancel());
  }

  #limit(ms: number, failure: () => Error): void {
    this.#cancelAtEnd(this.#options.clock.setTimer(ms, () => this.giveUp(failure())));
  }

  #cancelAtEnd(cancel: CancelTimer): void {
    this.#cancelTimers ??= [];
    this.#cancelTimers.push(cancel);
  }

  /** The step says that it is alive. */
  beat(details: unknown): void {
    if (this.#isEnded) return;
    this.#heartbeat = encodePayload(details, `heartbeat of step "${this.name}"`);
    this.#restartSilence?.();
    this.#options.onHeartbeat(this.#heartbeat);
  }
}

const SETTLED = Promise.resolve();

function mayBePromise(result: unknown): boolean {
  return ((typeof result === "object" && result !== null) || typeof result === "function") && "then" in result;
}

/** Everything here is made when it is asked for: most steps look at nothing, and there are very many of them. */
class AttemptContext implements StepContext {
  readonly #attempt: StepAttempt;
  readonly #options: AttemptOptions;

  constructor(attempt: StepAttempt, options: AttemptOptions) {
    this.#attempt = attempt;
    this.#options = options;
  }

  get runId(): string {
    return this.#options.run.runId;
  }

  get workflowId(): string {
    return this.#options.run.workflowId;
  }

  get attempt(): number {
    return this.#attempt.attempt;
  }

  get idempotencyKey(): string {
    return `${this.#options.run.runId}/${this.#options.pending.command}`;
  }

  get signal(): AbortSignal {
    return this.#attempt.signal;
  }

  /** Bound, because steps take it out of the context: `({ heartbeat }) => …`. */
  get heartbeat(): (details?: unknown) => void {
    return (details) => this.#attempt.beat(details);
  }

  get lastHeartbeat(): unknown {
    const { heartbeat, ask } = this.#options.pending;
    return decodePayload(heartbeat, `heartbeat of step "${ask.name}"`);
  }

  get headers(): RunHeaders {
    return this.#options.headers;
  }

  get token(): string {
    const { run, pending } = this.#options;
    return stepToken({
      runId: run.runId,
      command: pending.command,
      attempt: this.attempt,
      secret: this.#attempt.secret,
    });
  }

  /** Bound, like `heartbeat`. */
  get completeLater(): <Result>() => Deferred<Result> {
    return () => this.#attempt.handOff();
  }

  get log(): WorkflowLog {
    return this.#options.log;
  }
}

function requireTransaction(tx: StepTransaction | undefined): StepTransaction {
  if (tx !== undefined) return tx;
  throw new EverstepError(
    "INVARIANT_BROKEN",
    "Invariant broken: a transaction step runs inside a transaction. Please report this.",
  );
}
