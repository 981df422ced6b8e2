// Interceptors around the code of runs, put together once for a worker and called for each run. They add no await: what
// they return is what the code returned, so the order in which code runs within a turn is the same without them.

import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import {
  callAround,
  type HandlerCall,
  hooksOf,
  type WorkflowExecution,
  type WorkflowInterceptor,
} from "../../sdk/workflow/interceptors.ts";

export type HandlerKind = "Signal" | "Update" | "Query";

type Hook<Call> = (call: Call, next: () => unknown) => unknown;

/** What tells one call to a handler from another. */
export interface CalledHandler {
  readonly name: string;
  readonly signalId?: string;
  readonly updateId?: string;
}

export class WorkflowHooks {
  readonly #execute: readonly Hook<WorkflowExecution>[];
  readonly #handle: Readonly<Record<HandlerKind, readonly Hook<HandlerCall>[]>>;

  private constructor(parts: readonly (WorkflowInterceptor | undefined)[]) {
    const hooks = <Call>(name: keyof WorkflowInterceptor) => (hooksOf(parts, name) ?? []) as readonly Hook<Call>[];
    this.#execute = hooks("execute");
    this.#handle = { Signal: hooks("handleSignal"), Update: hooks("handleUpdate"), Query: hooks("handleQuery") };
  }

  /** Undefined when there is nothing to call: then the engine calls the code itself. */
  static of(parts: readonly (WorkflowInterceptor | undefined)[]): WorkflowHooks | undefined {
    return parts.every((part) => part === undefined) ? undefined : new WorkflowHooks(parts);
  }

  execute<Result>(info: WorkflowInfo, main: () => Result): Result {
    return callAround(this.#execute, { info }, main) as Result;
  }

  handle<Result>(kind: HandlerKind, call: CalledHandler & HandlerCall, handler: () => Result): Result {
    return callAround(this.#handle[kind], call, handler) as Result;
  }
}
