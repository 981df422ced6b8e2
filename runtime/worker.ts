// A worker as a process has it: real parts, signals of the operating system, the guards, the watchdog.

import { checkedInterceptors, type Interceptor } from "../sdk/client/interceptors.ts";
import { EverstepError } from "../sdk/protocol/errors.ts";
import type { AnyWorkflow } from "../sdk/workflow/workflow.ts";
import { requireNodeRelease } from "./node-release.ts";
import { WorkflowHooks } from "./replay/workflow-hooks.ts";
import { type ConnectionOptions, openParts, type Parts } from "./runtime.ts";
import { catchUnhandledErrors } from "./unhandled-errors.ts";
import { checkedWorkflows } from "./worker/checked-workflows.ts";
import { installGuards } from "./worker/guards/install.ts";
import { interceptedBodies } from "./worker/intercepted-steps.ts";
import { type WorkerSettings, workerSettings } from "./worker/settings.ts";
import { startWatchdog, type WatchdogLimits, watchdogLimits } from "./worker/watchdog.ts";
import { WorkerLoop, type WorkerStats } from "./worker/worker-loop.ts";
import { holdProcess } from "./world/hold.ts";

export interface WorkerOptions extends ConnectionOptions, Partial<WorkerSettings> {
  /** What this worker can execute. Names must differ. */
  readonly workflows: readonly AnyWorkflow[];
  /**
   * Reports an event loop that does not turn, then ends the process so that others take over. False for none. Default
   * `{ reportAfterMs: 5_000, endAfterMs: 15_000 }`.
   */
  readonly watchdog?: WatchdogLimits | false;
  /** Stand around the code of runs and the functions of steps, the first outermost. Default: none. */
  readonly interceptors?: readonly Interceptor[];
}

/**
 * Claims runs and executes them.
 *
 * Throws CONFIGURATION_INVALID for settings that cannot work, NODE_UNSUPPORTED on a Node release with known faults.
 */
export class Worker {
  readonly #parts: Parts;
  readonly #loop: WorkerLoop;
  readonly #settings: WorkerSettings;
  readonly #watchdog: Required<WatchdogLimits> | undefined;
  #ends: (() => void)[] = [];
  #phase: "new" | "running" | "stopping" | "stopped" = "new";
  #stopped: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    requireNodeRelease(process.versions.node);
    const workflows = checkedWorkflows(options.workflows);
    this.#settings = workerSettings(settingsIn(options));
    const interceptors = checkedInterceptors(options.interceptors);
    const watchdog = options.watchdog === false ? undefined : watchdogLimits(options.watchdog);
    this.#parts = openParts(options);
    this.#watchdog = watchdog;
    const { store, wakeups, world, locals } = this.#parts;
    const leases = this.#parts.openLeases(this.#settings.leaseTtlMs);
    this.#loop = new WorkerLoop({
      workflows,
      store,
      leases,
      wakeups,
      world,
      settings: this.#settings,
      locals,
      hooks: WorkflowHooks.of(interceptors.map(({ workflow }) => workflow)),
      bodyOf: interceptedBodies(interceptors.map(({ step }) => step)),
    });
  }

  /** What this worker is doing, in numbers. */
  get stats(): WorkerStats {
    return this.#loop.stats;
  }

  /**
   * Checks the database and begins to claim.
   *
   * Throws SCHEMA_MISSING, SCHEMA_BEHIND, SCHEMA_AHEAD, STORE_REFUSED, STORE_UNAVAILABLE.
   */
  async start(): Promise<void> {
    if (this.#phase !== "new") {
      throw new EverstepError("ARGUMENT_INVALID", "This worker was started before. Make a new one for another start.");
    }
    this.#phase = "running";
    try {
      await this.#parts.store.checkReady();
    } catch (error) {
      this.#phase = "stopped";
      await this.#parts.close();
      throw error;
    }
    installGuards();
    // While Postgres is away no socket holds the process, and it must not end for that.
    this.#ends.push(holdProcess(), catchUnhandledErrors());
    const { clock } = this.#parts.world;
    if (this.#watchdog !== undefined) {
      this.#ends.push(startWatchdog({ clock, ...this.#watchdog }));
    }
    await this.#loop.start();
    const { workerId } = this.#loop.stats;
    this.#parts.world.log.info({ workerId, queues: this.#settings.queues }, "worker started");
  }

  /**
   * Starts, and resolves when the worker has stopped: after SIGTERM or SIGINT it stops claiming, lets steps under way end
   * within `shutdownGraceMs`, and hands its runs over. A second signal ends the process at once, with exit code 130.
   *
   * Throws like `start`.
   */
  async run(): Promise<void> {
    await this.start();
    const { log } = this.#parts.world;
    await new Promise<void>((resolve) => {
      let isAsked = false;
      const ask = (signal: NodeJS.Signals) => {
        if (isAsked) {
          log.warn({ signal }, "asked to stop again: ending at once, runs are taken over when the lease runs out");
          process.exit(EXIT_INTERRUPTED);
        }
        isAsked = true;
        log.info({ signal }, "asked to stop: finishing steps under way, handing runs over");
        resolve();
      };
      process.on("SIGTERM", ask);
      process.on("SIGINT", ask);
      this.#ends.push(() => {
        process.off("SIGTERM", ask);
        process.off("SIGINT", ask);
      });
      void this.#whenStopped.then(resolve);
    });
    await this.stop();
  }

  /** Stops claiming, waits for steps under way (`shutdownGraceMs`), hands every run over, closes the connections. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  #tellStopped: () => void = () => {};
  readonly #whenStopped = new Promise<void>((resolve) => {
    this.#tellStopped = resolve;
  });

  async #stop(): Promise<void> {
    const wasRunning = this.#phase === "running";
    this.#phase = "stopping";
    if (wasRunning) await this.#loop.stop();
    for (const end of this.#ends.splice(0)) end();
    if (wasRunning) this.#parts.world.log.info({}, "worker stopped");
    await this.#parts.close();
    this.#phase = "stopped";
    this.#tellStopped();
  }
}

const EXIT_INTERRUPTED = 130;

function settingsIn(options: WorkerOptions): Partial<WorkerSettings> {
  const {
    workflows,
    watchdog,
    interceptors,
    database,
    redis,
    redisKeyPrefix,
    pools,
    isPooled,
    codecs,
    log,
    logLevel,
    ...settings
  } = options;
  return settings;
}
