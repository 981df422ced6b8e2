// Locks inside a run: what was asked for, what is held, and what is to be let go. Asking and being granted are events that
// the code waits for. That it has let go follows from what the code does, so no command says it: history tells it when it is
// done, and a replay comes to it at the same place.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { HistoryEvent, LockGranted, LockRegained, LockReleased, LockRequested } from "../../sdk/protocol/event.ts";
import type { CanceledFailure } from "../../sdk/protocol/failures.ts";
import type { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { LockAsk, PendingLock as LockHandle } from "../../sdk/workflow/run-context.ts";
import type { Commands } from "./commands.ts";
import { PendingLock } from "./pending.ts";
import type { WorkflowCode } from "./workflow-code.ts";

export type LockEvent = HistoryEvent & (LockRequested | LockGranted | LockRegained | LockReleased);

export class Locks {
  readonly #commands: Commands;
  readonly #code: WorkflowCode;
  /** Asked for, and not let go of by the history. */
  readonly #open = new Map<number, PendingLock>();
  /** Let go of by the code, in its order, and not told to the history yet. */
  #untold: PendingLock[] = [];

  constructor(commands: Commands, code: WorkflowCode) {
    this.#commands = commands;
    this.#code = code;
  }

  ask(ask: LockAsk, scope: CancelScope): LockHandle {
    const lock = new PendingLock(this.#commands.asked.add("AcquireLock", ask.key), ask, scope, this.#onCancel);
    this.#open.set(lock.command, lock);
    this.#commands.add(lock);
    const token = () => {
      invariant(lock.fencingToken !== null, "a lock has a token once it is granted", { command: lock.command });
      return lock.fencingToken;
    };
    return { granted: lock.promise, token, release: () => this.#letGo(lock) };
  }

  /** What the store holds for the run, or keeps a place for, as far as history tells: it goes when the run ends. */
  get areRequested(): boolean {
    for (const { isRequested } of this.#open.values()) if (isRequested) return true;
    return false;
  }

  /** Held or waited for, in the order of asking. */
  get all(): readonly PendingLock[] {
    return [...this.#open.values()].filter(({ isLetGo }) => !isLetGo);
  }

  /** What the code has let go of since the last look, for the history to tell. */
  takeUntold(): readonly PendingLock[] {
    const untold = this.#untold;
    if (untold.length > 0) this.#untold = [];
    return untold;
  }

  /** The run is a fork from here on, which has not what it holds until history says so. */
  lose(commands: readonly number[]): void {
    for (const command of commands) {
      const lock = this.#open.get(command);
      if (lock !== undefined) lock.isAwaited = true;
    }
  }

  apply(event: LockEvent): boolean {
    // Not pending any more: it is held, or the code had given it up.
    const pending = this.#commands.compared(event, "AcquireLock");
    const lock = this.#open.get(event.command);
    switch (event.type) {
      case "LockRequested":
        if (lock === undefined) return false;
        lock.isRequested = true;
        // It was on its way to the history when the code gave it up.
        if (lock.isLetGo) this.#untold.push(lock);
        return false;
      case "LockGranted":
        if (lock === undefined || pending === undefined) return false;
        this.#commands.answered(event, "AcquireLock");
        lock.fencingToken = event.fencingToken;
        return this.#code.turn(event.at, () => lock.resolve(event.fencingToken));
      case "LockRegained":
        if (lock?.isAwaited !== true) {
          this.#commands.asked.diverge(event, `the code did not hold "${event.name}" by then`, event.command);
        }
        lock.isAwaited = false;
        lock.fencingToken = event.fencingToken;
        return false;
      case "LockReleased":
        if (lock?.isLetGo !== true) {
          this.#commands.asked.diverge(event, `the code has not let go of "${event.name}" by then`, event.command);
        }
        this.#open.delete(event.command);
        this.#untold = this.#untold.filter((each) => each !== lock);
        return false;
    }
  }

  #letGo(lock: PendingLock): void {
    if (lock.isLetGo) return;
    lock.isLetGo = true;
    lock.abandon();
    this.#commands.withdraw(lock);
    if (lock.isRequested) this.#untold.push(lock);
  }

  readonly #onCancel = (lock: PendingLock, failure: CanceledFailure): void => {
    this.#letGo(lock);
    lock.reject(failure);
  };
}
