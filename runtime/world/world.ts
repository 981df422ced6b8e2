// The world as an argument. Nothing in the runtime reads a clock, draws a random number, sets a timer or writes a log
// but through these: the same worker then runs on the real world, and on a seed.

/** Stops a timer; harmless once it has fired. */
export type CancelTimer = () => void;

export interface Clock {
  /** Wall time in ms since the epoch. For people and log lines only: deadlines are the database's. */
  now(): number;
  /** Milliseconds that only grow; meaningless between processes. */
  monotonic(): number;
  /** Calls once after at least `ms`; any length works, also beyond 2^31 ms. Does not keep the process alive by itself. */
  setTimer(ms: number, fire: () => void): CancelTimer;
  /** Calls once the current work and every promise reaction it led to are through. */
  afterDrain(call: () => void): void;
}

export interface Chance {
  /** Uniform in [0, 1). */
  float(): number;
  /** A random version 4 UUID. */
  uuid(): string;
}

export interface Log {
  debug(fields: Record<string, unknown>, message: string): void;
  info(fields: Record<string, unknown>, message: string): void;
  warn(fields: Record<string, unknown>, message: string): void;
  error(fields: Record<string, unknown>, message: string): void;
}

export interface World {
  readonly clock: Clock;
  readonly chance: Chance;
  readonly log: Log;
}
