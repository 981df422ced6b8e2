// How a worker behaves, with the defaults. Times in ms.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { assertName } from "../../sdk/protocol/names.ts";
import { DEFAULT_QUEUE } from "../../sdk/protocol/run.ts";
import { DEFAULT_LEASE_TTL_MS } from "../lease/leases.ts";

export interface WorkerSettings {
  /** Queues whose runs are claimed. Default `["default"]`. */
  readonly queues: readonly string[];
  /** Runs kept in memory at the most. Default 5,000. */
  readonly maxLiveRuns: number;
  /** Rough size of the histories of live runs above which nothing more is claimed and quiet runs leave. Default 256 MiB. */
  readonly maxLiveBytes: number;
  /** Runs taken by one claim. Default 250; see `Pace` for when it is fewer. */
  readonly maxRunsPerClaim: number;
  /** Step bodies under way at once; more wait in line. Default 2,000. */
  readonly maxSteps: number;
  /** Commits under way at once: so many of runs that began here, and so many of all others. Default 2. */
  readonly commitConcurrency: number;
  /** Runs in one commit. Default 500; see `Pace` for when it is fewer. */
  readonly maxRunsPerCommit: number;
  /** Rough size above which a commit takes no more runs. Default 4 MiB. */
  readonly maxBytesPerCommit: number;
  /** How often to look for work when nobody says that there is some. Default 1,000. */
  readonly pollMs: number;
  /** How long a quiet run stays in memory. Default 1,000. */
  readonly lingerMs: number;
  /** A run that is due within this time is not parked. Default 2,000. */
  readonly keepIfDueWithinMs: number;
  /** How long the lease of this worker lasts. Default 6,000. */
  readonly leaseTtlMs: number;
  /** How often step heartbeats are written. Default 2,000. */
  readonly heartbeatEveryMs: number;
  /** How long step bodies may go on after the worker was told to stop. Default 10,000. */
  readonly shutdownGraceMs: number;
  /** How often to look for lost workers. Default: a third of the lease's time. */
  readonly rescueEveryMs: number;
  /** How often to look for runs past their timeout. Default 1,000. */
  readonly deadlineEveryMs: number;
  /** How often to look for blocked runs that this worker's code may fit. Default 10,000. */
  readonly unblockEveryMs: number;
  /** How often to look for closed runs past the retention of this worker's workflows. Default 60,000. */
  readonly pruneEveryMs: number;
}

const DEFAULTS: WorkerSettings = {
  queues: [DEFAULT_QUEUE],
  maxLiveRuns: 5_000,
  maxLiveBytes: 256 * 1024 * 1024,
  maxRunsPerClaim: 250,
  maxSteps: 2_000,
  commitConcurrency: 2,
  maxRunsPerCommit: 500,
  maxBytesPerCommit: 4 * 1024 * 1024,
  pollMs: 1_000,
  lingerMs: 1_000,
  keepIfDueWithinMs: 2_000,
  leaseTtlMs: DEFAULT_LEASE_TTL_MS,
  heartbeatEveryMs: 2_000,
  shutdownGraceMs: 10_000,
  rescueEveryMs: DEFAULT_LEASE_TTL_MS / 3,
  deadlineEveryMs: 1_000,
  unblockEveryMs: 10_000,
  pruneEveryMs: 60_000,
};

const MAY_BE_ZERO = new Set<string>(["lingerMs", "keepIfDueWithinMs", "shutdownGraceMs"]);

/** Throws CONFIGURATION_INVALID, naming the setting. */
export function workerSettings(given: Partial<WorkerSettings> = {}): WorkerSettings {
  const leaseTtlMs = given.leaseTtlMs ?? DEFAULTS.leaseTtlMs;
  const settings: WorkerSettings = { ...DEFAULTS, rescueEveryMs: leaseTtlMs / 3, ...definedIn(given) };
  for (const [name, value] of Object.entries(settings)) {
    if (name === "queues") continue;
    const isFit =
      typeof value === "number" && Number.isFinite(value) && (value > 0 || (value === 0 && MAY_BE_ZERO.has(name)));
    if (!isFit) throw invalid(name, `a positive number, got ${String(value)}`);
  }
  if (settings.queues.length === 0) throw invalid("queues", "at least one queue name");
  for (const queue of settings.queues) assertName(queue, "queues");
  return settings;
}

function definedIn(given: Partial<WorkerSettings>): Partial<WorkerSettings> {
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined));
}

function invalid(name: string, expected: string): EverstepError {
  return new EverstepError("CONFIGURATION_INVALID", `The worker setting ${name} takes ${expected}.`, {
    details: { setting: name },
  });
}
