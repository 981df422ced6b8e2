// The real worker and the real front door on a store in memory, with a clock of their own that skips the time nobody
// works in. What a test sees here is what the shipped runtime does: nothing of it is imitated but the database.

import { WorkflowClient } from "../../sdk/client/client.ts";
import { type Duration, toMs } from "../../sdk/protocol/duration.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { DEFAULT_QUEUE } from "../../sdk/protocol/run.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { MemoryLeaseKeeper } from "../lease/memory/memory-leases.ts";
import { requireNodeRelease } from "../node-release.ts";
import { Service } from "../service/service.ts";
import type { MemoryTransaction } from "../store/memory/memory-store.ts";
import { catchUnhandledErrors } from "../unhandled-errors.ts";
import { MemoryWakeBus } from "../wake/memory/memory-wakeups.ts";
import { checkedWorkflows } from "../worker/checked-workflows.ts";
import { installGuards } from "../worker/guards/install.ts";
import { workerSettings } from "../worker/settings.ts";
import { WorkerLoop } from "../worker/worker-loop.ts";
import { systemChance, systemClock } from "../world/system.ts";
import type { Log, World } from "../world/world.ts";
import { AnnouncingStore } from "./announcing-store.ts";
import { TestDoor } from "./test-door.ts";
import { TimeSkipper } from "./time-skipper.ts";
import { NEVER_MS, VirtualClock } from "./virtual-clock.ts";

export interface TestEnvironmentOptions {
  /** What can be executed. Names must differ. */
  readonly workflows: readonly AnyWorkflow[];
  /** What time it is at first: a `Date`, or ms since the epoch. Default: the real time. */
  readonly startAt?: Date | number;
  /** Where log lines go. Default: nowhere. */
  readonly log?: Log;
  /** Queues whose runs are executed. Default `["default"]`. */
  readonly queues?: readonly string[];
  /**
   * Begins what a `transaction` step writes through; committed together with the step's event. Without it their queries
   * reject with TRANSACTION_UNSUPPORTED.
   */
  readonly transaction?: () => MemoryTransaction;
}

export interface AdvanceOptions {
  /**
   * Time passes although step bodies are under way, which lets their timeouts expire. Default false: they are waited
   * for.
   */
  readonly pastSteps?: boolean;
}

export interface TestEnvironment {
  /** Starts, signals, queries and watches runs: the same as a `Client`'s. Time passes by itself during `result()`. */
  readonly client: WorkflowClient;
  /** What time it is in this environment. */
  now(): Date;
  /**
   * Lets time pass, and all that falls due happen in order. Resolves when nothing is left to do at the new time.
   *
   * Throws ARGUMENT_INVALID, also when the environment was stopped.
   */
  advance(duration: Duration, options?: AdvanceOptions): Promise<void>;
  /** Ends everything. Open runs are gone; what waits for them rejects with RUN_STILL_OPEN. */
  stop(): Promise<void>;
}

/**
 * Executes workflows in this process and memory, with time that is skipped: whenever a `result()` or `advance()` is
 * waited for and no step body is under way, the clock jumps to the next timer. Environments are independent of each
 * other. Stop each one.
 *
 * A run that waits is let go of at once and replayed when it goes on, so code that is not deterministic shows itself; the
 * `result()` of a run that is blocked rejects with the reason: DIVERGENCE, FOREIGN_WAIT, PAYLOAD_UNREADABLE,
 * WORKFLOW_UNKNOWN.
 *
 * Throws CONFIGURATION_INVALID, ARGUMENT_INVALID, NODE_UNSUPPORTED.
 */
export async function testEnvironment(options: TestEnvironmentOptions): Promise<TestEnvironment> {
  requireNodeRelease(process.versions.node);
  const workflows = checkedWorkflows(options.workflows);
  const clock = new VirtualClock(startOf(options.startAt));
  const world: World = { clock, chance: systemChance, log: options.log ?? SILENT };
  const settings = workerSettings({ ...WITHOUT_LOOKING, queues: options.queues ?? [DEFAULT_QUEUE] });

  const bus = new MemoryWakeBus();
  const wakeups = bus.open(world);
  const { transaction } = options;
  const store = new AnnouncingStore(transaction === undefined ? { clock } : { clock, transaction }, {
    parked: () => wakeups.publish(settings.queues.map((queue) => `queue/${queue}` as const)),
    blocked: (runId, reason) => door.blocked(runId, reason),
    closedFromOutside(runIds) {
      wakeups.publish(runIds.map((runId) => `run/${runId}` as const));
      // Once the claims that are being made are made.
      worker.leftErrands();
      clock.afterDrain(() => void worker.compareClaims().finally(() => clock.stir()));
    },
  });
  const keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs: settings.leaseTtlMs } });
  const leases = keeper.open();
  const workerWakeups = bus.open(world);
  const worker = new WorkerLoop({ workflows, store, leases, wakeups: workerWakeups, world, settings });
  const service = new Service({ store, wakeups, world, pollMs: NEVER_MS });
  const time = new TimeSkipper({ clock, steps: () => worker.stats.stepsUnderWay + worker.stats.stepsWaiting });
  const door = new TestDoor(service, store, time);

  installGuards();
  const letErrorsPass = catchUnhandledErrors();
  await worker.start();

  let stopped: Promise<void> | undefined;
  const stop = () =>
    time.end(async () => {
      await worker.stop(0);
      await service.close();
      for (const part of [wakeups, workerWakeups, leases, store]) await part.close();
      letErrorsPass();
    });
  return {
    client: new WorkflowClient(door),
    now: () => new Date(clock.now()),
    advance: async (duration, { pastSteps = false } = {}) =>
      time.advance(toMs(duration, "advance(duration)"), pastSteps),
    stop() {
      stopped ??= stop();
      return stopped;
    },
  };
}

/** Nobody looks for what is announced, and who waits leaves at once. */
const WITHOUT_LOOKING = {
  pollMs: NEVER_MS,
  leaseTtlMs: NEVER_MS,
  rescueEveryMs: NEVER_MS,
  deadlineEveryMs: NEVER_MS,
  unblockEveryMs: NEVER_MS,
  lingerMs: 0,
  // A claim comes no sooner than some ms after the look before it: shorter waits are kept to the ms in memory.
  keepIfDueWithinMs: 10,
};

const silence = () => {};
const SILENT: Log = { debug: silence, info: silence, warn: silence, error: silence };

function startOf(startAt: Date | number | undefined): number {
  const ms = startAt === undefined ? systemClock.now() : Number(startAt);
  if (Number.isFinite(new Date(ms).getTime())) return Math.floor(ms);
  throw new EverstepError(
    "ARGUMENT_INVALID",
    `testEnvironment({ startAt }) takes a valid Date or milliseconds since the epoch; got ${String(startAt)}.`,
    { details: { argument: "startAt" } },
  );
}
