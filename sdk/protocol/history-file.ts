// A run's history as a file: everything that is needed to replay it, in stored form. The form is versioned, and the numbers
// and names in it are those of the store, which never change their meaning: any later release reads the file.

import type { StoredEvent } from "./event-record.ts";
import type { Payload } from "./payload.ts";

export const HISTORY_FORMAT = "everstep.history";
export const HISTORY_VERSION = 1;

/** Mail that the run had not taken yet. */
export interface UntakenMail {
  /** Position in the mailbox. */
  readonly mail: number;
  readonly kind: string;
  readonly mailId: string;
  readonly name: string;
  readonly payload: Payload;
}

/** Plain data: `JSON.stringify` keeps all of it. Times are ms since the epoch. */
export interface HistoryFile {
  readonly format: typeof HISTORY_FORMAT;
  readonly version: typeof HISTORY_VERSION;
  readonly workflow: string;
  readonly workflowId: string;
  readonly runId: string;
  readonly queue: string;
  readonly startedAt: number;
  readonly closedAt: number | null;
  readonly deadlineAt: number | null;
  /** As they are stored, from the first. */
  readonly events: readonly StoredEvent[];
  /** Of an open run; what a closed one left is in its last event. */
  readonly mail: readonly UntakenMail[];
}
