// What a run asks of other runs: the event that says so in its own history, and the errand or the place in a queue that goes
// with it.

import type { ParentRun } from "../../sdk/protocol/event.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { NO_HEADERS, type RunHeaders } from "../../sdk/protocol/headers.ts";
import { shorterOf } from "../../sdk/protocol/run-limits.ts";
import type { PendingChild, PendingLock, PendingMessage } from "../replay/pending.ts";
import type { ClaimedRun } from "../store/claims.ts";
import type { Errand } from "../store/errands.ts";
import { CANCEL_MAIL_ID, signalMailId } from "../store/mail-id.ts";
import type { Outgoing } from "./outbox.ts";
import type { IdSource } from "./run-host.ts";

/** The run that asks. Its children carry its headers, unless they were exchanged. */
type Asking = ClaimedRun & { readonly headers: RunHeaders; readonly root: ParentRun | undefined };

export function requestOf(
  pending: PendingChild | PendingMessage | PendingLock,
  facts: Asking,
  ids: IdSource,
): Outgoing {
  switch (pending.kind) {
    case "StartChild":
      return childRequest(pending, facts, ids);
    case "SendMessage":
      return messageRequest(pending, facts);
    case "AcquireLock":
      return lockRequest(pending, facts);
  }
}

function childRequest(
  pending: PendingChild,
  { runId, workflowId, queue, headers, root }: Asking,
  ids: IdSource,
): Outgoing {
  const { command, name, ask, workflowId: childWorkflowId } = pending;
  const { workflow, input, inputHash, version, attributes, memo, timeoutMs, chainTimeoutMs, retry } = ask;
  const { onReuse, onConflict, parentClosePolicy: policy } = ask;
  const childRunId = pending.childRunId ?? ids.newRunId();
  const parent = { runId, workflowId };
  const carriedHeaders = ask.headers ?? headers;
  const carried = {
    attributes,
    memo,
    ...(carriedHeaders !== NO_HEADERS && { headers: carriedHeaders }),
    ...(chainTimeoutMs !== null && { chainTimeoutMs }),
    ...(retry && { retry }),
    ...(root && { root }),
  };
  const started = toRecord({ type: "RunStarted", workflow, input, seed: ids.chance.uuid(), ...carried, parent });
  const child = {
    runId: childRunId,
    workflowId: childWorkflowId,
    workflow,
    queue: ask.queue ?? queue,
    started,
    carriesData: attributes !== null || memo !== null,
    onReuse,
    ...(onConflict !== "fail" && { onConflict }),
    timeoutMs: shorterOf(timeoutMs, chainTimeoutMs),
  };
  const asker = { runId, command, name };
  const { isStarted, isBeside, isAdopted } = pending;
  const errand: Errand = {
    do: "start",
    asker,
    child,
    policy: isAdopted ? "abandon" : policy,
    ...(version !== null && { version }),
    ...(pending.childRunId !== null && { again: { isStarted, isBeside } }),
  };
  return { event: { type: "ChildRequested", command, name, inputHash, childRunId, childWorkflowId }, errand };
}

function messageRequest({ command, name, ask, askedBy }: PendingMessage, { runId }: ClaimedRun): Outgoing {
  const { kind, subject, payload, inputHash } = ask;
  // A child that was reset goes on as its fork.
  const to = "chainOf" in ask.to ? { lineOf: ask.to.chainOf } : ask.to;
  const mailId = kind === "cancel" ? CANCEL_MAIL_ID : signalMailId(`${askedBy ?? runId}:${command}`);
  const errand: Errand = {
    do: "mail",
    to,
    mail: { kind, mailId, name: subject, payload },
    asker: { runId, command, name },
  };
  return { event: { type: "ExternalRequested", command, name, inputHash }, errand };
}

function lockRequest({ command, name, permits, capacity }: PendingLock, { runId }: ClaimedRun): Outgoing {
  const request = { runId, command, key: name, permits, capacity };
  return { event: { type: "LockRequested", command, name, permits, capacity }, lock: { request } };
}

/** What the code has let go of, or no longer waits for. */
export function lockRelease({ command, name }: PendingLock): Outgoing {
  return { event: { type: "LockReleased", command, name }, lock: { release: command } };
}
