// What comes into mailboxes of runs, and what changes their heads from outside.

import type { RepairRequest } from "../../sdk/protocol/event.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../sdk/protocol/update-refusal.ts";
import type { ActedBy } from "./acted-by.ts";
import type { RunRef } from "./run-ref.ts";

/** What is told to a run about its being carried on. Comes with a change of its head, and by `controlRun` alone. */
export type ControlKind = "pause" | "resume" | "unblock";

/**
 * `answer`: what has become of something that the run asked of another one. `adopt`: a run that has not started it waits for
 * its end.
 */
export type MailKind = "signal" | "cancel" | "update" | "stepReport" | "answer" | "adopt" | RepairRequest | HeadChange;

/** What is told with a change of the head: that the run is of another version comes by `moveRun`. */
export type HeadChange = ControlKind | "move";

export interface MailItem {
  readonly runId: string;
  /** Position in the run's mailbox, from 1. */
  readonly mail: number;
  readonly kind: MailKind;
  /** The sender's id: a second item with the same id is not accepted. */
  readonly mailId: string;
  /**
   * The signal's, update's or step's name; the reason of a cancel or pause; why a run was blocked that no longer is; the
   * version that it is moved to, or nothing; for an answer, the name of the command; of an adoption, the run that waits; of a
   * repair request, the name that was asked for.
   */
  readonly name: string;
  /** Of a cancel and of head changes: who asked, as `encodeActor` says it. */
  readonly payload: Payload;
}

/** Mail as it lies in its mailbox. */
export type KeptMail = Omit<MailItem, "runId">;

export interface MailRequest {
  readonly to: RunRef;
  readonly kind: Exclude<MailKind, HeadChange>;
  readonly mailId: string;
  readonly name: string;
  readonly payload: Payload;
}

export interface MailOutcome {
  /** Its position in the mailbox, when it was accepted by this call. */
  readonly mail: number | null;
  /** `duplicate`: this mail id was accepted before in this chain (also by a run closed since). `closed`: not accepted. */
  readonly outcome: "accepted" | "duplicate" | "closed" | "notFound";
  readonly runId: string | null;
  readonly queue: string | null;
  readonly ownerId: string | null;
  /** Of accepted mail: how many events the run had by then. What becomes of the mail is told by later ones. */
  readonly events: number;
}

export interface ControlRequest extends ActedBy {
  readonly runId: string;
  readonly kind: ControlKind;
  /** Repeating a request with the same id changes nothing. */
  readonly mailId: string;
  /** Of a pause; otherwise empty. */
  readonly reason: string;
}

export interface ControlOutcome {
  /** `unchanged`: paused already, not paused, not blocked; or the request is a repeated one. */
  readonly outcome: "changed" | "unchanged" | "closed" | "notFound";
  readonly queue: string | null;
  readonly ownerId: string | null;
}

export interface MoveRequest extends ActedBy {
  readonly runId: string;
  /** Repeating a request with the same id changes nothing. */
  readonly mailId: string;
  /** Null: the workflow without a version. */
  readonly version: string | null;
}

/** What has become of an update: looked for by its mail id, in the chain of a run. */
export interface UpdateLook {
  readonly runId: string;
  readonly mailId: string;
  /** Events of `runId` that do not tell of it. Of another run of the chain that has it, all are looked at. */
  readonly after: number;
}

/** Read in one snapshot. */
export interface UpdateTrace {
  /** The run of the chain that has it: mail that was not taken passes on. The one that was asked for when none has. */
  readonly runId: string;
  /** Its place in the mailbox; null when no run of the chain got such mail. */
  readonly mail: number | null;
  readonly refusal: UpdateRefusal | null;
  /** UpdateAccepted and UpdateCompleted, as far as they are there. */
  readonly events: readonly StoredEvent[];
  /** How many events the run has: the next look begins there. */
  readonly seen: number;
  /** Null while the run is open. */
  readonly closed: ClosedStatus | null;
}
