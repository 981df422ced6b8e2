// What an interceptor is shown of what workflow code asks for.

import type { TimerDue } from "../protocol/event.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import type { NoteLevel } from "../protocol/notes.ts";
import type { WorkflowInfo } from "./info.ts";
import type { ChildAsk, LockAsk, StepAsk } from "./run-context.ts";

/** How something that was asked for was answered. */
export type AskAnswer =
  | { readonly isFailed: false; readonly value: unknown }
  | { readonly isFailed: true; readonly error: unknown };

interface Asked {
  readonly info: WorkflowInfo;
}

interface Answered extends Asked {
  /**
   * Resolves in the very turn in which the code gets the answer. Never rejects, so that looking changes nothing: what the code
   * leaves to fail with nobody awaiting it still fails the run. Never settles for what the code has taken back.
   */
  readonly answered: Promise<AskAnswer>;
}

/** `step`, `transaction` and defined steps, with their options as they hold by now. */
export interface AskedStep
  extends Answered,
    Pick<StepAsk, "name" | "retry" | "timeoutMs" | "totalTimeoutMs" | "heartbeatTimeoutMs" | "onCancel" | "summary"> {
  readonly kind: "step";
  readonly body: "step" | "transaction";
  /** What a defined step was called with, to be looked at; undefined for an inline one. */
  readonly input: unknown;
}

/** Sleeps, and the time limits of other waits: by `name`, such as "sleep" or "receive approve". */
export interface AskedTimer extends Answered {
  readonly kind: "timer";
  readonly name: string;
  readonly due: TimerDue;
  readonly summary?: string | undefined;
}

export interface AskedChild
  extends Answered,
    Pick<ChildAsk, "workflow" | "queue" | "timeoutMs" | "chainTimeoutMs" | "retry" | "parentClosePolicy" | "onCancel"> {
  readonly kind: "child";
  /** Undefined: made of the parent's run id. */
  readonly workflowId: string | undefined;
  /** A copy. */
  readonly input: unknown;
  /** What the child will carry: those of this run, unless an interceptor has exchanged them. */
  readonly headers: RunHeaders;
}

/** The receiver: the open run with a workflow id, or the latest of a child's chain. */
type Receiver = { readonly workflowId: string } | { readonly chainOf: string };

export interface AskedSignal extends Answered {
  readonly kind: "signal";
  readonly name: string;
  readonly to: Receiver;
  /** A copy of the payload. */
  readonly payload: unknown;
}

export interface AskedCancel extends Answered {
  readonly kind: "cancel";
  readonly to: Receiver;
  readonly reason: string;
}

/** `withLock` and semaphores. */
export interface AskedLock extends Answered, LockAsk {
  readonly kind: "lock";
}

export interface AskedContinuation extends Asked {
  readonly kind: "continueAsNew";
  readonly workflow: string;
  /** A copy. */
  readonly input: unknown;
  readonly headers: RunHeaders;
}

export interface AskedNote extends Asked {
  readonly kind: "note";
  readonly level: NoteLevel;
  readonly text: string;
}

/** `upsertAttributes` and `upsertMemo`, of what has changed. */
export interface AskedData extends Asked {
  readonly kind: "attributes" | "memo";
  readonly names: readonly string[];
}

export type WorkflowAsk =
  | AskedStep
  | AskedTimer
  | AskedChild
  | AskedSignal
  | AskedCancel
  | AskedLock
  | AskedContinuation
  | AskedNote
  | AskedData;
