// An event as stores keep it: a type number, the few columns that queries use, and two JSON texts. Only this file knows
// which part of an event goes where.

import {
  type ChildRequested,
  type Continuation,
  EVENT_CODES,
  type Event,
  type EventType,
  type ExternalRequested,
  type HistoryEvent,
  type LockGranted,
  type LockRegained,
  type LockRequested,
  type RepairRequest,
  type RetriedRun,
  type RunContinued,
  type RunForked,
  type RunRetry,
  type RunStarted,
  type StepCompleted,
  type StepFailed,
  type TimerDue,
  type TimerStarted,
  type UnreadSignal,
} from "./event.ts";
import type { Failure } from "./failure.ts";
import type { NoteLevel } from "./notes.ts";
import type { Payload } from "./payload.ts";
import { whyUnreadable } from "./payload-encoded.ts";

export interface EventRecord {
  readonly type: number;
  readonly command: number | null;
  readonly name: string | null;
  /** The event's one payload, stored form. JSON text: it holds no control characters. */
  readonly payload: Payload;
  /** Everything else, as JSON text; null when there is nothing else. */
  readonly data: string | null;
}

export interface StoredEvent extends EventRecord {
  readonly seq: number;
  readonly at: number;
}

const TYPES = new Map<number, EventType>(Object.entries(EVENT_CODES).map(([type, code]) => [code, type as EventType]));

interface StartedData
  extends Pick<
    RunStarted,
    | "seed"
    | "attributes"
    | "memo"
    | "summary"
    | "details"
    | "headers"
    | "chainTimeoutMs"
    | "retry"
    | "parent"
    | "root"
    | "version"
  > {
  /** The failure in it is a text of its own, which codecs may stand before. */
  readonly continues?: Omit<Continuation, "retry"> & { readonly retry?: Omit<RetriedRun, "failure"> & Failed };
}

interface Failed {
  readonly failure: Payload;
}

interface Acted {
  readonly actor?: string;
}

interface Reported extends Acted {
  readonly mail?: number;
  readonly reportId?: string;
  readonly summary?: string;
}

interface Attempted extends Reported {
  readonly attempt?: number;
  readonly inputHash?: string;
}

// Attempt 1 without input, ended by its body, is by far the most common: it is stored as null.
function attempted(event: StepCompleted | StepFailed): string | null {
  const { attempt, inputHash, mail, summary } = event;
  if (attempt === 1 && inputHash === null && mail === undefined && summary === undefined) return null;
  const data: Attempted = {
    ...(attempt === 1 ? {} : { attempt }),
    ...(inputHash === null ? {} : { inputHash }),
    ...reported(event),
  };
  return JSON.stringify(data);
}

function reported({ mail, reportId, actor, summary }: Reported): Reported {
  return {
    ...(summary === undefined ? {} : { summary }),
    ...(mail === undefined ? {} : { mail }),
    ...(reportId === undefined ? {} : { reportId }),
    ...acted({ actor }),
  };
}

/** Nothing where nobody is named: the record is as it would be without this. */
function acted({ actor }: { readonly actor?: string | undefined }): { readonly actor?: string } {
  return actor === undefined ? {} : { actor };
}

interface FailedData extends Reported {
  readonly attempt: number;
  readonly delayMs: number;
  readonly firstAttemptAt: number;
  readonly heartbeat: Payload;
}

interface DeferredData {
  readonly attempt: number;
  readonly verifier: string;
  readonly startedAt: number;
  readonly firstAttemptAt: number;
  readonly inputHash: string;
}

interface RequestedData extends Acted {
  readonly mail: number;
  readonly requestId: string;
}

