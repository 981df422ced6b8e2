// Interceptors around the code of runs, put together once for a worker and called for each run. They add no await: what
// they return is the very thing that the code returned, so the order in which code runs within a turn is the same without
// them. Types ask for that; what gets past the types is refused here.

import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import {
  callAround,
  type HandlerCall,
  hooksOf,
  type WorkflowExecution,
  type WorkflowInterceptor,
} from "../../sdk/workflow/interceptors.ts";
import { AskingHooks } from "./asking-hooks.ts";
import { notGiven, OnlyOnce } from "./refused-hooks.ts";

export type HandlerKind = "Signal" | "Update" | "Query";

type Hook<Call> = (call: Call, next: () => unknown) => unknown;

/** What tells one call to a handler from another. */
export interface CalledHandler {
  readonly name: string;
  readonly signalId?: string;
  readonly updateId?: string;
}

export class WorkflowHooks {
  /** Around what the code asks for; undefined for none. */
  readonly asking: AskingHooks | undefined;
  readonly #execute: readonly Hook<WorkflowExecution>[];
  readonly #handle: Readonly<Record<HandlerKind, readonly Hook<HandlerCall>[]>>;

  private constructor(parts: readonly (WorkflowInterceptor | undefined)[]) {
    const hooks = <Call>(name: keyof WorkflowInterceptor) => (hooksOf(parts, name) ?? []) as readonly Hook<Call>[];
    this.asking = AskingHooks.of(parts);
    this.#execute = hooks("execute");
    this.#handle = { Signal: hooks("handleSignal"), Update: hooks("handleUpdate"), Query: hooks("handleQuery") };
  }

  /** Undefined when there is nothing to call: then the engine calls the code itself. */
  static of(parts: readonly (WorkflowInterceptor | undefined)[]): WorkflowHooks | undefined {
    return parts.every((part) => part === undefined) ? undefined : new WorkflowHooks(parts);
  }

  execute<Result>(info: WorkflowInfo, main: () => Result): Result {
    return around(this.#execute, { info }, main, "execute");
  }

  handle<Result>(kind: HandlerKind, call: CalledHandler & HandlerCall, handler: () => Result): Result {
    return around(this.#handle[kind], call, handler, `handle${kind}`);
  }
}

const NOTHING = Symbol("nothing");

function around<Call, Result>(
  hooks: readonly Hook<Call>[],
  call: Call,
  body: () => Result,
  name: keyof WorkflowInterceptor,
): Result {
  const once = new OnlyOnce([name]);
  let given: Result | typeof NOTHING = NOTHING;
  let returned: unknown;
  try {
    returned = callAround<Call, unknown>(hooks, call, () => {
      once.use();
      given = body();
      return given;
    });
  } finally {
    once.end();
  }
  if (Object.is(returned, given)) return returned as Result;
  throw notGiven([name], returned);
}
