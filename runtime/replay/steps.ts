// Steps inside a run: what was asked for, what history says of their attempts, and what a cancel request does to them.

import { invariant } from "../../sdk/protocol/errors.ts";
import type {
  HistoryEvent,
  StepAttemptFailed,
  StepCompleted,
  StepDeferred,
  StepFailed,
  StepReported,
  StepRetried,
} from "../../sdk/protocol/event.ts";
import { type CanceledFailure, fromStepFailed } from "../../sdk/protocol/failures.ts";
import { decodePayload, decodePlain, type Payload } from "../../sdk/protocol/payload.ts";
import type { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { StepAsk } from "../../sdk/workflow/run-context.ts";
import type { Commands } from "./commands.ts";
import { PendingStep } from "./pending.ts";
import type { WorkflowCode } from "./workflow-code.ts";

export type StepEvent = HistoryEvent &
  (StepCompleted | StepFailed | StepAttemptFailed | StepDeferred | StepReported | StepRetried);

export class Steps {
  readonly #workflowId: string;
  readonly #commands: Commands;
  readonly #code: WorkflowCode;

  constructor(workflowId: string, commands: Commands, code: WorkflowCode) {
    this.#workflowId = workflowId;
    this.#commands = commands;
    this.#code = code;
  }

  ask(ask: StepAsk, scope: CancelScope): Promise<unknown> {
    const command = this.#commands.asked.add("RunStep", ask.name);
    const pending = new PendingStep(command, ask, scope, this.#onCancel);
    this.#commands.add(pending);
    return pending.promise;
  }

  apply(event: StepEvent): boolean {
    switch (event.type) {
      case "StepCompleted": {
        const pending = this.#answered(event);
        if (pending === undefined) return false;
        const { result, name, at } = event;
        const value =
          decodePlain(result) ?? decodePayload(result, `result of step "${name}" of run ${this.#workflowId}`);
        this.#code.beginTurn(at);
        pending.resolve(value);
        return true;
      }
      case "StepFailed": {
        const pending = this.#answered(event);
        if (pending === undefined) return false;
        return this.#code.turn(event.at, () => pending.reject(fromStepFailed(event)));
      }
      case "StepAttemptFailed":
        this.#noteAttemptFailed(event);
        return false;
      case "StepDeferred":
        this.#noteDeferred(event);
        return false;
      case "StepReported":
        this.#noteReported(event);
        return false;
      case "StepRetried":
        this.#noteRetried(event);
        return false;
    }
  }

  /** Heartbeat details that were kept outside the history. */
  restoreHeartbeat(command: number, attempt: number, details: Payload): void {
    const pending = this.#commands.get(command);
    // What history says of an attempt that has handed off is the latest there is.
    if (pending?.kind !== "RunStep" || attempt <= pending.failedAttempts || pending.deferral !== null) return;
    pending.heartbeat = details;
  }

  /** It is tried as if for the first time. */
  forgetAttempts(command: number): void {
    const pending = this.#commands.get(command);
    if (pending?.kind !== "RunStep") return;
    pending.failedAttempts = 0;
    pending.lastFailure = null;
    pending.nextAttemptAt = null;
    pending.firstAttemptAt = null;
    pending.deferral = null;
  }

  /** Nobody has a token of the run that this one is from here on: the bodies of attempts that had handed off run again. */
  askDeferredAgain(): void {
    for (const pending of this.#commands.all()) {
      if (pending.kind !== "RunStep" || pending.deferral === null) continue;
      pending.deferral = null;
      if (pending.failedAttempts === 0) pending.firstAttemptAt = null;
    }
  }

  #answered(event: (StepCompleted | StepFailed) & HistoryEvent): PendingStep | undefined {
    const pending = this.#commands.answered(event, "RunStep", event.inputHash);
    return this.#code.hasEnded ? undefined : (pending as PendingStep | undefined);
  }

  #noteAttemptFailed(event: StepAttemptFailed & HistoryEvent): void {
    const pending = this.#commands.compared(event, "RunStep");
    if (pending?.kind !== "RunStep") return;
    pending.failedAttempts = event.attempt;
    pending.lastFailure = event.failure;
    pending.nextAttemptAt = event.at + event.delayMs;
    pending.firstAttemptAt = event.firstAttemptAt;
    pending.heartbeat = event.heartbeat;
    pending.deferral = null;
  }

  #noteDeferred(event: StepDeferred & HistoryEvent): void {
    const pending = this.#commands.compared(event, "RunStep", event.inputHash);
    if (pending?.kind !== "RunStep") return;
    const { attempt, verifier, startedAt, firstAttemptAt, at } = event;
    invariant(attempt === pending.failedAttempts + 1, "an attempt is handed off after the failed ones", { attempt });
    pending.deferral = { attempt, verifier, startedAt, firstAttemptAt, aliveAt: at };
    pending.firstAttemptAt = firstAttemptAt;
    pending.heartbeat = event.heartbeat;
  }

  #noteReported(event: StepReported & HistoryEvent): void {
    // What was ignored may be about anything.
    if (event.report === "ignored") return;
    const pending = this.#commands.compared(event, "RunStep");
    if (pending?.kind !== "RunStep" || pending.deferral === null) return;
    pending.deferral = { ...pending.deferral, aliveAt: event.at };
    pending.heartbeat = event.details;
  }

  #noteRetried(event: StepRetried & HistoryEvent): void {
    const pending = this.#commands.compared(event, "RunStep");
    if (pending?.kind === "RunStep" && event.attempt === pending.failedAttempts + 1) pending.nextAttemptAt = null;
  }

  // One function for all steps of the run: closures of their own would be most of what a command weighs.
  readonly #onCancel = (pending: PendingStep, failure: CanceledFailure): void => {
    // What becomes of the body is its worker's affair.
    if (pending.ask.onCancel !== "wait") {
      this.#commands.withdraw(pending);
      pending.reject(failure);
      return;
    }
    pending.stop(failure);
    this.#commands.requestCancel(pending);
  };
}
