// What runs append, as the store is asked for it and answers.

import type { EventRecord } from "../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { Claim } from "./claims.ts";
import type { Errand } from "./errands.ts";
import type { LockChanges } from "./locks.ts";
import type { MailItem } from "./mail.ts";
import type { NextVersion } from "./versions.ts";

/** New events of one run, from one owner. Frozen once built: a retry sends the very same. */
export interface AppendTurn {
  readonly claim: Claim;
  /** Random per turn and kept over its retries: how a lost reply is told from a lost request. */
  readonly tag: string;
  /** Events the writer has seen; the first new one gets seq `base + 1`. */
  readonly base: number;
  /** None only in a turn that refuses an update: sent again, such a turn changes nothing. */
  readonly events: readonly EventRecord[];
  /** Updates that are out of the mailbox with this turn and into no history: kept with the mail, for their senders. */
  readonly refusals: readonly RefusedUpdate[];
  /**
   * When its events happened, for one whose code has seen them before they are committed: by the store's clock, not ahead of
   * it, nor before the event that comes before them. Null: when they are committed.
   */
  readonly at: number | null;
  /** The mailbox position after this turn. Never lower than before. */
  readonly takenMail: number;
  /** Refused while the store's clock is before this: no timer fires early. */
  readonly notBefore: number | null;
  /** The last of `events` ends the run. Refused while there is mail beyond `takenMail`, unless the run continues as new. */
  readonly close: ClosedStatus | null;
  /** What happens to other runs in the same transaction. Null for most turns, which are appended by the fastest way. */
  readonly effects: TurnEffects | null;
}

export interface TurnEffects {
  /** To be done by `runErrands`, stored with the turn. */
  readonly errands: readonly Errand[];
  /** The run that goes on where this one ends; exactly when `close` is "continuedAsNew". */
  readonly successor: Successor | null;
  /** Absent for none. */
  readonly locks?: LockChanges;
  /** A run that closes has neither a parent nor children. Default false. */
  readonly isWithoutKin?: boolean;
}

/**
 * A run that is started in the transaction that closes the one before it, with the same workflow id. It belongs to the
 * same chain, in which a mail id is accepted once. Mail that its predecessor has not taken becomes its own, in order.
 *
 * One that tries its predecessor again waits before it is due: only a cancel request makes it due earlier. It keeps the
 * deadline.
 */
export interface Successor {
  /** Later in the order of run ids than its predecessor. */
  readonly runId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Absent: whatever the run before it is of when it is closed. */
  readonly version?: NextVersion;
  /** The RunStarted record, event 1, without the version that the store puts in. */
  readonly started: EventRecord;
  /** `started` has attributes or a memo, to be kept beside the history too. */
  readonly carriesData: boolean;
  /** Counted from its start. With `retry` it is null. */
  readonly timeoutMs: number | null;
  /** Absent: its predecessor has continued as new. `attempt` is its own number. */
  readonly retry?: { readonly attempt: number; readonly delayMs: number };
  /** Positions of mail that its predecessor has taken and not used: passed on before what it has not taken. */
  readonly passedOn: readonly number[];
}

export interface RefusedUpdate {
  readonly mail: number;
  readonly refusal: UpdateRefusal;
}

/** Queues that have claimable runs, and owners of runs with mail. */
export interface ToWake {
  readonly queues: readonly string[];
  readonly ownerIds: readonly string[];
}

export interface AppendAnswer {
  /** The `at` of the events appended by this call, of turns that have none of their own. */
  readonly at: number;
  /** Run ids whose turn is committed. All others: refused. `resolveTurns` tells why. */
  readonly committed: ReadonlySet<string>;
  /** What this call has put into mailboxes of the runs that it appended to. Absent for none. */
  readonly mail?: readonly MailItem[];
  /** Whose mailboxes it has put something into besides. Absent for none. */
  readonly toWake?: ToWake;
}

/** What has become of a turn whose answer was lost or which was refused. Read in a new snapshot. */
export interface ResolvedTurn {
  readonly runId: string;
  /** The event at `base + 1` carries the turn's tag: it is committed. Call `confirm` before acting on it. */
  readonly landed: boolean;
  /** The `at` of the landed events; null when it has not landed. */
  readonly at: number | null;
  /** The run is open, and the claim is still the one that may write it. */
  readonly owned: boolean;
  readonly events: number;
  readonly newestMail: number;
  readonly now: number;
}
