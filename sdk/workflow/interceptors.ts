// What can stand around the code of runs and of their steps. Typed so that what passes through cannot be looked into,
// exchanged or, in a run, awaited: the only way to a `Result` is to return what `next` gave.

import type { RunHeaders } from "../protocol/headers.ts";
import type { AskedChild, AskedContinuation, AskedStep, WorkflowAsk } from "./asked.ts";
import type { ChildChanges } from "./child.ts";
import type { WorkflowInfo } from "./info.ts";
import type { StepContext, StepOptions } from "./step.ts";

/** A call to a run's main function. */
export interface WorkflowExecution {
  /** With the headers. */
  readonly info: WorkflowInfo;
}

/** A call to a handler inside a run. */
export interface HandlerCall {
  readonly info: WorkflowInfo;
  /** Of the signal, update or query. */
  readonly name: string;
}

export interface SignalHandlerCall extends HandlerCall {
  /** As the history has it: `signal:` and the sender's id. */
  readonly signalId: string;
}

export interface UpdateHandlerCall extends HandlerCall {
  readonly updateId: string;
}

/**
 * Stands around the code of runs, as a part of it: it is called again at every replay, sees the run's time and chance, and
 * is held to what workflow code is held to. It is synchronous. Return what `next` gave, at once and as it is: then the
 * code runs exactly as it would without the interceptor, and histories fit with and without it. To learn how an async
 * function ended, look at the promise from aside (`result.then(ended, ended)`).
 *
 * What it throws is thrown as if by the code.
 */
export interface WorkflowInterceptor {
  /** Around the main function: once for each time the run is replayed from its beginning. */
  execute?<Result extends Promise<unknown>>(execution: WorkflowExecution, next: () => Result): Result;
  /** Around a signal's handler. Signals that are received, not handled, call nothing. */
  handleSignal?<Result>(call: SignalHandlerCall, next: () => Result): Result;
  /** Around an update's handler, after it was accepted. Not around its validator. */
  handleUpdate?<Result>(call: UpdateHandlerCall, next: () => Result): Result;
  /** Around a query's handler. It may only look, as the handler. */
  handleQuery?<Result>(call: HandlerCall, next: () => Result): Result;
  /**
   * Around everything that the code asks for, each time it asks: what `next` gives stands for what the code gets, and how it is
   * answered is told by `asked.answered`. What the hook asks for itself, while it is called, passes by no hooks.
   */
  ask?<Result>(asked: WorkflowAsk, next: () => Result): Result;
  /** Around a step, within `ask`. Options that `next` is given hold in place of those that the code gave. */
  askStep?<Result>(asked: AskedStep, next: (changes?: StepOptions) => Result): Result;
  /** Around the start of a child, within `ask`. */
  askChild?<Result>(asked: AskedChild, next: (changes?: ChildChanges) => Result): Result;
  /** Around the call of `continueAsNew`, within `ask`. */
  askContinueAsNew?<Result>(asked: AskedContinuation, next: (changes?: ContinueChanges) => Result): Result;
}

/** What an interceptor can say otherwise about the run that follows. */
export interface ContinueChanges {
  /** What it carries in place of those of this run. Throws ARGUMENT_INVALID in the code for what cannot be headers. */
  readonly headers?: RunHeaders;
}

/** An attempt of a step. */
export interface StepAttemptCall {
  readonly workflow: string;
  /** Of the step. */
  readonly name: string;
  readonly kind: "step" | "transaction";
  /** What the step's function gets: ids, attempt, headers, the signal that aborts, the log. */
  readonly context: StepContext;
}

/**
 * Stands around the functions of steps, once per attempt: outside of workflow code, as free as the step itself, within its
 * limits of time. What it throws fails the attempt. In a `transaction` step it is called inside the transaction.
 */
export interface StepInterceptor {
  execute?<Result>(call: StepAttemptCall, next: () => Promise<Result>): Promise<Result>;
}

/** Calls hooks around `last`, the first outermost. */
export function callAround<Call, Result>(
  hooks: readonly ((call: Call, next: () => Result) => Result)[],
  call: Call,
  last: () => Result,
): Result {
  return hooks.reduceRight<() => Result>((next, hook) => () => hook(call, next), last)();
}

/** The hooks of one name that there are, bound to the objects they were found in; undefined for none. */
export function hooksOf<Part extends object, Name extends keyof Part>(
  parts: readonly (Part | undefined)[],
  name: Name,
): readonly NonNullable<Part[Name]>[] | undefined {
  const hooks = parts.flatMap((part) => {
    const hook = part?.[name];
    return typeof hook === "function" ? [hook.bind(part) as NonNullable<Part[Name]>] : [];
  });
  return hooks.length === 0 ? undefined : hooks;
}
