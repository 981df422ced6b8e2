// From errors to failures and back. An error may be anything: endless, cyclic, hostile to being read. The failure made of
// it is plain and bounded, and comes back as an error that tells its catcher the same.

import { ERRORS, type ErrorCode, EverstepError } from "./errors.ts";
import type { Failure } from "./failure.ts";
import {
  ApplicationFailure,
  CanceledFailure,
  ChildFailure,
  StepFailure,
  TerminatedFailure,
  TimeoutFailure,
} from "./failure-classes.ts";
import { decodePayload, encodePayload } from "./payload.ts";
import { isStandardError, recreateError, setHidden } from "./standard-errors.ts";

export {
  ApplicationFailure,
  CanceledFailure,
  ChildFailure,
  isCanceled,
  PermanentError,
  RetryableError,
  StepFailure,
  TerminatedFailure,
  TimeoutFailure,
} from "./failure-classes.ts";

/** UTF-8 bytes that a failure takes at most as JSON, causes included. */
export const MAX_FAILURE_BYTES = 64 * 1024;
/** Errors kept of a chain of causes, the outermost included. */
export const MAX_CAUSES = 10;

const MAX_TEXT = 8_000;
const MAX_WORD = 200;
const MAX_DETAILS_BYTES = 16 * 1024;
const MIN_DETAILS_BYTES = 2 * 1024;
// What a level takes beside its texts: keys, quotes, numbers.
const LEVEL_BYTES = 256;
const MAX_ERRORS_LISTED = 10;

/**
 * The failure that a thrown value stands for. Never throws. Kept: name (the class's, where the error sets none of its
 * own), message, stack, `code`, up to ten errors of the chain of causes, and of our own classes their fields. The errors
 * of an AggregateError are listed in the message. Something else than an Error becomes a failure of type "NonError",
 * with the value as `details` where it can be stored. Long texts are cut and say so.
 */
export function toFailure(error: unknown): Failure {
  return write(error, { leftBytes: MAX_FAILURE_BYTES, seen: new Set(), depth: 0 });
}

const MAX_LINE = 500;

/** A thrown value in a line: what it is called and says, cut. Never throws. */
export function lineOf(error: unknown): string {
  const { type, message } = toFailure(error);
  const line = `${type}: ${message}`;
  return line.length <= MAX_LINE ? line : cut(line, MAX_LINE);
}

interface Writing {
  leftBytes: number;
  readonly seen: Set<unknown>;
  depth: number;
}

function write(error: unknown, writing: Writing): Failure {
  writing.leftBytes -= LEVEL_BYTES;
  if (!isError(error)) return writeValue(error, writing);
  writing.seen.add(error);
  // Shortest first: what tells the failure apart is kept, whatever the message's length.
  const type = take(typeOf(error), MAX_WORD, writing);
  const special = writeSpecial(error, writing);
  const message = take(messageOf(error), MAX_TEXT, writing);
  const stack = peek(error, "stack");
  // A stack without frames is what `fromFailure` gives an error whose stack was not kept.
  const hasFrames = typeof stack === "string" && stack !== `${type}: ${message}`;
  const keptStack = hasFrames ? take(stack, MAX_TEXT, writing) : "";
  const cause = writeCause(error, writing);
  return {
    kind: "application",
    retryable: true,
    ...special,
    type,
    message,
    ...(keptStack === "" ? {} : { stack: keptStack }),
    ...(cause === undefined ? {} : { cause }),
  };
}

function writeValue(value: unknown, writing: Writing): Failure {
  const shown = take(`a ${typeof value} was thrown, not an Error: ${show(value)}`, MAX_TEXT, writing);
  const details = value === undefined ? undefined : writeDetails(value, writing);
  const failure: Failure = { kind: "application", type: "NonError", message: shown, retryable: true };
  return details === undefined ? failure : { ...failure, details };
}

