// How interceptors are shown what the code asks for, and what they can say otherwise.

import { checkedHeaders, NO_HEADERS, type RunHeaders } from "../../sdk/protocol/headers.ts";
import type { NoteLevel } from "../../sdk/protocol/notes.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import type { AskAnswer } from "../../sdk/workflow/asked.ts";
import { type ChildChanges, changedChild } from "../../sdk/workflow/child.ts";
import type { NextRun } from "../../sdk/workflow/continue-as-new.ts";
import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import type { ContinueChanges } from "../../sdk/workflow/interceptors.ts";
import type { Answerable, ChildAsk, LockAsk, MessageAsk, StepAsk, TimerAsk } from "../../sdk/workflow/run-context.ts";
import { changedStep, type StepOptions } from "../../sdk/workflow/step.ts";
import { type Asking, ComingAnswer } from "./asking-hooks.ts";

/** A step's, with the answer to come for all who look. */
export function stepAsking(info: WorkflowInfo, ask: StepAsk): Asking<StepAsk, StepOptions> {
  const { coming, listened } = listening(ask);
  return {
    ask: listened,
    own: "askStep",
    show({ name, body, retry, timeoutMs, totalTimeoutMs, heartbeatTimeoutMs, onCancel, summary }) {
      const options = { retry, timeoutMs, totalTimeoutMs, heartbeatTimeoutMs, onCancel, summary };
      const input = body.kind === "step" ? body.input : undefined;
      return answered(coming, { kind: "step", info, name, body: body.kind, input, ...options });
    },
    change: changedStep,
  };
}

export function timerAsking(info: WorkflowInfo, ask: TimerAsk): Asking<TimerAsk, never> {
  const { coming, listened } = listening(ask);
  return {
    ask: listened,
    show: ({ name, due, summary }) => answered(coming, { kind: "timer", info, name, due, summary }),
  };
}

export function childAsking(info: WorkflowInfo, ask: ChildAsk): Asking<ChildAsk, ChildChanges> {
  const { coming, listened } = listening(ask);
  return {
    ask: listened,
    own: "askChild",
    show({ workflow, workflowId, headers, input, ...asked }) {
      const { queue, timeoutMs, chainTimeoutMs, retry, parentClosePolicy, onCancel } = asked;
      const options = { queue, timeoutMs, chainTimeoutMs, retry, parentClosePolicy, onCancel };
      const named = { workflow, workflowId: workflowId ?? undefined, headers: headers ?? info.headers };
      return answered(coming, withCopy("input", input, { kind: "child", info, ...named, ...options }));
    },
    change: changedChild,
  };
}

export function messageAsking(info: WorkflowInfo, ask: MessageAsk): Asking<MessageAsk, never> {
  const { coming, listened } = listening(ask);
  return {
    ask: listened,
    show({ kind, subject, to, payload }) {
      if (kind === "cancel") return answered(coming, { kind, info, to, reason: subject });
      return answered(coming, withCopy("payload", payload, { kind, info, name: subject, to }));
    },
  };
}

export function lockAsking(info: WorkflowInfo, ask: LockAsk): Asking<LockAsk, never> {
  const { coming, listened } = listening(ask);
  const show = ({ key, permits, capacity }: LockAsk) =>
    answered(coming, { kind: "lock" as const, info, key, permits, capacity });
  return { ask: listened, show };
}

export function continuationAsking(info: WorkflowInfo, ask: NextRun): Asking<NextRun, ContinueChanges> {
  return {
    ask,
    own: "askContinueAsNew",
    show({ workflow, headers, input }) {
      const next = { workflow: workflow ?? info.workflow, headers: headers ?? info.headers };
      return withCopy("input", input, { kind: "continueAsNew", info, ...next });
    },
    change: (asked, { headers }) => (headers === undefined ? asked : { ...asked, headers: headersFrom(headers) }),
  };
}

export function noteAsking(info: WorkflowInfo, level: NoteLevel, text: string): Asking<undefined, never> {
  return { ask: undefined, show: () => ({ kind: "note", info, level, text }) };
}

/** `changes`: as they are stored, an object by name. */
export function dataAsking(info: WorkflowInfo, kind: "attributes" | "memo", changes: string): Asking<undefined, never> {
  return { ask: undefined, show: () => ({ kind, info, names: Object.keys(JSON.parse(changes) as object) }) };
}

function headersFrom(headers: RunHeaders): RunHeaders {
  return checkedHeaders(headers, "continueAsNew({ headers })") ?? NO_HEADERS;
}

function listening<Ask extends Answerable>(ask: Ask): { readonly coming: ComingAnswer; readonly listened: Ask } {
  const coming = new ComingAnswer();
  return { coming, listened: { ...ask, onAnswer: coming.tell } };
}

function answered<Shown extends object>(
  coming: ComingAnswer,
  shown: Shown,
): Shown & { readonly answered: Promise<AskAnswer> } {
  return Object.defineProperty(shown, "answered", { get: () => coming.promise, enumerable: true }) as never;
}

/** Made of the stored form when somebody looks: the code's own value is not theirs to change. */
function withCopy<Shown extends object, Name extends string>(
  name: Name,
  stored: Payload,
  shown: Shown,
): Shown & { readonly [Key in Name]: unknown } {
  return Object.defineProperty(shown, name, { get: () => decodePayload(stored, name), enumerable: true }) as never;
}
