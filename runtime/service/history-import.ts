// A history file, on its way into a database. A file is data from elsewhere: every part of it is looked at before any of it
// is stored, and what does not look as this release would have written it is refused, naming the place.

import { MAX_ATTRIBUTE_BYTES } from "../../sdk/protocol/attributes.ts";
import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import { type HistoryEvent, isClosing } from "../../sdk/protocol/event.ts";
import { fromRecord, type StoredEvent } from "../../sdk/protocol/event-record.ts";
import { HISTORY_FORMAT, HISTORY_VERSION, type HistoryFile } from "../../sdk/protocol/history-file.ts";
import { assertName, assertWorkflowId } from "../../sdk/protocol/names.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import { isVersion } from "../../sdk/protocol/versions.ts";
import type { KeptMail, MailKind } from "../store/mail.ts";
import { CANCEL_MAIL_ID, updateMailId } from "../store/mail-id.ts";
import { changesIn, DATA_KINDS, type DataChange, startedWith } from "../store/run-data.ts";
import type { ImportRequest } from "../store/starts.ts";
import { versionIn } from "../store/versions.ts";
import { askedOfOthers } from "./asked-of-others.ts";
import { lockedIn } from "./locked-in.ts";

const RUN_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const MAX_COUNT = 2 ** 31 - 1;
const MAX_PAYLOAD_BYTES = 2 * 1024 * 1024;
/** Of what an event has besides: a heartbeat's details or a start's attributes, memo and details, escaped once more. */
const MAX_DATA_BYTES = 8 * 1024 * 1024;
const MAX_TEXT_LENGTH = 1_000;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what no store takes in a name
const UNSTORABLE = /[\u0000\u001e\u001f]/;
const KINDS: readonly string[] = [
  "signal",
  "cancel",
  "update",
  "stepReport",
  "retryNow",
  "skipSleep",
  "move",
] satisfies MailKind[];
const STATUSES: Readonly<Record<string, ClosedStatus>> = {
  RunCompleted: "completed",
  RunFailed: "failed",
  RunCanceled: "canceled",
  RunTerminated: "terminated",
  RunTimedOut: "timedOut",
  RunContinued: "continuedAsNew",
};

/** `tag`: random, the same over retries. Throws ARGUMENT_INVALID. */
export function importRequest(file: HistoryFile, tag: string): ImportRequest {
  assertForm(file);
  const { workflow, workflowId, runId, queue, startedAt, closedAt, deadlineAt } = file;
  assertName(workflow, "workflow of a history file");
  assertWorkflowId(workflowId, "workflowId of a history file");
  assertName(queue, "queue of a history file");
  if (typeof runId !== "string" || !RUN_ID.test(runId)) throw invalid("its runId is no ULID");
  if (!isTime(startedAt)) throw invalid("its startedAt is no time");
  if (deadlineAt !== null && !isTime(deadlineAt)) throw invalid("its deadlineAt is neither a time nor null");
  const events = file.events.map(storedEvent);
  const told = events.map(toldEvent);
  assertWhole(told, workflow);
  assertData(events);
  const closed = closedBy(told.at(-1), closedAt);
  const taken = takenMailOf(told);
  const asked = closed === null ? askedOfOthers(told) : undefined;
  if (asked !== undefined)
    throw invalid(`it is open, and waits for another run ("${asked}") that stays where it came from`);
  const [lock] = closed === null ? lockedIn(told) : [];
  if (lock !== undefined) throw invalid(`it is open, and holds or waits for the lock "${lock.key}" where it came from`);
  const newest = told.reduce((mail, event) => Math.max(mail, "mail" in event ? (event.mail ?? 0) : 0), 0);
  // Places between are those of updates that were refused: no event tells of them, so what was not taken moves up.
  const untaken = file.mail.map((item, index) => untakenMail(item, index, newest + 1 + index));
  if (closed !== null && untaken.length > 0) throw invalid("it is closed, and has mail that it has not taken");
  const mail = [...taken, ...untaken];
  if (new Set(mail.map(({ mailId }) => mailId)).size < mail.length) throw invalid("two of its mail have one id");
  const attempt = attemptOf(told);
  const version = versionToldBy(told, untaken);
  const facts = { runId, workflowId, workflow, queue, version, attempt, startedAt, deadlineAt, closed };
  return { ...facts, events, mail, takenMail: newest, tag };
}

