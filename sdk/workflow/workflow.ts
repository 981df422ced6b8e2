// The definition: a named async function. Nothing happens by defining one; a worker is given it, a client starts it.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { type ContinueOptions, continueAsNew } from "./continue-as-new.ts";

export interface WorkflowOptions {
  /** Closes the run as timed out when it is still open after this long, with no chance for its code to react. Default none. */
  readonly timeout?: Duration;
}

/** A workflow with the types of its input and result. */
export interface Workflow<Input, Result> {
  readonly name: string;
  readonly main: (input: Input) => Promise<Result>;
  readonly timeoutMs: number | null;
  /**
   * Inside a run of this workflow: closes it and goes on as a new run with this input. See `continueAsNew`. A workflow
   * that calls its own needs its result's type written down: `async (input: Input): Promise<Result> => ...`.
   */
  continueAsNew(input: Input, options?: ContinueOptions): never;
}

/** Any workflow, whatever its types: what a worker takes. */
export type AnyWorkflow = Workflow<never, unknown>;

/**
 * Defines a workflow: an ordinary async function that calls `step()`, `sleep()`, signals and other workflow functions.
 * Between those calls it must depend on nothing but its input and their results; `Date`, `Math.random`,
 * `crypto.randomUUID` and `setTimeout` are made deterministic, I/O outside steps is refused.
 *
 * `name` identifies the workflow in the database: keep it when the code moves. The input and the result must be storable.
 * Throws ARGUMENT_INVALID for an unusable name, function or timeout.
 */
export function workflow<Input, Result>(
  name: string,
  main: (input: Input) => Promise<Result>,
  options: WorkflowOptions = {},
): Workflow<Input, Result> {
  assertName(name, "workflow(name)");
  if (typeof main !== "function") {
    const message = `workflow("${name}") takes an async function as its second argument; got ${typeof main}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "main" } });
  }
  const timeoutMs = options.timeout === undefined ? null : toMs(options.timeout, `workflow("${name}", { timeout })`);
  return { name, main, timeoutMs, continueAsNew: (input, next) => continueAsNew(input, next) };
}
