// Runs that begin, here or as they were elsewhere.

import type { EventRecord, StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { ClosedStatus, RunStatus } from "../../sdk/protocol/run.ts";
import type { KeptMail, MailRequest } from "./mail.ts";

/** Makes `workerId` the owner of a run from its start on. */
export interface StartClaim {
  readonly workerId: string;
  readonly claimId: string;
}

export interface StartRequest {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** As `started` says. Default: none. */
  readonly version?: string | null;
  /** The RunStarted record, event 1. */
  readonly started: EventRecord;
  /** `started` has attributes, a memo, a summary or details, to be kept beside the history too. Default false. */
  readonly carriesData?: boolean;
  /** Repeating a start with the same id answers with the same run, whatever became of it. Null: none. */
  readonly requestId: string | null;
  /** When an open run has the workflow id. */
  readonly onConflict: "fail" | "useExisting" | "terminateExisting";
  /** When only closed runs have it: allow; allow unless the latest completed; refuse. */
  readonly onReuse: "allow" | "allowIfFailed" | "reject";
  readonly delayMs: number;
  readonly timeoutMs: number | null;
  /** Put into the mailbox of the started or existing run, atomically with the start. */
  readonly mail: Omit<MailRequest, "to"> | null;
  /** The run that this call starts is claimed by it, with epoch 1: as if it had been claimed at once. Null: it is not. */
  readonly claim: StartClaim | null;
}

export interface StartOutcome {
  /** `started` also answers a repeated request; `existing` only under useExisting; `refused` names the run in the way. */
  readonly outcome: "started" | "existing" | "refused";
  readonly runId: string;
  readonly status: RunStatus;
  /** The worker that owns the run now, if any. */
  readonly ownerId: string | null;
  /** This very call has started the run and given its claim: when, and until when the run may take. Null otherwise. */
  readonly claimed: { readonly at: number; readonly deadlineAt: number | null } | null;
}

/** A run that was started elsewhere, whole. */
export interface ImportRequest {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Default: none. */
  readonly version?: string | null;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  /** As its first event says. */
  readonly attempt: number;
  /** As its last event says; null: it is open, and goes on here. */
  readonly closed: { readonly status: ClosedStatus; readonly at: number } | null;
  /** From the first, without gaps, at the times that they had. */
  readonly events: readonly StoredEvent[];
  /** Taken and untaken, by their places, which may have gaps among the taken ones. */
  readonly mail: readonly KeptMail[];
  readonly takenMail: number;
  /** Random per import and kept over its retries: a repeated one is known by it. */
  readonly tag: string;
}

/** `runExists`: another run has the run id. `workflowIdOpen`: an open run has the workflow id, and this one is open too. */
export type ImportOutcome = "imported" | "runExists" | "workflowIdOpen";
