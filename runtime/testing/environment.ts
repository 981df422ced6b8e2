// The real worker and the real front door on a store in memory, with a clock of their own that skips the time nobody
// works in. What a test sees here is what the shipped runtime does: nothing of it is imitated but the database.

import type { WorkflowClient } from "../../sdk/client/client.ts";
import { checkedInterceptors, type Interceptor } from "../../sdk/client/interceptors.ts";
import { type Duration, toMs } from "../../sdk/protocol/duration.ts";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import { DEFAULT_QUEUE } from "../../sdk/protocol/run.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import type { PayloadCodec } from "../codecs/payload-codec.ts";
import { requireNodeRelease } from "../node-release.ts";
import type { MemoryTransaction } from "../store/memory/memory-store.ts";
import { checkedWorkflows } from "../worker/checked-workflows.ts";
import { systemClock } from "../world/system.ts";
import type { Log } from "../world/world.ts";
import { type Faults, faultyConditions } from "./faults.ts";
import { type Conditions, Laboratory } from "./laboratory.ts";
import type { MockStep } from "./step-mocks.ts";

export interface TestEnvironmentOptions {
  /** What can be executed. Names must differ. */
  readonly workflows: readonly AnyWorkflow[];
  /** What time it is at first: a `Date`, or ms since the epoch. Default: the real time. */
  readonly startAt?: Date | number;
  /** What payloads go through on their way into the store and back, as for workers and clients. Default none. */
  readonly codecs?: readonly PayloadCodec[];
  /** Where log lines go. Default: nowhere. */
  readonly log?: Log;
  /** Queues whose runs are executed. Default `["default"]`. */
  readonly queues?: readonly string[];
  /**
   * Begins what a `transaction` step writes through; committed together with the step's event. Without it their queries
   * reject with TRANSACTION_UNSUPPORTED.
   */
  readonly transaction?: () => MemoryTransaction;
  /**
   * Refuses to execute the body of a step that is not mocked: the step fails with STEP_NOT_MOCKED, without another
   * attempt. So a test never touches the world. Default false.
   */
  readonly onlyMockedSteps?: boolean;
  /** What goes wrong between the worker and what it depends on, by a seed. Default: nothing. */
  readonly faults?: Faults;
  /** Stand around the client's calls, the code of runs and the bodies of steps, mocked or not. Default: none. */
  readonly interceptors?: readonly Interceptor[];
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
  /**
   * Executes `run` in place of a step's body from now on: of a step made by `defineStep`, with its types, or of any step
   * by its name. The newest mock of a name counts. Attempts, pauses and limits stay the step's own.
   *
   * Throws ARGUMENT_INVALID.
   */
  readonly mockStep: MockStep;
  /** Gives every step its own body back. */
  restoreSteps(): void;
  /** Names of the steps of which a mock is in place and was never called so far: a name that is misspelt, or a mock too many. */
  unusedMocks(): readonly string[];
  /**
   * Throws MOCK_UNUSED when there are unused mocks, naming them and the steps that were executed: for the end of a test, or
   * `afterEach`. Mocks that were restored do not count.
   */
  assertMocksUsed(): void;
  /**
   * Ends the worker without a word, as a crash does: what it has not committed is gone. Another takes over at once.
   * Resolves when it has begun. Bodies of steps under way go on, and nobody hears of what they come to.
   *
   * Rejects with ARGUMENT_INVALID when the environment was stopped.
   */
  killWorker(): Promise<void>;
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
  return environmentOf(await openLaboratory(options));
}

/** The same with something changed about it. */
export async function openLaboratory(
  options: TestEnvironmentOptions,
  conditions: Conditions = {},
): Promise<Laboratory> {
  requireNodeRelease(process.versions.node);
  const laboratory = {
    workflows: checkedWorkflows(options.workflows),
    startAt: startOf(options.startAt),
    log: options.log ?? SILENT,
    queues: options.queues ?? [DEFAULT_QUEUE],
    transaction: options.transaction,
    codecs: options.codecs ?? [],
    onlyMockedSteps: options.onlyMockedSteps ?? false,
    interceptors: checkedInterceptors(options.interceptors),
  };
  const faulty = options.faults === undefined ? {} : faultyConditions(options.faults);
  return Laboratory.open(laboratory, { ...faulty, ...conditions });
}

/** What of a laboratory a test sees. */
export function environmentOf(laboratory: Laboratory): TestEnvironment {
  const { client, clock, time, mocks } = laboratory;
  return {
    client,
    now: () => new Date(clock.now()),
    advance: async (duration, { pastSteps = false } = {}) =>
      time.advance(toMs(duration, "advance(duration)"), pastSteps),
    mockStep: mocks.mock,
    restoreSteps: () => mocks.restoreAll(),
    unusedMocks: () => mocks.unused(),
    assertMocksUsed: () => mocks.assertUsed(),
    killWorker: () => laboratory.kill(),
    stop: () => laboratory.stop(),
  };
}

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
