/** Of a lock or semaphore: a run that holds it or waits for it. Times are ms since the epoch by the database's clock. */
export interface ListedLock {
  readonly key: string;
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  /** By which the run asked. */
  readonly command: number;
  readonly permits: number;
  /** How many permits there are, as this request has it: 1 for a lock. */
  readonly capacity: number;
  /** Null while it waits. */
  readonly fencingToken: number | null;
  readonly requestedAt: number;
  readonly grantedAt: number | null;
}
