// Hints that something happened. They may be lost, doubled, late or out of order: whoever listens also polls, and reads
// the truth from the store. So publishing never fails a caller and never waits for anybody.

/** `queue/<queue>` new claimable runs; `worker/<workerId>` mail for its runs; `run/<runId>` the run closed;
 * `query/<queryId>` the query has its answer; `ask/<queue>` a query waits for any worker of the queue. */
export type Topic = `${"queue" | "worker" | "run" | "query" | "ask"}/${string}`;

export interface Wakeups {
  /** Fire and forget. Coalesces what is asked for in the same moment. Never throws, never rejects. */
  publish(topics: readonly Topic[]): void;

  /**
   * Calls `listen` on each hint for `topic`, and once for every subscriber after a connection was lost and found again,
   * because anything may have been missed. Returns how to stop. Subscribing while unreachable is fine: it takes effect
   * later, and then calls `listen` once.
   */
  subscribe(topic: Topic, listen: () => void): () => void;

  close(): Promise<void>;
}