export function toRecord(event: Event): EventRecord {
  const type = EVENT_CODES[event.type];
  switch (event.type) {
    case "RunStarted":
      return {
        type,
        command: null,
        name: event.workflow,
        payload: event.input,
        data: startedData(event),
      };
    case "StepCompleted":
      return {
        type,
        command: event.command,
        name: event.name,
        payload: event.result,
        data: attempted(event),
      };
    case "StepFailed":
      return {
        type,
        command: event.command,
        name: event.name,
        payload: JSON.stringify(event.failure),
        data: attempted(event),
      };
    case "StepAttemptFailed":
      return {
        type,
        command: event.command,
        name: event.name,
        payload: JSON.stringify(event.failure),
        data: JSON.stringify({
          attempt: event.attempt,
          delayMs: event.delayMs,
          firstAttemptAt: event.firstAttemptAt,
          heartbeat: event.heartbeat,
          ...reported(event),
        }),
      };
    case "StepDeferred": {
      const { command, name, heartbeat, attempt, verifier, startedAt, firstAttemptAt, inputHash } = event;
      const data = { attempt, verifier, startedAt, firstAttemptAt, ...(inputHash === null ? {} : { inputHash }) };
      return { type, command, name, payload: heartbeat, data: JSON.stringify(data) };
    }
    case "StepReported": {
      const { command, name, details, attempt, mail, reportId, report } = event;
      const data = { attempt, mail, reportId, ...(report === "ignored" ? { isIgnored: true } : {}), ...acted(event) };
      return { type, command, name, payload: details, data: JSON.stringify(data) };
    }
    case "TimerStarted":
      return { type, command: event.command, name: event.name, payload: null, data: timerData(event) };
    case "TimerFired":
      return { type, command: event.command, name: event.name, payload: null, data: null };
    case "StepRetried": {
      const { command, name, attempt, mail, requestId } = event;
      return { type, command, name, payload: null, data: mailData(mail, { requestId, attempt, ...acted(event) }) };
    }
    case "TimerSkipped": {
      const { command, name, mail, requestId } = event;
      return { type, command, name, payload: null, data: mailData(mail, { requestId, ...acted(event) }) };
    }
    case "RequestIgnored": {
      const { mail, requestId, request } = event;
      return {
        type,
        command: null,
        name: request,
        payload: null,
        data: mailData(mail, { requestId, ...acted(event) }),
      };
    }
    case "SignalReceived":
      return {
        type,
        command: null,
        name: event.name,
        payload: event.payload,
        data: JSON.stringify({
          signalId: event.signalId,
          mail: event.mail,
          ...(event.isEarly ? { isEarly: true } : {}),
        }),
      };
    case "UpdateAccepted":
      return {
        type,
        command: null,
        name: event.name,
        payload: event.input,
        data: JSON.stringify({ updateId: event.updateId, mail: event.mail }),
      };
    case "UpdateCompleted":
      return {
        type,
        command: null,
        name: event.name,
        payload: event.failure === null ? event.result : JSON.stringify(event.failure),
        data: JSON.stringify({ updateId: event.updateId, ...(event.failure === null ? {} : { isFailed: true }) }),
      };
    case "CancelRequested":
      return {
        type,
        command: null,
        name: null,
        payload: null,
        data: mailData(event.mail, { reason: event.reason, ...acted(event) }),
      };
    case "RunPaused": {
      const { mail, reason } = event;
      return { type, command: null, name: null, payload: null, data: mailData(mail, { reason, ...acted(event) }) };
    }
    case "RunResumed":
      return { type, command: null, name: null, payload: null, data: mailData(event.mail, acted(event)) };
    case "RunUnblocked": {
      const { mail, kind } = event;
      return { type, command: null, name: null, payload: null, data: mailData(mail, { kind, ...acted(event) }) };
    }
    case "RunAdopted":
      return { type, command: null, name: null, payload: null, data: mailData(event.mail, { by: event.by }) };
    case "RunMoved": {
      const { mail, version } = event;
      return {
        type,
        command: null,
        name: null,
        payload: null,
        data: mailData(mail, { ...(version === null ? {} : { version }), ...acted(event) }),
      };
    }
    case "RunForked":
      return { type, command: null, name: null, payload: null, data: forkedData(event) };
    case "PatchMarked":
      return {
        type,
        command: null,
        name: event.name,
        payload: null,
        data: JSON.stringify({ since: event.since, ...(event.isDeprecated ? { isDeprecated: true } : {}) }),
      };
    case "CompensationBegun":
      return { type, command: null, name: null, payload: null, data: JSON.stringify({ since: event.since }) };
    case "AttributesUpserted":
    case "MemoUpserted":
      return { type, command: event.command, name: event.name, payload: event.changes, data: null };
    case "RunNoted":
      return { type, command: event.command, name: event.name, payload: JSON.stringify(event.text), data: null };
    case "RunCompleted":
      return { type, command: null, name: null, payload: event.result, data: unreadData(event.unread) };
    case "RunFailed":
    case "RunCanceled":
      return {
        type,
        command: null,
        name: null,
        payload: JSON.stringify(event.failure),
        data: unreadData(event.unread),
      };
    case "RunTerminated": {
      const { reason } = event;
      return { type, command: null, name: null, payload: null, data: JSON.stringify({ reason, ...acted(event) }) };
    }
    case "RunTimedOut":
      return { type, command: null, name: null, payload: null, data: JSON.stringify({ timeoutMs: event.timeoutMs }) };
    case "ChildStarted": {
      const { command, name, mail, adopted } = event;
      const data = mailData(mail, adopted === undefined ? {} : { adopted });
      return { type, command, name, payload: null, data };
    }
    case "ExternalDelivered":
      return { type, command: event.command, name: event.name, payload: null, data: mailData(event.mail) };
    case "ChildStartFailed":
    case "ExternalFailed":
      return {
        type,
        command: event.command,
        name: event.name,
        payload: JSON.stringify(event.failure),
        data: mailData(event.mail),
      };
    case "ChildEnded": {
      const { command, name, failure, mail } = event;
      const payload = failure === null ? event.result : JSON.stringify(failure);
      return {
        type,
        command,
        name,
        payload,
        data: JSON.stringify(failure === null ? { mail } : { mail, failed: true }),
      };
    }
    case "ChildRequested": {
      const { command, name, inputHash, childRunId, childWorkflowId } = event;
      return { type, command, name, payload: null, data: JSON.stringify({ inputHash, childRunId, childWorkflowId }) };
    }
    case "ExternalRequested": {
      const { command, name, inputHash } = event;
      return { type, command, name, payload: null, data: JSON.stringify({ inputHash }) };
    }
    case "LockRequested": {
      const { command, name, permits, capacity } = event;
      // A lock is the common one.
      const data = permits === 1 && capacity === 1 ? null : JSON.stringify({ permits, capacity });
      return { type, command, name, payload: null, data };
    }
    case "LockGranted": {
      const { command, name, mail, fencingToken } = event;
      return { type, command, name, payload: null, data: mailData(mail, { fencingToken }) };
    }
    case "LockRegained": {
      const { command, name, fencingToken } = event;
      return { type, command, name, payload: null, data: JSON.stringify({ fencingToken }) };
    }
    case "LockReleased":
      return { type, command: event.command, name: event.name, payload: null, data: null };
    case "RunContinued":
      return { type, command: null, name: event.workflow, ...continuedParts(event) };
  }
}

