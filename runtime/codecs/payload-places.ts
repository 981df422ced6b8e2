// Where payloads are: which parts of events, mail and questions are payloads, and what each is bound to. What is bound
// here is bound for ever: payloads that were stored are read by it.

import { EVENT_CODES } from "../../sdk/protocol/event.ts";
import type { EventRecord } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { MailItem } from "../store/mail.ts";
import type { PayloadPlace } from "./payload-codec.ts";

const {
  RunStarted,
  StepCompleted,
  StepFailed,
  StepAttemptFailed,
  StepDeferred,
  StepReported,
  SignalReceived,
  UpdateAccepted,
  UpdateCompleted,
  RunCompleted,
  RunFailed,
  RunCanceled,
  RunContinued,
  ChildEnded,
} = EVENT_CODES;

/**
 * What the payload of an event is. Other events have none (timers, cancel requests, patches, ends from outside), one in our own
 * words (why a child was not started, or mail not sent), or one that is kept beside the history as well, to find and sort runs
 * by (attributes and memos), or is for people (notes).
 */
const KINDS: ReadonlyMap<number, PayloadPlace["what"]> = new Map([
  [RunStarted, "input"],
  [StepCompleted, "result"],
  [StepFailed, "failure"],
  [StepAttemptFailed, "failure"],
  [StepDeferred, "heartbeat"],
  [StepReported, "heartbeat"],
  [SignalReceived, "signal"],
  [UpdateAccepted, "updateInput"],
  [UpdateCompleted, "updateResult"],
  [RunCompleted, "result"],
  [RunFailed, "failure"],
  [RunCanceled, "failure"],
  [RunContinued, "input"],
  [ChildEnded, "result"],
]);

type Code = (payload: Payload, place: PayloadPlace) => Promise<Payload>;

/** The event with each of its payloads put through `code`; the very same when it has none. */
export async function codeEvent<E extends EventRecord>(runId: string, seq: number, event: E, code: Code): Promise<E> {
  const { type, command, name } = event;
  const what = isFailed(event) ? "failure" : KINDS.get(type);
  if (what === undefined) return event;
  const payload = await code(event.payload, place(what, { runId }, "event", seq, type, command, name));
  if (event.data === null) return { ...event, payload };
  if (type === StepAttemptFailed)
    return { ...event, payload, data: await codeHeartbeatIn(runId, seq, event.data, code) };
  if (type === RunStarted) return { ...event, payload, data: await codeLastFailureIn(runId, seq, event.data, code) };
  return { ...event, payload };
}

// How an update, a child or a run that is tried again ended is told by the data alone.
function isFailed({ type, data }: EventRecord): boolean {
  if ((type !== UpdateCompleted && type !== ChildEnded && type !== RunContinued) || data === null) return false;
  const {
    isFailed = false,
    failed = false,
    retry,
  } = JSON.parse(data) as {
    isFailed?: boolean;
    failed?: boolean;
    retry?: object;
  };
  return isFailed || failed || retry !== undefined;
}

// How the attempt before failed is kept with the start of a run that is tried again, among its data.
async function codeLastFailureIn(runId: string, seq: number, data: string, code: Code): Promise<string> {
  const parts = JSON.parse(data) as { readonly continues?: { readonly retry?: { readonly failure?: Payload } } };
  const retry = parts.continues?.retry;
  if (typeof retry?.failure !== "string") return data;
  const failure = await code(retry.failure, place("failure", { runId }, "lastFailure", seq));
  return JSON.stringify({ ...parts, continues: { ...parts.continues, retry: { ...retry, failure } } });
}

// The last heartbeat of a failed attempt is kept with it, among its data.
async function codeHeartbeatIn(runId: string, seq: number, data: string, code: Code): Promise<string> {
  const parts = JSON.parse(data) as { readonly heartbeat?: Payload };
  if (typeof parts.heartbeat !== "string") return data;
  const heartbeat = await code(parts.heartbeat, place("heartbeat", { runId }, "eventHeartbeat", seq));
  return JSON.stringify({ ...parts, heartbeat });
}

/** `to`: as the sender named the run. */
export function mailPlace(
  to: Exclude<PayloadPlace["owner"], null>,
  { kind, mailId, name }: Pick<MailItem, "kind" | "mailId" | "name">,
): PayloadPlace {
  const what = kind === "update" ? "updateInput" : kind === "stepReport" ? "stepReport" : "signal";
  return place(what, to, "mail", mailId, name);
}

/** Of what a validator threw: kept with the item of mail that it did not take. */
export function refusalPlace(runId: string, mail: number): PayloadPlace {
  return place("failure", { runId }, "refusal", mail);
}

export function heartbeatPlace(runId: string, command: number, attempt: number): PayloadPlace {
  return place("heartbeat", { runId }, "heartbeat", command, attempt);
}

export function queryPlace({ runId, queryId, name }: { runId: string; queryId: string; name: string }): PayloadPlace {
  return place("queryInput", { runId }, "query", queryId, name);
}

export function answerPlace(queryId: string): PayloadPlace {
  return place("queryAnswer", null, "answer", queryId);
}

function place(
  what: PayloadPlace["what"],
  owner: PayloadPlace["owner"],
  ...parts: readonly (string | number | null)[]
): PayloadPlace {
  return { what, owner, binding: JSON.stringify([what, owner, ...parts]) };
}
