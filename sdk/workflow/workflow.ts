// The definition: a named async function. Nothing happens by defining one; a worker is given it, a client starts it.

import { type Duration, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { normalizeRetry, type RetryOptions, type RetryPolicy } from "../protocol/retry-policy.ts";
import {
  assertSchema,
  parseWith,
  type SchemaInput,
  type SchemaOutput,
  type StandardSchema,
} from "../protocol/standard-schema.ts";
import { assertVersion } from "../protocol/versions.ts";
import { type ContinueOptions, continueAsNew } from "./continue-as-new.ts";

export interface WorkflowOptions {
  /**
   * The semantic version of this code, such as "1.4.0". Workers may have several of one name; a run stays with the version
   * that it began with, whatever else is deployed, until it is moved. Default: none.
   */
  readonly version?: string;
  /**
   * Closes the run as timed out when it is still open after this long, with no chance for its code to react: all attempts
   * together, where it is tried again. Default none.
   */
  readonly timeout?: Duration;
  /**
   * How a run that failed is tried again: as a new run of its chain, with the input it had. Looked up when it fails, in the
   * code of that day; a policy that the run was started with goes before it. Default: a run that failed has failed.
   */
  readonly retry?: RetryOptions;
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
  /** Absent for none. */
  readonly version?: string;
  readonly timeoutMs: number | null;
  /** Null: a run that failed is not tried again. */
  readonly retry: RetryPolicy | null;
  /** What inputs are checked by: before a run is started, and again before its code gets them. */
  readonly schema?: StandardSchema;
  /** Null: for ever. */
  readonly retentionMs: number | null;
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
 * With an `input` schema the client refuses to start a run with another input, and the function gets what the schema makes of
 * it; so do `startChild` and `continueAsNew` with the workflow. A run that was started all the same fails with
 * ARGUMENT_INVALID.
 * Throws ARGUMENT_INVALID for an unusable name, function, version, timeout, retry, retention or schema.
 */
export function workflow<Schema extends StandardSchema, Result>(
  name: string,
  main: (input: SchemaOutput<Schema>) => Promise<Result>,
  options: WorkflowOptions & { readonly input: Schema },
): Workflow<SchemaInput<Schema>, Result>;
export function workflow<Input, Result>(
  name: string,
  main: (input: Input) => Promise<Result>,
  options?: WorkflowOptions,
): Workflow<Input, Result>;
export function workflow(
  name: string,
  main: (input: unknown) => Promise<unknown>,
  {
    version,
    timeout,
    retry: retryOptions,
    retention,
    input: schema,
  }: WorkflowOptions & { readonly input?: StandardSchema } = {},
): Workflow<unknown, unknown> {
  assertName(name, "workflow(name)");
  if (typeof main !== "function") {
    const message = `workflow("${name}") takes an async function as its second argument; got ${typeof main}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "main" } });
  }
  if (version !== undefined) assertVersion(version, `workflow("${name}", { version })`);
  const timeoutMs = timeout === undefined ? null : toMs(timeout, `workflow("${name}", { timeout })`);
  const retentionMs = retention === undefined ? null : toMs(retention, `workflow("${name}", { retention })`);
  const what = `input of workflow "${name}"`;
  const retry = retryOptions === undefined ? null : normalizeRetry(retryOptions, `workflow("${name}")`);
  const settings = { name, timeoutMs, retry, retentionMs, ...(version === undefined ? {} : { version }) };
  if (schema === undefined) return { ...settings, main, continueAsNew: (input, next) => continueAsNew(input, next) };
  assertSchema(schema, `workflow("${name}", { input })`);
  return {
    ...settings,
    schema,
    main: (input) => main(parseWith(schema, input, what)),
    continueAsNew(input, next) {
      parseWith(schema, input, what);
      return continueAsNew(input, next);
    },
  };
}