// A run that is tried again has its input twice as it is: here is how it failed instead.
function continuedParts({ nextRunId, input, retry }: RunContinued): Pick<EventRecord, "payload" | "data"> {
  if (retry === undefined) return { payload: input, data: JSON.stringify({ nextRunId }) };
  const { attempt, delayMs, failure } = retry;
  return { payload: JSON.stringify(failure), data: JSON.stringify({ nextRunId, retry: { attempt, delayMs } }) };
}

function timerData({ due, summary }: TimerStarted): string {
  return JSON.stringify(summary === undefined ? due : { ...due, summary });
}

function mailData(mail: number, more: Readonly<Record<string, unknown>> = {}): string {
  return JSON.stringify({ mail, ...more });
}

function forkedData(forked: RunForked): string {
  const { source, event, origin, seed, isEdited, retried, isBeside, version, locks, actor } = forked;
  return JSON.stringify({
    source,
    event,
    ...(origin === undefined ? {} : { origin }),
    seed,
    ...(isEdited ? { isEdited } : {}),
    ...(retried === null ? {} : { retried }),
    ...(isBeside === undefined ? {} : { isBeside }),
    ...(version === undefined ? {} : { version }),
    ...(locks === undefined ? {} : { locks }),
    ...acted({ actor }),
  });
}

