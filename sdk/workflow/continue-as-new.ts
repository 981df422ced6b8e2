// Going on as a new run: the same workflow id, an empty history. For workflows that live for ever.

import { type Duration, toMs } from "../protocol/duration.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import { assertName } from "../protocol/names.ts";
import { encodePayload, type Payload } from "../protocol/payload.ts";
import { type RunRetryOptions, type StoredRetry, storedRetry } from "../protocol/run-retry.ts";
import { parseWith } from "../protocol/standard-schema.ts";
import { assertVersionChoice } from "../protocol/versions.ts";
import { requireRun } from "./ambient.ts";
import type { Workflow } from "./workflow.ts";

/** A history of this many events is long enough for `workflowInfo().continueAsNewSuggested`. */
export const CONTINUE_SUGGESTED_EVENTS = 4_096;
/** Payloads of about this many bytes in a history are, too: 4 MiB. */
export const CONTINUE_SUGGESTED_BYTES = 4 * 1024 * 1024;

export interface ContinueOptions {
  /** Whose workers execute the next run. Default: the queue of this one. */
  readonly queue?: string;
  /**
   * The version of the workflow that the next run is of: one, such as "2.0.0", the newest of a range, such as "^1.2", or what
   * the workflow's "policy" says. Default: that of this run; for another workflow its policy, else its definition's own.
   */
  readonly version?: string;
  /** Closes the next run as timed out when it is open longer than this. Default: this run's own timeout, counted anew. */
  readonly timeout?: Duration;
  /** How the next run is tried again when it fails. Default: as this one; counted from attempt 1. */
  readonly retry?: RunRetryOptions;
}

/** What the next run is to be. */
export interface NextRun {
  /** Null: the workflow of this run. */
  readonly workflow: string | null;
  readonly input: Payload;
  /** Null: as this run's. */
  readonly queue: string | null;
  /** Undefined: as this run's. Null: none. */
  readonly timeoutMs: number | null | undefined;
  /** Undefined: as this run was started with. Null: as its workflow says. */
  readonly retry: StoredRetry | null | undefined;
  /** A version, a range or "policy"; null: as this run's, or what is usual for the workflow where it is another. */
  readonly version: string | null;
  /** Null: those of this run. */
  readonly headers: RunHeaders | null;
  /** Of the definition that the run goes on with, where one was given. */
  readonly ownVersion: string | null;
}

// Recognised across copies of the package, like the ambient storage.
const MARK: unique symbol = Symbol.for("everstep.continueAsNew.v1");

/** Thrown by `continueAsNew`. It is no failure: let it pass through `catch` blocks. */
export class ContinueAsNew extends Error {
  override readonly name = "ContinueAsNew";
  readonly [MARK] = true;
  readonly next: NextRun;

  constructor(next: NextRun) {
    super("This run continues as a new one. Let this pass: whoever catches it keeps the run from going on.");
    this.next = next;
  }
}

export function isContinueAsNew(error: unknown): error is ContinueAsNew {
  return error instanceof Error && MARK in error;
}

type InputArguments<Input> = undefined extends Input
  ? [input?: Input, options?: ContinueOptions]
  : [input: Input, options?: ContinueOptions];

/**
 * Closes the current run as `continuedAsNew` and starts a new one with the same workflow id, in one transaction: never
 * is there neither of them, nor both. The new run has an empty history. It gets the signals that this one has not
 * received and the updates that it has not come to, in their order, and its attributes and its memo; queue, timeout, version
 * and the retry policy it was started with are carried over unless `options` say otherwise. Handlers under way and child runs
 * are treated as at any other end of a run.
 *
 * With a workflow first, the new run is of that workflow and has its timeout and retry policy; else it is of the workflow of this run:
 * `order.continueAsNew(input)` is the same with the input's type checked. Works by throwing: nothing after it is
 * executed, and a `catch` around it must let it pass.
 *
 * Throws `ContinueAsNew`, or OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE,
 * ARGUMENT_INVALID.
 */
export function continueAsNew(input?: unknown, options?: ContinueOptions): never;
export function continueAsNew<Input>(
  workflow: Workflow<Input, unknown>,
  ...rest: InputArguments<NoInfer<Input>>
): never;
export function continueAsNew(first?: unknown, ...rest: unknown[]): never {
  if (isWorkflow(first)) {
    const [input, options] = rest as [unknown?, ContinueOptions?];
    parseWith(first.schema, input, `input of workflow "${first.name}"`);
    throw next(first, input, { ...options });
  }
  throw next(null, first, { ...(rest[0] as ContinueOptions | undefined) });
}

function next(
  workflow: Workflow<unknown, unknown> | null,
  input: unknown,
  { queue, timeout, retry, version }: ContinueOptions,
): ContinueAsNew {
  const { run } = requireRun("continueAsNew()");
  run.refuseInReadOnly("continueAsNew()");
  if (queue !== undefined) assertName(queue, "continueAsNew({ queue })");
  if (version !== undefined) assertVersionChoice(version, "continueAsNew({ version })");
  const asked: NextRun = {
    workflow: workflow?.name ?? null,
    input: encodePayload(input, "input of continueAsNew()"),
    queue: queue ?? null,
    timeoutMs: timeout === undefined ? workflow?.timeoutMs : toMs(timeout, "continueAsNew({ timeout })"),
    retry: retry !== undefined ? storedRetry(retry, "continueAsNew()") : workflow === null ? undefined : null,
    version: version ?? null,
    headers: null,
    ownVersion: workflow?.version ?? null,
  };
  return new ContinueAsNew(run.askContinueAsNew(asked));
}

function isWorkflow(value: unknown): value is Workflow<unknown, unknown> {
  return (
    typeof value === "object" &&
    value !== null &&
    "main" in value &&
    typeof value.main === "function" &&
    "name" in value &&
    typeof value.name === "string"
  );
}
