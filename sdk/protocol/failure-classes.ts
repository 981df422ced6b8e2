// Failures as errors: what workflow code catches, and what step code throws to say more than "it failed".

import { type Duration, toMs } from "./duration.ts";
import type { Failure, FailureKind } from "./failure.ts";
import { setHidden } from "./standard-errors.ts";

export interface CauseOption {
  readonly cause?: unknown;
}

function causeOf(options: CauseOption): ErrorOptions | undefined {
  return "cause" in options && options.cause !== undefined ? { cause: options.cause } : undefined;
}

/** What every failure is, once it is an error again. Names stay out of sight so that they print once. */
abstract class FailureError extends Error {
  abstract readonly kind: FailureKind;
  /** False when no further attempt could end otherwise. */
  readonly retryable: boolean;

  constructor(name: string, message: string, retryable: boolean, options: CauseOption) {
    super(message, causeOf(options));
    this.retryable = retryable;
    setHidden(this, "name", name);
  }
}

/**
 * A step that failed for good. `cause` is what its last attempt threw, restored: name, message and stack are kept, and
 * the language's own classes (`TypeError`, ...) come back as such; other classes come back as `ApplicationFailure`, to be
 * told by `name`. When time ran out, `cause` is a `TimeoutFailure`.
 */
export class StepFailure extends FailureError {
  readonly kind = "step";
  readonly step: string;
  /** How many attempts it had. */
  readonly attempts: number | undefined;

  constructor(
    message: string,
    options: CauseOption & { readonly step: string; readonly attempts?: number | undefined },
  ) {
    super("StepFailure", message, false, options);
    this.step = options.step;
    this.attempts = options.attempts;
  }
}

/**
 * A child run that ended without a result. `cause` says how: what its code threw, or a `CanceledFailure`,
 * `TerminatedFailure` or `TimeoutFailure`.
 */
export class ChildFailure extends FailureError {
  readonly kind = "child";
  readonly workflow: string;
  readonly workflowId: string;

  constructor(message: string, options: CauseOption & { readonly workflow: string; readonly workflowId: string }) {
    super("ChildFailure", message, false, options);
    this.workflow = options.workflow;
    this.workflowId = options.workflowId;
  }
}

/**
 * A limit of time was passed, named by `timeout`: of one "attempt", of all of a step's attempts ("total"), between two
 * of its "heartbeat"s, of the "run", of the "scope" that `withTimeout` made, or of the wait for a "lock" or a semaphore.
 */
export class TimeoutFailure extends FailureError {
  readonly kind = "timeout";
  readonly timeout: NonNullable<Failure["timeout"]>;

  constructor(timeout: NonNullable<Failure["timeout"]>, message: string, options: CauseOption = {}) {
    super("TimeoutFailure", message, timeout === "attempt" || timeout === "heartbeat", options);
    this.timeout = timeout;
  }
}

/** Cancellation was asked for. Let it pass, or clean up and throw it on, for the run to end as canceled. */
export class CanceledFailure extends FailureError {
  readonly kind = "canceled";

  constructor(message: string, options: CauseOption = {}) {
    super("CanceledFailure", message, false, options);
  }
}

/** Stopped from outside, with no chance to react. */
export class TerminatedFailure extends FailureError {
  readonly kind = "terminated";

  constructor(message: string, options: CauseOption = {}) {
    super("TerminatedFailure", message, false, options);
  }
}

interface ApplicationOptions extends CauseOption {
  /** What the failure is called: matched by `nonRetryable`, and the `name` of the error that is caught. */
  readonly type?: string | undefined;
  /** Anything storable that the catcher should have. */
  readonly details?: unknown;
}

/** An error that application code threw, restored from a history: its own class is not, its `name` is. */
export class ApplicationFailure extends FailureError {
  readonly kind = "application";
  readonly type: string;
  readonly details: unknown;
  /** The `code` of the error that was thrown, if it had one. */
  readonly code: string | number | undefined;
  readonly retryAfterMs: number | undefined;

  constructor(
    message: string,
    options: ApplicationOptions & {
      readonly retryable?: boolean;
      readonly code?: string | number | undefined;
      readonly retryAfterMs?: number | undefined;
    } = {},
  ) {
    const type = options.type ?? "ApplicationFailure";
    super(type, message, options.retryable ?? true, options);
    this.type = type;
    this.details = options.details;
    this.code = options.code;
    this.retryAfterMs = options.retryAfterMs;
  }
}

/**
 * Thrown by a step: try again, after `retryAfter` instead of the policy's own pause (this once), as far as the policy has
 * attempts and time left. Any error is retried; this one says when, and carries `details`. `type` (default
 * "RetryableError") becomes its name. Throws ARGUMENT_INVALID for an unusable `retryAfter`.
 */
export class RetryableError extends ApplicationFailure {
  constructor(message: string, options: ApplicationOptions & { readonly retryAfter?: Duration } = {}) {
    const { retryAfter, type = "RetryableError" } = options;
    const retryAfterMs = retryAfter === undefined ? undefined : toMs(retryAfter, "RetryableError({ retryAfter })");
    super(message, { ...options, type, retryable: true, retryAfterMs });
  }
}

/**
 * Thrown by a step: no further attempt can help; the step fails now. `type` (default "PermanentError") becomes its name.
 */
export class PermanentError extends ApplicationFailure {
  constructor(message: string, options: ApplicationOptions = {}) {
    super(message, { ...options, type: options.type ?? "PermanentError", retryable: false });
  }
}

/** True for a `CanceledFailure`, and for a `StepFailure` or `ChildFailure` that one caused. */
export function isCanceled(error: unknown): boolean {
  if (error instanceof CanceledFailure) return true;
  return (error instanceof StepFailure || error instanceof ChildFailure) && isCanceled(error.cause);
}