/** The fields that only some errors have. */
function writeSpecial(error: Error, writing: Writing): Partial<Failure> {
  if (error instanceof StepFailure) {
    const { attempts } = error;
    return {
      kind: "step",
      retryable: false,
      step: take(error.step, MAX_WORD, writing),
      ...(attempts ? { attempts } : {}),
    };
  }
  if (error instanceof ChildFailure) {
    const child = {
      workflow: take(error.workflow, MAX_WORD, writing),
      workflowId: take(error.workflowId, MAX_WORD, writing),
    };
    return { kind: "child", retryable: false, child };
  }
  if (error instanceof TimeoutFailure) return { kind: "timeout", retryable: error.retryable, timeout: error.timeout };
  if (error instanceof CanceledFailure) return { kind: "canceled", retryable: false };
  if (error instanceof TerminatedFailure) return { kind: "terminated", retryable: false };
  const code = peek(error, "code");
  const kept: Partial<Failure> =
    typeof code === "string"
      ? { code: take(code, MAX_WORD, writing) }
      : typeof code === "number" && Number.isFinite(code)
        ? { code }
        : {};
  if (error instanceof ApplicationFailure) {
    const { retryable, retryAfterMs } = error;
    const details = writeDetails(error.details, writing);
    return {
      ...kept,
      retryable,
      ...(details === undefined ? {} : { details }),
      ...(retryAfterMs === undefined ? {} : { retryAfterMs }),
    };
  }
  if (error instanceof EverstepError) {
    const details = Object.keys(error.details).length === 0 ? undefined : writeDetails(error.details, writing);
    return { ...kept, retryable: error.retryable, ...(details === undefined ? {} : { details }) };
  }
  return kept;
}

function writeDetails(details: unknown, writing: Writing): string | undefined {
  const maxBytes = Math.min(MAX_DETAILS_BYTES, Math.floor(writing.leftBytes / 4));
  // Room for the notice below at least, so that a notice is never replaced by another.
  if (maxBytes < MIN_DETAILS_BYTES) return undefined;
  let stored: string | null;
  try {
    stored = encodePayload(details, "details", { maxBytes, maxValues: 10_000 });
  } catch (error) {
    const reason = error instanceof Error ? error.message : "it cannot be read";
    stored = JSON.stringify({ leftOut: reason.slice(0, MAX_WORD) });
  }
  if (stored === null) return undefined;
  // Details are JSON inside a JSON string: their quotes are escaped once more.
  const bytes = jsonBytes(stored);
  if (bytes > writing.leftBytes) return undefined;
  writing.leftBytes -= bytes;
  return stored;
}

function writeCause(error: Error, writing: Writing): Failure | undefined {
  const cause = peek(error, "cause") ?? firstOf(peek(error, "errors"));
  if (cause === undefined) return undefined;
  writing.depth += 1;
  if (writing.seen.has(cause)) return mark("this cause is one of the errors above: the chain is a cycle");
  if (writing.depth >= MAX_CAUSES || writing.leftBytes < 4 * LEVEL_BYTES) return mark("further causes are left out");
  return write(cause, writing);
}

function mark(message: string): Failure {
  return { kind: "application", type: "Omitted", message, retryable: true };
}

function firstOf(errors: unknown): unknown {
  return Array.isArray(errors) ? peek(errors, 0) : undefined;
}

function typeOf(error: Error): string {
  const name = peek(error, "name");
  const made = peek(peek(error, "constructor"), "name");
  const isOwnName = typeof name === "string" && name !== "" && !isStandardError(name);
  // `class CardDeclined extends Error {}` inherits the name "Error".
  if (!isOwnName && typeof made === "string" && made !== "") return hasOwnName(error) ? String(name) : made;
  return isOwnName ? name : "Error";
}

function messageOf(error: Error): string {
  const message = peek(error, "message");
  const text = typeof message === "string" ? message : show(message);
  const errors = peek(error, "errors");
  if (!Array.isArray(errors) || errors.length === 0) return text;
  const listed = errors.slice(0, MAX_ERRORS_LISTED).map((one) => show(one).slice(0, MAX_WORD));
  const more = errors.length > MAX_ERRORS_LISTED ? [`and ${errors.length - MAX_ERRORS_LISTED} more`] : [];
  return `${text.slice(0, MAX_TEXT / 2)} [${errors.length} errors: ${[...listed, ...more].join("; ")}]`;
}

// Everything below reads values that may be proxies, or have getters that throw.

function isError(value: unknown): value is Error {
  try {
    return value instanceof Error;
  } catch {
    return false;
  }
}

function hasOwnName(error: Error): boolean {
  try {
    return Object.hasOwn(error, "name");
  } catch {
    return false;
  }
}

function peek(value: unknown, key: string | number): unknown {
  try {
    return (value as Record<string | number, unknown> | null | undefined)?.[key];
  } catch {
    return undefined;
  }
}

