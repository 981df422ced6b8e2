// What an open run is doing or waiting for, as people ask for it. Times are ms since the epoch, by the database's clock.

export interface PendingStepWork {
  readonly kind: "step";
  readonly command: number;
  readonly name: string;
  /** The attempt under way or due next. */
  readonly attempt: number;
  readonly lastError: string | null;
  /** When the next attempt is due; null when one is under way or due at once. */
  readonly nextAttemptAt: number | null;
  readonly isCancelRequested: boolean;
  /** The body has handed off: the attempt waits to be completed from outside. */
  readonly isDeferred: boolean;
  /** What the code said about it, for people; null for nothing. */
  readonly summary: string | null;
}

export interface PendingTimerWork {
  readonly kind: "timer";
  readonly command: number;
  /** What the timer is for: "sleep", "receive approve", ... */
  readonly name: string;
  /** It bounds another wait, and is skipped by its number only. */
  readonly isLimit: boolean;
  /** Null until its start is committed. */
  readonly fireAt: number | null;
  /** What the code said about it, for people; null for nothing. */
  readonly summary: string | null;
}

const LIMITS: readonly string[] = ["condition", "timeout", "waitForAny"];

/** By the timer's name: not a sleep, but how long something else is waited for at the most. */
export function isLimit(name: string): boolean {
  return LIMITS.includes(name) || name.startsWith("receive ") || name.startsWith("lock ");
}

export interface PendingChildWork {
  readonly kind: "child";
  readonly command: number;
  /** The child's workflow. */
  readonly name: string;
  readonly workflowId: string;
  /** Null until the request is committed. */
  readonly runId: string | null;
  readonly isStarted: boolean;
}

/** A lock, or permits of a semaphore, that the run holds or waits for. */
export interface PendingLockWork {
  readonly kind: "lock";
  readonly command: number;
  /** The key. */
  readonly name: string;
  readonly permits: number;
  /** Null while the run waits for it. */
  readonly fencingToken: number | null;
}

/** A handler of a signal or an update that has begun and not ended. */
export interface PendingHandler {
  readonly kind: "signal" | "update";
  readonly name: string;
  /** The signal's or update's id. */
  readonly id: string;
}

export interface PendingWork {
  readonly steps: readonly PendingStepWork[];
  readonly children: readonly PendingChildWork[];
  /** Mail to other runs that is on its way: "signal approve", "cancel". */
  readonly messages: readonly string[];
  readonly timers: readonly PendingTimerWork[];
  /** In the order of asking. */
  readonly locks: readonly PendingLockWork[];
  /** Names of signals that something waits for. */
  readonly signals: readonly string[];
  /** Handlers under way, in the order in which they began. */
  readonly handlers: readonly PendingHandler[];
  /** Number of conditions that something waits for. */
  readonly conditions: number;
  /** Delivered signals that nobody has received. */
  readonly unreadSignals: readonly string[];
  /** What `setCurrentDetails` said last, in Markdown; null for nothing. */
  readonly currentDetails: string | null;
}

/** The query that any run answers with its `PendingWork`. Names that begin with this prefix are reserved. */
export const RESERVED_PREFIX = "everstep.";
export const PENDING_QUERY = "everstep.pending";
