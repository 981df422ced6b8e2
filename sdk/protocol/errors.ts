// The one catalogue of what Everstep throws at its callers. Failures travel in histories; errors stay in the process
// that meets them. A code never changes its meaning; docs/errors.md has an entry for each, and a test compares the two.

export const ERRORS = {
  // For the caller: what was asked cannot be done.
  ARGUMENT_INVALID: { retryable: false, summary: "an argument is not acceptable" },
  RUN_NOT_FOUND: { retryable: false, summary: "no run has this id" },
  RUN_ALREADY_STARTED: {
    retryable: false,
    summary: "an open run has this workflow id, or a closed one that may not be repeated",
  },
  VERSION_UNKNOWN: {
    retryable: false,
    summary: "the workflow has no such version: it is not the definition's, and no worker ever had it",
  },
  RUN_CLOSED: { retryable: false, summary: "the run is closed and takes no more signals, updates or cancel requests" },
  RUN_FAILED: { retryable: false, summary: "the run ended without a result" },
  RUN_CONTINUED: { retryable: false, summary: "the run goes on as a new one and has no result of its own" },
  RUN_STILL_OPEN: { retryable: true, summary: "the run has no result yet" },
  QUERY_UNKNOWN: { retryable: false, summary: "the run has no handler for this query" },
  QUERY_FAILED: { retryable: false, summary: "the query's handler threw" },
  QUERY_REJECTED: { retryable: false, summary: "the run is not in the state that the query is for" },
  QUERY_TIMED_OUT: { retryable: true, summary: "no worker answered the query in time" },
  UPDATE_UNKNOWN: { retryable: false, summary: "the run has no handler for this update" },
  UPDATE_REJECTED: { retryable: false, summary: "the update's validator refused it" },
  UPDATE_FAILED: { retryable: false, summary: "the update's handler threw" },
  UPDATE_ABANDONED: { retryable: false, summary: "the run closed before the update's handler had ended" },
  UPDATE_TIMED_OUT: { retryable: true, summary: "the update was not answered in time" },
  UPDATE_NOT_FOUND: { retryable: false, summary: "the run was sent no update with this id" },
  TOKEN_INVALID: { retryable: false, summary: "the token of a step or a webhook is none, or not of what waits" },
  STEP_NOT_WAITING: {
    retryable: false,
    summary: "the step does not wait to be completed from outside, or for its next attempt",
  },
  STEP_UNDER_WAY: { retryable: true, summary: "the step's body has not handed off yet" },
  TIMER_NOT_WAITING: { retryable: false, summary: "the run has no such timer that waits for its time" },
  PAYLOAD_TOO_LARGE: { retryable: false, summary: "a value is larger than a payload may be" },
  // For the author of workflow code.
  PAYLOAD_UNSERIALIZABLE: { retryable: false, summary: "a value cannot be stored" },
  PAYLOAD_UNREADABLE: { retryable: false, summary: "a stored value cannot be read back" },
  OUTSIDE_WORKFLOW: { retryable: false, summary: "a workflow function was called where no run is" },
  IO_IN_WORKFLOW: { retryable: false, summary: "workflow code reached for the outside world without a step" },
  COMMAND_IN_READ_ONLY: { retryable: false, summary: "a query handler or a condition asked for a command" },
  LOCK_HELD: { retryable: false, summary: "code that holds a lock or permits asked for the same key again" },
  DIVERGENCE: { retryable: false, summary: "the code no longer fits the run's history" },
  WORKFLOW_UNKNOWN: { retryable: false, summary: "no worker here has a workflow of this name" },
  FOREIGN_WAIT: { retryable: false, summary: "the workflow waits for something that is not in its history" },
  STEP_NOT_MOCKED: { retryable: false, summary: "a test environment was to execute a step that is not mocked" },
  MOCK_UNUSED: { retryable: false, summary: "a mock of a step was never called" },
  // For whoever runs it.
  CONFIGURATION_INVALID: { retryable: false, summary: "a setting is missing or not acceptable" },
  STORE_UNAVAILABLE: { retryable: true, summary: "Postgres cannot be reached or did not answer" },
  STORE_REFUSED: { retryable: false, summary: "Postgres refused the connection's credentials or database" },
  STORE_REJECTED: { retryable: false, summary: "Postgres rejected a statement's content" },
  CODEC_FAILED: { retryable: true, summary: "a payload codec failed, or did not answer" },
  SCHEMA_MISSING: { retryable: false, summary: "the database has no Everstep schema" },
  SCHEMA_BEHIND: { retryable: false, summary: "the database's schema is older than this release" },
  SCHEMA_AHEAD: { retryable: false, summary: "the database's schema is newer than this release" },
  LEASE_UNAVAILABLE: { retryable: true, summary: "Redis cannot be reached" },
  LEASE_LOST: { retryable: true, summary: "this worker's lease ran out" },
  TRANSACTION_UNSUPPORTED: { retryable: false, summary: "this store has no transactions to share" },
  EMBEDDED_UNAVAILABLE: { retryable: false, summary: "the embedded Postgres cannot be started here" },
  NODE_UNSUPPORTED: { retryable: false, summary: "this Node release is too old" },
  INVARIANT_BROKEN: { retryable: false, summary: "Everstep found itself in a state that must not be" },
} as const satisfies Record<string, { retryable: boolean; summary: string }>;

export type ErrorCode = keyof typeof ERRORS;

export interface ErrorExtras {
  /** What an operator would want beside the message: ids, counts, names. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** What every Everstep API throws. The message says what happened, to which run, and what to do next. */
export class EverstepError extends Error {
  override readonly name = "EverstepError";
  readonly code: ErrorCode;
  /** True when the same call may succeed later without any change. */
  readonly retryable: boolean;
  readonly details: Readonly<Record<string, unknown>>;

  constructor(code: ErrorCode, message: string, extras: ErrorExtras = {}) {
    super(message, extras.cause === undefined ? undefined : { cause: extras.cause });
    this.code = code;
    this.retryable = ERRORS[code].retryable;
    this.details = extras.details ?? {};
  }
}

export function isEverstepError(value: unknown, code?: ErrorCode): value is EverstepError {
  return value instanceof EverstepError && (code === undefined || value.code === code);
}

/** For states that the types or the protocol rule out: a defect of ours, said as one. */
export function invariant(holds: boolean, what: string, details: Record<string, unknown> = {}): asserts holds {
  if (!holds)
    throw new EverstepError("INVARIANT_BROKEN", `Invariant broken: ${what}. Please report this.`, { details });
}
