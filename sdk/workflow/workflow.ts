// The definition: a named async function. Nothing happens by defining one; a worker is given it, a client starts it.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";

export interface WorkflowOptions {
  /** Closes the run as timed out when it is still open after this long, with no chance for its code to react. Default none. */
  readonly timeout?: Duration;
  /**
   * How long a run is kept after it has closed, counted by the database's clock: then workers that have this workflow delete
   * it with its history, and its handles throw RUN_NOT_FOUND. Default: for ever.
   */
  readonly retention?: Duration;
}

/** A workflow with the types of its input and result. */
export interface Workflow<Input, Result> {
  readonly name: string;
  readonly main: (input: Input) => Promise<Result>;
  readonly timeoutMs: number | null;
  /** Null: for ever. */
  readonly retentionMs: number | null;
}

/** Any workflow, whatever its types: what a worker takes. */
export type AnyWorkflow = Workflow<never, unknown>;

/**
 * Defines a workflow: an ordinary async function that calls `step()`, `sleep()`, signals and other workflow functions.
 * Between those calls it must depend on nothing but its input and their results; `Date`, `Math.random`,
 * `crypto.randomUUID` and `setTimeout` are made deterministic, I/O outside steps is refused.
 *
 * `name` identifies the workflow in the database: keep it when the code moves. The input and the result must be storable.
 * Throws ARGUMENT_INVALID for an unusable name, function, timeout or retention.
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
  const retentionMs =
    options.retention === undefined ? null : toMs(options.retention, `workflow("${name}", { retention })`);
  return { name, main, timeoutMs, retentionMs };
}
