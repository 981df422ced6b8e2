// A scenario: one workload, the figures it gives, and what an engine must be able to do to run it. The same scenario
// file runs every engine.

/** One figure: what, how much, of what. Rates are better when higher, everything else when lower. */
export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it should not exceed, or at least reach. */
  readonly bar?: { readonly atMost: number } | { readonly atLeast: number };
}

export function holdsBar({ value, bar }: Figure): boolean {
  if (bar === undefined) return true;
  return "atMost" in bar ? value <= bar.atMost : value >= bar.atLeast;
}

/** As in "≤ 250"; empty without a bar. */
export function barText({ bar }: Figure): string {
  if (bar === undefined) return "";
  return "atMost" in bar ? `≤ ${bar.atMost}` : `≥ ${bar.atLeast}`;
}

/** What a scenario needs from an engine. Workloads are fixed by name, so that each engine writes them as its users would. */
export interface Engine {
  readonly name: string;
  /** What this engine cannot do, and why: said in the table instead of a figure. */
  readonly unable?: Readonly<Partial<Record<Ability, string>>>;
  /** Starts everything on a fresh database; must be ready when it resolves. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** Starts a workflow of `steps` sequential steps that return about 100 bytes each; resolves with its result. */
  runSteps(id: string, steps: number): Promise<unknown>;
  /** Starts `count` such workflows, the fastest way users have; resolves when the last result was seen by the client. */
  runMany(prefix: string, count: number, steps: number): Promise<void>;
  /** Like `runSteps`, and tells when each step's body ran (ms, monotonic of this process). */
  stepTimes(id: string, steps: number): Promise<readonly number[]>;
  /** A workflow that runs `width` steps with Promise.all. */
  runFanOut(id: string, width: number): Promise<unknown>;
  /** Starts a workflow that answers each signal at once with a step; gives the way to signal and await the reply. */
  openEcho?(id: string): Promise<Echo>;
  /** Starts `count` workflows that sleep until `dueAt(index)` (ms since the epoch) and note when they woke. */
  startSleepers?(prefix: string, count: number, dueAt: (index: number) => number): Promise<SleepersHandle>;
  /** Starts `count` workflows that nobody executes, one call each with `most` in flight; or in batches. */
  startOnly?(prefix: string, count: number, most: number): Promise<void>;
  startBatch?(prefix: string, count: number): Promise<void>;
}

/** Scenarios by name, and those parts of them that not every engine reaches. */
export type Ability =
  | "throughput"
  | "latency"
  | "sequential"
  | "fan-out"
  | "signals"
  | "starts"
  | "sleepers"
  /** a history of 10,000 steps */
  | "long"
  /** a fan-out of 10,000 steps */
  | "wide";

export interface Echo {
  /**
   * Awaited before each signal and not measured, for engines that miss a signal that comes before the run waits, or that
   * put a waiting run aside and would be measured without doing so.
   */
  listening?(): Promise<void>;
  ask(index: number): Promise<void>;
  close(): Promise<void>;
}

export interface SleepersHandle {
  /** Resolves when all are asleep, with the memory of the worker per sleeper, in bytes. */
  asleep(): Promise<number>;
  /** Resolves when all have woken, with their lateness in ms. */
  woken(): Promise<readonly number[]>;
}

/** How much of a scenario to run: counts are multiplied by `factor`; medians are taken over `rounds` inside the run. */
export interface Size {
  readonly factor: number;
  readonly rounds: number;
}

export interface Scenario {
  readonly name: Ability;
  readonly title: string;
  run(engine: Engine, size: Size): Promise<readonly Figure[]>;
}

/** A scenario that only Everstep runs: it kills processes, reads counts, or switches parts of the runtime off. */
export interface OwnScenario {
  readonly name: string;
  readonly title: string;
  run(place: Place, isLong: boolean): Promise<readonly Figure[]>;
}

export interface Place {
  /** Empty and migrated by nobody. */
  readonly databaseUrl: string;
  readonly redisUrl: string | undefined;
}

/** A count of samples or runs at this size, never so few that a figure would mean nothing. */
export function sized(count: number, { factor }: Size): number {
  return Math.max(Math.min(count, 20), Math.round(count * factor));
}
