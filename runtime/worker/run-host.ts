// The worker, as one of its live runs sees it.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { BlockedReason, ClosedStatus } from "../../sdk/protocol/run.ts";
import type { PendingStep } from "../replay/pending.ts";
import type { Successor } from "../store/turns.ts";
import type { Chance } from "../world/world.ts";
import type { LiveRun } from "./live-run.ts";
import type { TimerHost } from "./run-timers.ts";
import type { StepExecution } from "./step-execution.ts";

/** What a live run asks of the worker around it. */
export interface RunHost extends TimerHost {
  newTag(): string;
  /** Later in the order of ids than `after`. */
  newRunId(after?: string): string;
  readonly chance: Chance;
  /** By the store's clock, never ahead of it. */
  storeNow(): number;
  /** The run has something to append. */
  submit(run: LiveRun): void;
  /** Delivers to the engine; `onQuiet` once the code is quiet. */
  feed(run: LiveRun, events: readonly HistoryEvent[], begins: boolean): void;
  execute(run: LiveRun, pending: PendingStep): StepExecution;
  fetchMail(run: LiveRun): void;
  /** The run keeps this much more in memory. */
  grew(bytes: number): void;
  becameQuiet(run: LiveRun): void;
  becameBusy(run: LiveRun): void;
  /** Something is due to other runs by what was just committed. */
  leftErrands(): void;
  /** A turn of the run is committed: whatever is wrong with it, it does not end its workers. */
  progressed(run: LiveRun): void;
  /** Senders of updates can learn what has become of theirs. */
  answered(run: LiveRun): void;
  /** The run's last event is committed; `successor` goes on in its place. */
  closed(run: LiveRun, status: ClosedStatus, event: StoredEvent, successor: Successor | null): void;
  /** Cannot go on: set aside with the reason. */
  block(run: LiveRun, reason: BlockedReason): void;
  /** Cannot be carried on here: forget it and make it claimable. */
  giveBack(run: LiveRun, why: string): void;
  /** No longer ours: forget it. */
  forget(run: LiveRun, why: string): void;
}

/** What a run needs to start another. */
export type IdSource = Pick<RunHost, "newRunId" | "chance" | "storeNow">;