function show(value: unknown): string {
  try {
    if (typeof value === "string") return value;
    if (value instanceof Error) return `${String(peek(value, "name"))}: ${String(peek(value, "message"))}`;
    if (typeof value === "object" && value !== null) return encodePayload(value, "it", { maxBytes: MAX_TEXT }) ?? "";
    return String(value);
  } catch {
    return "(it cannot be shown)";
  }
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(JSON.stringify(text));
}

/** The text, cut to `maxLength` and to the bytes that are left; a cut text says how long it was. */
function take(text: string, maxLength: number, writing: Writing): string {
  let kept = text.length <= maxLength ? text : cut(text, maxLength);
  let bytes = jsonBytes(kept);
  while (bytes > writing.leftBytes && kept !== "") {
    kept = kept.length <= 100 ? "" : cut(text, Math.floor(kept.length / 2));
    bytes = jsonBytes(kept);
  }
  writing.leftBytes -= bytes;
  return kept;
}

function cut(text: string, maxLength: number): string {
  const ending = `… (${text.length} characters)`;
  const end = Math.max(0, maxLength - ending.length);
  // Not between the halves of a surrogate pair.
  const unit = text.charCodeAt(end - 1);
  return text.slice(0, unit >= 0xd800 && unit < 0xdc00 ? end - 1 : end) + ending;
}

/**
 * The error that a failure stands for, with its chain of causes, name, message and stack. Kinds come back as their
 * classes; of application failures the language's own errors and EverstepError do, and every other is an
 * `ApplicationFailure` under its own name. `toFailure` gives the same failure again.
 */
export function fromFailure(failure: Failure): Error {
  const error = restore(failure);
  setHidden(error, "stack", failure.stack ?? `${error.name}: ${failure.message}`);
  return error;
}

function restore(failure: Failure): Error {
  const { kind, message, type, code } = failure;
  const chained = failure.cause === undefined ? {} : { cause: fromFailure(failure.cause) };
  switch (kind) {
    case "step":
      return new StepFailure(message, { ...chained, step: failure.step ?? "", attempts: failure.attempts });
    case "child":
      return new ChildFailure(message, { ...chained, workflow: "", workflowId: "", ...failure.child });
    case "timeout":
      return new TimeoutFailure(failure.timeout ?? "attempt", message, chained);
    case "canceled":
      return new CanceledFailure(message, chained);
    case "terminated":
      return new TerminatedFailure(message, chained);
    case "application":
      break;
  }
  if (type === "EverstepError" && typeof code === "string" && Object.hasOwn(ERRORS, code)) {
    const details = readDetails(failure);
    return new EverstepError(code as ErrorCode, message, isRecord(details) ? { ...chained, details } : chained);
  }
  if (isStandardError(type) && failure.details === undefined && failure.retryable) {
    const error = recreateError({ name: type, message, ...chained });
    return code === undefined ? error : Object.assign(error, { code });
  }
  const { retryable, retryAfterMs } = failure;
  return new ApplicationFailure(message, {
    ...chained,
    type,
    retryable,
    code,
    retryAfterMs,
    details: readDetails(failure),
  });
}

function readDetails(failure: Failure): unknown {
  if (failure.details === undefined) return undefined;
  try {
    return decodePayload(failure.details, "details");
  } catch {
    // A newer release wrote them: their text still says more than nothing.
    return failure.details;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * What workflow code catches when its step failed for good: a `StepFailure` caused by what the last attempt threw, or,
 * for a step that was canceled, the `CanceledFailure` itself.
 */
export function fromStepFailed(event: {
  readonly name: string;
  readonly attempt: number;
  readonly failure: Failure;
}): Error {
  const { name, attempt, failure } = event;
  if (failure.kind === "canceled") return fromFailure(failure);
  const times = attempt === 1 ? "" : ` after ${attempt} attempts`;
  const reason = `${failure.type === "Error" ? "" : `${failure.type}: `}${failure.message}`;
  return fromFailure({
    kind: "step",
    type: "StepFailure",
    message: `step "${name}" failed${times}: ${reason}`,
    retryable: false,
    step: name,
    attempts: attempt,
    cause: failure,
  });
}

/** What workflow code catches when its child run ended without a result. */
export function fromChildEnded(
  child: { readonly workflow: string; readonly workflowId: string },
  failure: Failure,
): Error {
  const reason = `${failure.type === "Error" ? "" : `${failure.type}: `}${failure.message}`;
  return fromFailure({
    kind: "child",
    type: "ChildFailure",
    message: `child run ${child.workflowId} of workflow "${child.workflow}" ended without a result: ${reason}`,
    retryable: false,
    child,
    cause: failure,
  });
}