function startedData(event: RunStarted): string {
  const { seed, attributes = null, memo = null, summary, details, headers, chainTimeoutMs } = event;
  const { retry, continues, parent, root, version } = event;
  const data: { -readonly [Field in keyof StartedData]: StartedData[Field] } = { seed };
  if (attributes !== null) data.attributes = attributes;
  if (memo !== null) data.memo = memo;
  if (summary !== undefined) data.summary = summary;
  if (details !== undefined) data.details = details;
  if (headers !== undefined) data.headers = headers;
  if (chainTimeoutMs !== undefined) data.chainTimeoutMs = chainTimeoutMs;
  if (retry !== undefined) data.retry = retry;
  if (continues !== undefined) data.continues = keptContinuation(continues);
  if (parent !== undefined) data.parent = parent;
  if (root !== undefined) data.root = root;
  if (version !== undefined) data.version = version;
  return JSON.stringify(data);
}

function keptContinuation({ retry, ...continues }: Continuation): NonNullable<StartedData["continues"]> {
  if (retry === undefined) return continues;
  return { ...continues, retry: { ...retry, failure: JSON.stringify(retry.failure) } };
}

function continuationOf({ retry, ...continues }: NonNullable<StartedData["continues"]>): Continuation {
  return retry === undefined ? continues : { ...continues, retry: { ...retry, failure: failureIn(retry.failure) } };
}

function unreadData(unread: readonly UnreadSignal[]): string | null {
  return unread.length === 0 ? null : JSON.stringify({ unread });
}

// The record was written by toRecord: its shape is trusted, its type number is not (a newer release may have more).
function dataOf<T>(record: EventRecord): Partial<T> {
  return record.data === null ? {} : (JSON.parse(record.data) as Partial<T>);
}

/** The type of what stands for a failure that could not be read. No thrown error's name has a colon. */
export const UNREADABLE_FAILURE = "everstep:unreadable";

function failureOf(record: EventRecord): Failure {
  return failureIn(record.payload);
}

function failureIn(payload: Payload): Failure {
  const why = whyUnreadable(payload);
  if (why !== undefined) return { kind: "application", type: UNREADABLE_FAILURE, message: why, retryable: false };
  return JSON.parse(payload ?? "null") as Failure;
}

