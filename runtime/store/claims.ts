// How runs change hands, as the store is asked for it and answers.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";

/** The right to write one run, until somebody else claims it. */
export interface Claim {
  readonly runId: string;
  /** Only ever raised, by claiming. */
  readonly epoch: number;
  /** Random per claim call: tells two owners of one epoch apart after a failover rolled the database back. */
  readonly claimId: string;
}

export interface ClaimedRun extends Claim {
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Null: none. */
  readonly version: string | null;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  /** Number of events at the time of the claim. */
  readonly events: number;
  /** Mail items already moved into the history, and the number of the newest in the mailbox. */
  readonly takenMail: number;
  readonly newestMail: number;
  /** Claims without progress since, this one included. */
  readonly crashCount: number;
  /** All events, where the claim could bring them; otherwise they are loaded by themselves, with heartbeats. */
  readonly history: readonly StoredEvent[] | null;
  /**
   * The last event was appended by this claim, or by one before it of which nothing has come: the timer that the run was
   * parked for has fired. What code does with it is new.
   */
  readonly hasFired: boolean;
}

export interface LoadedHistory {
  readonly runId: string;
  readonly events: readonly StoredEvent[];
  /** Latest heartbeat details by command number, of steps that were under way. */
  readonly heartbeats: readonly { readonly command: number; readonly attempt: number; readonly details: Payload }[];
}

export interface ClaimRequest {
  readonly workerId: string;
  readonly claimId: string;
  /** Lanes, as `lanesOf` names them: what waits in others is left to whoever has its code. */
  readonly queues: readonly string[];
  readonly limit: number;
  /** Runs claimed this often without progress are suspects: `exclude` leaves them, `only` takes nothing else. */
  readonly suspects: "exclude" | "only";
}

export interface ClaimAnswer {
  readonly claimed: readonly ClaimedRun[];
  /** Runs set aside just now because `crashCount` passed the limit: blocked with kind `quarantine`. */
  readonly quarantined: readonly string[];
  /** Ms until the earliest run of these queues is due, 0 when more are due now, null when none is known. */
  readonly nextDueInMs: number | null;
  /** There are due runs that `exclude` left out, for a claim of `only`. */
  readonly hasDueSuspects: boolean;
  readonly now: number;
}

export interface ParkRequest {
  readonly claim: Claim;
  readonly events: number;
  readonly takenMail: number;
  /** When to make the run claimable again; null: only mail wakes it. */
  readonly wakeAt: number | null;
  /** What is due then, where it is a timer: the claim that finds it due, and no mail before it, appends that it has fired. */
  readonly timer: ParkedTimer | null;
}

export interface ParkedTimer {
  readonly command: number;
  readonly name: string;
}

/** `mail`: still owned, not parked, because mail came in. `lost`: no longer owned (or parked by an earlier try). */
export type ParkOutcome = "parked" | "mail" | "lost";

/** A claim brings no longer history: such a one is loaded by itself. */
export const MOST_EVENTS_BROUGHT = 32;

/** From this many claims without progress a run is a suspect, executed while no other suspect is. */
export const SUSPECT_FROM_CRASHES = 2;

/** A run claimed more often than this without progress is set aside. */
export const QUARANTINE_AFTER_CRASHES = 5;