function assertForm(file: HistoryFile): void {
  if (typeof file !== "object" || file === null) throw invalid("it is no object");
  const { format, version, events, mail } = file;
  if (format !== HISTORY_FORMAT || version !== HISTORY_VERSION) {
    throw invalid(
      `it is of the form ${String(format)} ${String(version)}; known is ${HISTORY_FORMAT} ${HISTORY_VERSION}`,
    );
  }
  if (!Array.isArray(events) || events.length === 0) throw invalid("it has no events");
  if (!Array.isArray(mail)) throw invalid("it has no list of mail");
}

/** The event with nothing else in it. */
function storedEvent(given: StoredEvent, index: number): StoredEvent {
  const place = index + 1;
  if (typeof given !== "object" || given === null) throw invalid(`entry ${place} of its events is no object`);
  const { seq, at, type, command, name, payload, data } = given;
  if (seq !== place) throw invalid(`event ${place} has the seq ${String(seq)}: events count from 1 without gaps`);
  if (!isTime(at)) throw invalid(`event ${place} has no time`);
  if (command !== null && !isCount(command)) throw invalid(`event ${place} has a command that is no number from 1`);
  if (name !== null && !isText(name)) throw invalid(`event ${place} has a name that cannot be stored`);
  if (!isJson(payload, MAX_PAYLOAD_BYTES)) throw invalid(`event ${place} has a payload that is no JSON, or too large`);
  if (!isJson(data, MAX_DATA_BYTES)) throw invalid(`event ${place} has data that is no JSON, or too large`);
  return { seq, at, type, command, name, payload, data };
}

function toldEvent(stored: StoredEvent): HistoryEvent {
  const { seq } = stored;
  let event: HistoryEvent | undefined;
  try {
    event = fromRecord(stored);
  } catch (error) {
    throw invalid(`event ${seq} cannot be read`, error);
  }
  if (event === undefined) throw invalid(`event ${seq} is of the type ${String(stored.type)}, which is not known here`);
  if ("command" in event && stored.command === null) throw invalid(`event ${seq} answers no command`);
  if (stored.name === null && "name" in event) throw invalid(`event ${seq} has no name`);
  if ("failure" in event && event.failure !== null && typeof event.failure?.message !== "string") {
    throw invalid(`event ${seq} has no failure that can be read`);
  }
  return event;
}

function assertWhole(events: readonly HistoryEvent[], workflow: string): void {
  const [first] = events;
  if (first?.type !== "RunStarted" || first.workflow !== workflow) {
    throw invalid(`its first event is no RunStarted of workflow "${workflow}"`);
  }
  const { chainTimeoutMs = 1 } = first;
  if (!isTime(chainTimeoutMs) || chainTimeoutMs === 0) throw invalid("its chain has a limit that is no time");
  const again = events.find((event, index) => index > 0 && event.type === "RunStarted");
  if (again !== undefined) throw invalid(`event ${again.seq} starts the run again`);
  const early = events.find((event, index) => index < events.length - 1 && isClosing(event));
  if (early !== undefined) throw invalid(`event ${early.seq} ends the run, and others follow`);
}

/** What lists are made of can be read and kept. */
function assertData(events: readonly StoredEvent[]): void {
  let changes: DataChange[];
  try {
    const [first] = events;
    changes = [...(first === undefined ? [] : startedWith(first)), ...changesIn(events)];
  } catch (error) {
    throw invalid("its attributes or memo cannot be read", error);
  }
  for (const { kind, name, rows } of changes) {
    const isKept = rows.every(({ type, number, text }) => {
      const isShort = kind !== DATA_KINDS.attribute || Buffer.byteLength(text) <= MAX_ATTRIBUTE_BYTES;
      return Number.isInteger(type) && !Number.isNaN(number) && !UNSTORABLE.test(text) && isShort;
    });
    if (!isKept || !isText(name)) throw invalid(`its attribute or memo ${JSON.stringify(name)} cannot be kept`);
  }
}