/** Undefined for a type number this release does not know. */
export function fromRecord(record: StoredEvent): HistoryEvent | undefined {
  const type = TYPES.get(record.type);
  if (type === undefined) return undefined;
  const { seq, at } = record;
  const command = record.command ?? 0;
  const name = record.name ?? "";
  switch (type) {
    case "RunStarted": {
      const { continues, ...data } = dataOf<StartedData>(record);
      const started = { type, seq, at, workflow: name, input: record.payload, seed: "", ...data };
      return continues === undefined ? started : { ...started, continues: continuationOf(continues) };
    }
    case "StepCompleted": {
      const data = dataOf<Attempted>(record);
      const { attempt = 1, inputHash = null } = data;
      if (data.mail === undefined && data.summary === undefined) {
        return { type, seq, at, command, name, result: record.payload, attempt, inputHash };
      }
      return { type, seq, at, command, name, result: record.payload, attempt, inputHash, ...reported(data) };
    }
    case "StepFailed": {
      const data = dataOf<Attempted>(record);
      const { attempt = 1, inputHash = null } = data;
      return { type, seq, at, command, name, failure: failureOf(record), attempt, inputHash, ...reported(data) };
    }
    case "StepAttemptFailed": {
      const data = dataOf<FailedData>(record);
      const { attempt = 1, delayMs = 0, firstAttemptAt = at, heartbeat = null } = data;
      const failed = { attempt, delayMs, firstAttemptAt, heartbeat, ...reported(data) };
      return { type, seq, at, command, name, failure: failureOf(record), ...failed };
    }
    case "StepDeferred": {
      const data = dataOf<DeferredData>(record);
      const { attempt = 1, verifier = "", startedAt = at, firstAttemptAt = at, inputHash = null } = data;
      const heartbeat = record.payload;
      return { type, seq, at, command, name, attempt, verifier, startedAt, firstAttemptAt, heartbeat, inputHash };
    }
    case "StepReported": {
      const data = dataOf<{ attempt: number; mail: number; reportId: string; isIgnored: boolean } & Acted>(record);
      const { attempt = 1, mail = 0, reportId = "", isIgnored = false } = data;
      const report = isIgnored ? "ignored" : "heartbeat";
      return { type, seq, at, command, name, attempt, mail, reportId, report, details: record.payload, ...acted(data) };
    }
    case "TimerStarted": {
      const { summary, ...due } = dataOf<TimerDue & { summary: string }>(record);
      return { type, seq, at, command, name, due: due as TimerDue, ...(summary === undefined ? {} : { summary }) };
    }
    case "TimerFired":
      return { type, seq, at, command, name };
    case "StepRetried": {
      const { mail = 0, requestId = "", attempt = 1, actor } = dataOf<RequestedData & { attempt: number }>(record);
      return { type, seq, at, command, name, attempt, mail, requestId, ...acted({ actor }) };
    }
    case "TimerSkipped": {
      const { mail = 0, requestId = "", actor } = dataOf<RequestedData>(record);
      return { type, seq, at, command, name, mail, requestId, ...acted({ actor }) };
    }
    case "RequestIgnored": {
      const { mail = 0, requestId = "", actor } = dataOf<RequestedData>(record);
      return { type, seq, at, mail, requestId, request: name as RepairRequest, ...acted({ actor }) };
    }
    case "SignalReceived": {
      const {
        signalId = "",
        mail = 0,
        isEarly = false,
      } = dataOf<{ signalId: string; mail: number; isEarly: boolean }>(record);
      return { type, seq, at, name, signalId, mail, payload: record.payload, isEarly };
    }
    case "UpdateAccepted": {
      const { updateId = "", mail = 0 } = dataOf<{ updateId: string; mail: number }>(record);
      return { type, seq, at, name, updateId, mail, input: record.payload };
    }
    case "UpdateCompleted": {
      const { updateId = "", isFailed = false } = dataOf<{ updateId: string; isFailed: boolean }>(record);
      const outcome = isFailed
        ? { result: null, failure: failureOf(record) }
        : { result: record.payload, failure: null };
      return { type, seq, at, name, updateId, ...outcome };
    }
    case "CancelRequested":
    case "RunPaused": {
      const { mail = 0, reason = "", actor } = dataOf<{ mail: number; reason: string } & Acted>(record);
      return { type, seq, at, mail, reason, ...acted({ actor }) };
    }
    case "RunResumed": {
      const { mail = 0, actor } = dataOf<{ mail: number } & Acted>(record);
      return { type, seq, at, mail, ...acted({ actor }) };
    }
    case "RunUnblocked": {
      const { mail = 0, kind = "", actor } = dataOf<{ mail: number; kind: string } & Acted>(record);
      return { type, seq, at, mail, kind, ...acted({ actor }) };
    }
    case "RunAdopted": {
      const { mail = 0, by = "" } = dataOf<{ mail: number; by: string }>(record);
      return { type, seq, at, mail, by };
    }
    case "RunForked": {
      const {
        source = "",
        event = 0,
        origin,
        seed = "",
        isEdited = false,
        retried = null,
        isBeside,
        version,
        locks,
        actor,
      } = dataOf<RunForked>(record);
      const forked = { type, seq, at, source, event, seed, isEdited, retried } as const;
      return {
        ...forked,
        ...(origin !== undefined && { origin }),
        ...(isBeside && { isBeside }),
        ...(version !== undefined && { version }),
        ...(locks !== undefined && { locks }),
        ...acted({ actor }),
      };
    }
    case "RunMoved": {
      const { mail = 0, version = null, actor } = dataOf<{ mail: number; version: string } & Acted>(record);
      return { type, seq, at, mail, version, ...acted({ actor }) };
    }
    case "PatchMarked": {
      const { since = 0, isDeprecated = false } = dataOf<{ since: number; isDeprecated: boolean }>(record);
      return { type, seq, at, name, since, isDeprecated };
    }
    case "CompensationBegun":
      return { type, seq, at, since: dataOf<{ since: number }>(record).since ?? 0 };
    case "AttributesUpserted":
    case "MemoUpserted":
      return { type, seq, at, command, name, changes: record.payload };
    case "RunNoted":
      return { type, seq, at, command, name: name as NoteLevel, text: JSON.parse(record.payload ?? '""') as string };
    case "RunCompleted":
      return { type, seq, at, result: record.payload, unread: dataOf<{ unread: UnreadSignal[] }>(record).unread ?? [] };
    case "RunFailed":
    case "RunCanceled":
      return {
        type,
        seq,
        at,
        failure: failureOf(record),
        unread: dataOf<{ unread: UnreadSignal[] }>(record).unread ?? [],
      };
    case "RunTerminated": {
      const { reason = "", actor } = dataOf<{ reason: string } & Acted>(record);
      return { type, seq, at, reason, ...acted({ actor }) };
    }
    case "RunTimedOut":
      return { type, seq, at, timeoutMs: dataOf<{ timeoutMs: number }>(record).timeoutMs ?? 0 };
    case "ChildStarted": {
      const { mail = 0, adopted } = dataOf<{ mail: number; adopted: string }>(record);
      return { type, seq, at, command, name, mail, ...(adopted !== undefined && { adopted }) };
    }
    case "ExternalDelivered":
      return { type, seq, at, command, name, mail: dataOf<{ mail: number }>(record).mail ?? 0 };
    case "ChildStartFailed":
    case "ExternalFailed": {
      const { mail = 0 } = dataOf<{ mail: number }>(record);
      return { type, seq, at, command, name, mail, failure: failureOf(record) };
    }
    case "ChildEnded": {
      const { mail = 0, failed = false } = dataOf<{ mail: number; failed: boolean }>(record);
      const end = failed ? { result: null, failure: failureOf(record) } : { result: record.payload, failure: null };
      return { type, seq, at, command, name, mail, ...end };
    }
    case "ChildRequested": {
      const { inputHash = "", childRunId = "", childWorkflowId = "" } = dataOf<ChildRequested>(record);
      return { type, seq, at, command, name, inputHash, childRunId, childWorkflowId };
    }
    case "ExternalRequested":
      return { type, seq, at, command, name, inputHash: dataOf<ExternalRequested>(record).inputHash ?? "" };
    case "LockRequested": {
      const { permits = 1, capacity = 1 } = dataOf<LockRequested>(record);
      return { type, seq, at, command, name, permits, capacity };
    }
    case "LockGranted": {
      const { mail = 0, fencingToken = 0 } = dataOf<LockGranted>(record);
      return { type, seq, at, command, name, mail, fencingToken };
    }
    case "LockRegained":
      return { type, seq, at, command, name, fencingToken: dataOf<LockRegained>(record).fencingToken ?? 0 };
    case "LockReleased":
      return { type, seq, at, command, name };
    case "RunContinued": {
      const { nextRunId = "", retry } = dataOf<{ nextRunId: string; retry: Omit<RunRetry, "failure"> }>(record);
      if (retry === undefined) return { type, seq, at, nextRunId, workflow: name, input: record.payload };
      return { type, seq, at, nextRunId, workflow: name, input: null, retry: { ...retry, failure: failureOf(record) } };
    }
  }
}
