// Handlers of signals and updates run beside the main function, and may outlive it if it does not wait for them.

import { EverstepError } from "../protocol/errors.ts";
import { requireRun } from "./ambient.ts";
import type { UnfinishedPolicy } from "./run-context.ts";

export interface HandlerOptions {
  /**
   * What happens when the run closes while this handler is under way: a line in the worker's log ("warn", the default), or
   * nothing ("abandon"). A run that fails says nothing either way.
   */
  readonly onUnfinished?: UnfinishedPolicy;
}

/**
 * True when no handler of a signal or an update is under way. Before the main function returns:
 * `await condition(allHandlersFinished)`. Never wait for it in a handler: that one is under way itself.
 *
 * Throws OUTSIDE_WORKFLOW where no run is.
 */
export function allHandlersFinished(): boolean {
  return requireRun("allHandlersFinished()").run.allHandlersFinished;
}

/** Refuses what is no policy. `what` names the call. Throws ARGUMENT_INVALID. */
export function unfinishedPolicy(options: HandlerOptions | undefined, what: string): UnfinishedPolicy {
  const policy = options?.onUnfinished ?? "warn";
  if (policy === "warn" || policy === "abandon") return policy;
  const message = `${what}: onUnfinished is "warn" or "abandon"; got ${String(policy)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "onUnfinished" } });
}