function attemptOf([first]: readonly HistoryEvent[]): number {
  const retry = first?.type === "RunStarted" ? first.continues?.retry : undefined;
  if (retry === undefined) return 1;
  if (!isCount(retry.attempt) || typeof retry.failure?.message !== "string") {
    throw invalid("its first event tells of an attempt before it that cannot be read");
  }
  return retry.attempt;
}

function closedBy(last: HistoryEvent | undefined, closedAt: number | null): ImportRequest["closed"] {
  const status = last === undefined ? undefined : STATUSES[last.type];
  if (status === undefined && closedAt === null) return null;
  if (status === undefined) throw invalid("it has a closedAt, and its last event does not end the run");
  if (!isTime(closedAt)) throw invalid("its last event ends the run, and its closedAt is no time");
  return { status, at: closedAt };
}

/** As it lay in the mailbox: who sends any of it again is told that it was accepted. */
function takenMailOf(events: readonly HistoryEvent[]): KeptMail[] {
  const taken: KeptMail[] = [];
  for (const event of events) {
    const item = mailOf(event);
    if (item === null) continue;
    if (!isCount(item.mail) || item.mail <= (taken.at(-1)?.mail ?? 0)) {
      throw invalid(`event ${event.seq} takes mail ${String(item.mail)} out of order`);
    }
    if (!isText(item.mailId)) throw invalid(`event ${event.seq} takes mail without an id`);
    taken.push(item);
  }
  return taken;
}

function mailOf(event: HistoryEvent): KeptMail | null {
  switch (event.type) {
    case "SignalReceived":
      return { kind: "signal", mail: event.mail, mailId: event.signalId, name: event.name, payload: event.payload };
    case "UpdateAccepted": {
      const { mail, updateId, name, input } = event;
      return { kind: "update", mail, mailId: updateMailId(updateId), name, payload: input };
    }
    case "CancelRequested":
      return { kind: "cancel", mail: event.mail, mailId: CANCEL_MAIL_ID, name: event.reason, payload: null };
    default:
      return null;
  }
}

/** The version that the run goes on with: it may have been moved without having heard of it. */
function versionToldBy(events: readonly HistoryEvent[], untaken: readonly KeptMail[]): string | null {
  const move = untaken.findLast(({ kind }) => kind === "move");
  const version = move === undefined ? versionIn(events) : move.name === "" ? null : move.name;
  if (version !== null && !isVersion(version))
    throw invalid(`its version is ${JSON.stringify(version)}, which is none`);
  return version;
}

function untakenMail(given: HistoryFile["mail"][number], index: number, mail: number): KeptMail {
  const place = `entry ${index + 1} of its mail`;
  if (typeof given !== "object" || given === null) throw invalid(`${place} is no object`);
  const { kind, mailId, name, payload } = given;
  if (!KINDS.includes(kind)) throw invalid(`${place} is of the kind ${String(kind)}, which is not known here`);
  if (!isText(mailId) || !isText(name)) throw invalid(`${place} has an id or a name that cannot be stored`);
  if (!isJson(payload, MAX_PAYLOAD_BYTES)) throw invalid(`${place} has a payload that is no JSON, or too large`);
  return { kind: kind as MailKind, mail, mailId, name, payload };
}

function isTime(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 8.64e15;
}

function isCount(value: unknown): boolean {
  return typeof value === "number" && Number.isInteger(value) && value >= 1 && value <= MAX_COUNT;
}

function isText(value: unknown): boolean {
  return typeof value === "string" && value.length <= MAX_TEXT_LENGTH + "update:".length && !UNSTORABLE.test(value);
}

function isJson(text: unknown, maxBytes: number): boolean {
  if (text === null) return true;
  if (typeof text !== "string" || Buffer.byteLength(text) > maxBytes) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function invalid(why: string, cause?: unknown): EverstepError {
  const reason =
    cause === undefined ? "" : ` (${isEverstepError(cause) || cause instanceof Error ? cause.message : cause})`;
  const message = `A history file cannot be imported: ${why}${reason}. Nothing was stored.`;
  return new EverstepError("ARGUMENT_INVALID", message, { cause, details: { argument: "file" } });
}
