// What may go wrong under a seed. Swarm testing: each seed enables some kinds of fault and leaves out others, at rates of
// its own, so that every combination comes up somewhere; a quarter of the seeds goes to extremes.

import { type WorkerSettings, workerSettings } from "../../runtime/worker/settings.ts";
import type { Dice } from "./dice.ts";

export interface FaultPlan {
  /** No fault at all: then every step attempt is executed exactly once. */
  readonly isCalm: boolean;
  /** When faults stop; everything must finish soon after. */
  readonly untilMs: number;
  readonly latencyMs: number;
  readonly timeoutMs: number;
  /** Per call between a process and the store. */
  readonly lostRequest: number;
  readonly lostReply: number;
  readonly lateExecution: number;
  /** Per call between a process and the keeper of leases. */
  readonly leaseFailure: number;
  /** Per wake-up. */
  readonly lostWakeup: number;
  readonly doubledWakeup: number;
  readonly lateWakeup: number;
  /** Mean time between two of them, in ms; 0: never. */
  readonly killEveryMs: number;
  readonly pauseEveryMs: number;
  readonly gracefulStopEveryMs: number;
  readonly storeDownEveryMs: number;
  readonly leasesDownEveryMs: number;
  readonly leasesEmptiedEveryMs: number;
  /** The lease of one worker that lives and trusts it is gone: others take its runs. */
  readonly leaseEvictedEveryMs: number;
  readonly skewMs: number;
  readonly drift: number;
}

export function drawFaults(dice: Dice): FaultPlan {
  const isCalm = dice.hits(0.08);
  // Squared: many seeds mild, some wild.
  const intensity = isCalm ? 0 : 0.05 + dice.float() * dice.float();
  const rate = (most: number, enabled = 0.55) => (dice.hits(isCalm ? 0 : enabled) ? most * intensity : 0);
  const every = (leastMs: number, enabled = 0.5) =>
    dice.hits(isCalm ? 0 : enabled) ? Math.round(leastMs / intensity) : 0;
  return {
    isCalm,
    untilMs: dice.int(2_000, 6_000),
    latencyMs: dice.pick([0, 2, 2, 5, 20]),
    timeoutMs: dice.pick([100, 300, 1_000]),
    lostRequest: rate(0.15),
    lostReply: rate(0.25),
    lateExecution: rate(0.2),
    leaseFailure: rate(0.4, 0.4),
    lostWakeup: dice.hits(isCalm ? 0 : 0.2) ? 1 : rate(0.5),
    doubledWakeup: rate(0.5),
    lateWakeup: rate(0.5),
    killEveryMs: every(400),
    pauseEveryMs: every(500),
    gracefulStopEveryMs: every(800, 0.3),
    storeDownEveryMs: every(900, 0.35),
    leasesDownEveryMs: every(900, 0.35),
    leasesEmptiedEveryMs: every(900, 0.3),
    leaseEvictedEveryMs: every(100, 0.4),
    skewMs: rate(20_000),
    drift: rate(0.1, 0.35),
  };
}

/** Small numbers, so that every bound is met all the time. */
export function drawSettings(dice: Dice, { latencyMs }: FaultPlan): WorkerSettings {
  const isExtreme = dice.hits(0.25);
  // A lease that cannot be renewed in time even on a good day proves nothing.
  const leaseTtlMs = Math.max(20 * latencyMs, isExtreme ? dice.pick([60, 200]) : dice.pick([600, 1_500, 3_000]));
  return workerSettings({
    leaseTtlMs,
    rescueEveryMs: Math.max(100, leaseTtlMs / 2),
    pollMs: isExtreme ? dice.pick([40, 2_000]) : dice.pick([200, 400, 800]),
    lingerMs: isExtreme ? 0 : dice.pick([0, 20, 200, 800]),
    keepIfDueWithinMs: dice.pick([0, 50, 500]),
    maxLiveRuns: isExtreme ? dice.pick([1, 2]) : dice.pick([2, 5, 100]),
    maxRunsPerClaim: isExtreme ? 1 : dice.pick([1, 3, 100]),
    maxRunsPerCommit: dice.pick([1, 2, 100]),
    commitConcurrency: dice.pick([1, 2, 4]),
    maxSteps: isExtreme ? 1 : dice.pick([1, 3, 50]),
    heartbeatEveryMs: dice.pick([10, 100]),
    shutdownGraceMs: dice.pick([0, 50, 1_000]),
    deadlineEveryMs: dice.pick([200, 1_000]),
    unblockEveryMs: 5_000,
  });
}
