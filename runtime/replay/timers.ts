// Timers inside a run: what was asked for, when it is due, and that it fired or was skipped.

import type { HistoryEvent, TimerFired, TimerSkipped, TimerStarted } from "../../sdk/protocol/event.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { TimerAsk, PendingTimer as TimerHandle } from "../../sdk/workflow/run-context.ts";
import type { Commands } from "./commands.ts";
import { PendingTimer } from "./pending.ts";
import type { WorkflowCode } from "./workflow-code.ts";

export class Timers {
  readonly #commands: Commands;
  readonly #code: WorkflowCode;

  constructor(commands: Commands, code: WorkflowCode) {
    this.#commands = commands;
    this.#code = code;
  }

  ask(ask: TimerAsk, scope: CancelScope): TimerHandle {
    const command = this.#commands.asked.add("StartTimer", ask.name);
    const pending = new PendingTimer(command, ask, scope, this.#onCancel);
    this.#commands.add(pending);
    return { fired: pending.promise, withdraw: () => this.#withdraw(pending) };
  }

  apply(event: HistoryEvent & (TimerStarted | TimerFired | TimerSkipped)): boolean {
    if (event.type === "TimerStarted") {
      this.#noteStarted(event);
      return false;
    }
    const pending = this.#commands.answered(event, "StartTimer") as PendingTimer | undefined;
    if (pending === undefined || this.#code.hasEnded) return false;
    return this.#code.turn(event.at, () => pending.resolve());
  }

  #noteStarted(event: TimerStarted & HistoryEvent): void {
    const pending = this.#commands.compared(event, "StartTimer") as PendingTimer | undefined;
    if (pending !== undefined) pending.fireAt = "atMs" in event.due ? event.due.atMs : event.at + event.due.afterMs;
  }

  // One function for all timers of the run: closures of their own would be most of what a command weighs.
  readonly #onCancel = (pending: PendingTimer, failure: CanceledFailure): void => {
    this.#withdraw(pending);
    pending.reject(failure);
  };

  #withdraw(pending: PendingTimer): void {
    pending.abandon();
    this.#commands.withdraw(pending);
  }
}
