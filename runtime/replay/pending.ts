// What a run has asked for and history has not answered yet.

import type { TimerDue } from "../../sdk/protocol/event.ts";
import type { Failure } from "../../sdk/protocol/failure.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { StepAsk } from "../../sdk/workflow/run-context.ts";

interface Settle<T> {
  resolve(value: T): void;
  reject(error: unknown): void;
}

/** A step with what its earlier attempts left behind. Mutable: the engine notes failed attempts as history tells them. */
export interface PendingStep extends Settle<unknown> {
  readonly kind: "RunStep";
  readonly command: number;
  readonly ask: StepAsk;
  /** Attempts that failed so far. */
  failedAttempts: number;
  lastFailure: Failure | null;
  /** When the next attempt may begin, by the store's clock; null for at once. */
  nextAttemptAt: number | null;
  firstAttemptAt: number | null;
  heartbeat: Payload;
  /** The run was canceled while the step is under way: it ends as soon as its body does. */
  cancelRequested: CanceledFailure | null;
}

export interface PendingTimer extends Settle<void> {
  readonly kind: "StartTimer";
  readonly command: number;
  readonly name: string;
  readonly due: TimerDue;
  /** Known once TimerStarted is in the history. */
  fireAt: number | null;
}

export type PendingCommand = PendingStep | PendingTimer;
export type CommandKind = PendingCommand["kind"];

/** What the code did since the last look, in the order it did it. */
export type Change =
  | { readonly type: "asked"; readonly pending: PendingCommand }
  | { readonly type: "withdrawn"; readonly pending: PendingCommand }
  | { readonly type: "cancelRequested"; readonly pending: PendingStep };
