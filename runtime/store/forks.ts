// Runs that are made of the first events of others.

import type { EventRecord, StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { LockRequest } from "./locks.ts";
import type { DataChange } from "./run-data.ts";

/** A new run that shares the first events of another. Whoever asks has read those: they never change. */
export interface ForkRequest {
  readonly sourceId: string;
  readonly runId: string;
  readonly workflowId: string;
  /** As `forked` says. Default: none. */
  readonly version?: string | null;
  /** The last event that is shared. */
  readonly at: number;
  /** Stands in the place of event `at`; null for that event as it is. */
  readonly edited: EventRecord | null;
  /** Event `at + 1`. */
  readonly forked: EventRecord;
  /** Mail of the source that the shared events have taken: it comes along as taken. */
  readonly takenMail: number;
  /** Signals that came to the source after that come along, to be taken. */
  readonly keepsSignals: boolean;
  /** Those up to this place in the source's mailbox: one that came later stays with the source. Absent: all that there are. */
  readonly seenMail?: number;
  /** What comes along, in the form in which the fork is to have it. Absent: as the source has it. */
  readonly anew?: SharedAnew;
  /** What the shared events make of attributes and memo. */
  readonly data: readonly DataChange[];
  /** What the shared events hold or wait for, in the order of asking. Default: nothing. */
  readonly locks?: readonly Omit<LockRequest, "runId">[];
  readonly timeoutMs: number | null;
  /**
   * The fork takes the place of the source, which is terminated with this reason in the same transaction, if it is open: its
   * line goes on with the fork, and whoever waits for its end waits for that of the fork. Null: it stays as it is.
   */
  readonly terminates: string | null;
  /** Of the termination; that of the fork is told by `forked`. Absent for nobody named. */
  readonly actor?: string;
  /**
   * Those of which the shared events do not tell the end. With `terminates` they become the fork's, with what is to be done about
   * them when it closes; that the source closes does not concern them. Default: none.
   */
  readonly children?: readonly SharedChild[];
}

/** A child, by the command that asked for it, as events tell of it. */
export interface SharedChild {
  readonly command: number;
  /** Where it was started, the run that stands for it; else the one that is to be started: it may be, and may have been reset. */
  readonly runId: string;
  readonly isStarted: boolean;
}

/** What a fork shares with its source, in another stored form. */
export interface SharedAnew {
  /** Events 1 to `at` at their times, with the edited one in its place. */
  readonly events: readonly StoredEvent[];
  /** Of mail that comes along, taken or not; what is not named here comes along as it is. */
  readonly mail: readonly MailAnew[];
}

export interface MailAnew {
  readonly mailId: string;
  readonly payload: Payload;
  /** Why it was not taken. Null: it was, or will be. */
  readonly refusal: UpdateRefusal | null;
}

export interface ForkOutcome {
  /** `forked` also answers a repeated request; `refused` names the open run that has the workflow id. */
  readonly outcome: "forked" | "refused" | "notFound";
  readonly runId: string;
}
