// Closed runs that are past their time.

/** Closed runs of the workflow, or of all for null, are kept this long after they closed. */
export interface RetentionRule {
  readonly workflow: string | null;
  readonly retentionMs: number;
}

export interface ExpiredRequest {
  /** A run that any of them lets go has expired. At least one. */
  readonly rules: readonly RetentionRule[];
  /** Keyset: runs after this one; null for the first page. */
  readonly after: string | null;
  /** Runs to look at, expired or not. */
  readonly limit: number;
}

export interface ExpiredPage {
  readonly runs: readonly { readonly runId: string; readonly events: number }[];
  /** For the page after this one; null when nothing after it can have expired. */
  readonly next: string | null;
}
