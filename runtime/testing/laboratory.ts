// An environment's inside: the real front door and a line of real workers, one after the other, on a store in memory and
// a clock that skips. What the kit's experiments change about it (chance, settings, faults, crashes) comes in as
// conditions; nothing else differs between a plain environment and one under experiment.

import { WorkflowClient } from "../../sdk/client/client.ts";
import type { Interceptor } from "../../sdk/client/interceptors.ts";
import type { StepBody, StepContext } from "../../sdk/workflow/step.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { CodecStore } from "../codecs/codec-store.ts";
import type { PayloadCodec } from "../codecs/payload-codec.ts";
import { MemoryLeaseKeeper } from "../lease/memory/memory-leases.ts";
import { WorkflowHooks } from "../replay/workflow-hooks.ts";
import { Service } from "../service/service.ts";
import { SUSPECT_FROM_CRASHES } from "../store/claims.ts";
import type { MemoryTransaction } from "../store/memory/memory-store.ts";
import type { Store } from "../store/store.ts";
import { catchUnhandledErrors } from "../unhandled-errors.ts";
import { MemoryWakeBus } from "../wake/memory/memory-wakeups.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import { installGuards } from "../worker/guards/install.ts";
import { aroundSteps } from "../worker/intercepted-steps.ts";
import { type WorkerSettings, workerSettings } from "../worker/settings.ts";
import type { BodyOf } from "../worker/step-runner.ts";
import { WorkerLoop } from "../worker/worker-loop.ts";
import { systemChance, systemClock } from "../world/system.ts";
import type { Chance, Log, World } from "../world/world.ts";
import { AnnouncingStore } from "./announcing-store.ts";
import { RememberedTopics } from "./remembered-topics.ts";
import { StepMocks } from "./step-mocks.ts";
import { TestDoor } from "./test-door.ts";
import { TimeSkipper } from "./time-skipper.ts";
import { NEVER_MS, VirtualClock } from "./virtual-clock.ts";
import { type Traffic, WorkerLife } from "./worker-life.ts";

/** Which attempt of which step a body is executed for. */
export interface BodyCall {
  readonly runId: string;
  readonly command: number;
  readonly name: string;
  readonly attempt: number;
  /** The shortest of its limits that count while the body is under way, in ms; null for none. */
  readonly limitMs: number | null;
  /** Ends the worker that executes it. */
  kill(): void;
}

/** Everything that an experiment may change. */
export interface Conditions {
  /** For the client, and for each worker of the line. */
  readonly chance?: (whose: string) => Chance;
  readonly settings?: Partial<WorkerSettings>;
  readonly traffic?: (laboratory: Laboratory) => Traffic;
  /** Around what the client, and each worker of the line, publishes and hears. */
  readonly wakeups?: (laboratory: Laboratory, whose: string, wakeups: Wakeups) => Wakeups;
  /** Around the execution of each step body, mocked or not. */
  readonly aroundBody?: (laboratory: Laboratory, call: BodyCall, execute: () => Promise<unknown>) => Promise<unknown>;
}

export interface LaboratoryOptions {
  readonly workflows: readonly AnyWorkflow[];
  /** Ms since the epoch. */
  readonly startAt: number;
  readonly log: Log;
  readonly queues: readonly string[];
  readonly transaction: (() => MemoryTransaction) | undefined;
  readonly codecs: readonly PayloadCodec[];
  readonly onlyMockedSteps: boolean;
  readonly interceptors: readonly Interceptor[];
}

export class Laboratory {
  readonly client: WorkflowClient;
  readonly clock: VirtualClock;
  readonly time: TimeSkipper;
  readonly mocks: StepMocks;
  /** Payloads are in it as they are kept. */
  readonly store: Store;
  readonly #options: LaboratoryOptions;
  readonly #conditions: Conditions;
  readonly #settings: WorkerSettings;
  readonly #bus = new MemoryWakeBus();
  readonly #topics: RememberedTopics;
  readonly #keeper: MemoryLeaseKeeper;
  readonly #service: Service;
  readonly #letErrorsPass: () => void;
  #life: WorkerLife;
  #worker: WorkerLoop;
  #workers = 0;
  #takingOver: Promise<void> | undefined;
  /** Of the present worker: bodies that are executed, and those of them that let time pass. */
  #bodies = 0;
  #idleBodies = 0;
  #stopped: Promise<void> | undefined;

  private constructor(options: LaboratoryOptions, conditions: Conditions) {
    this.#options = options;
    this.#conditions = conditions;
    const clock = new VirtualClock(options.startAt);
    this.clock = clock;
    this.#settings = workerSettings({ ...WITHOUT_LOOKING, queues: options.queues, ...conditions.settings });
    this.mocks = new StepMocks(options.onlyMockedSteps);
    const world = this.#world("client");
    this.#topics = new RememberedTopics(this.#bus.open(world));
    const { transaction } = options;
    const store = new AnnouncingStore(transaction === undefined ? { clock } : { clock, transaction }, {
      parked: () => this.#topics.publish(this.#settings.queues.map((queue) => `queue/${queue}` as const)),
      blocked: (runId, reason) => void door.blocked(runId, reason),
      closedFromOutside: (runIds) => {
        this.#topics.publish(runIds.map((runId) => `run/${runId}` as const));
        this.#worker.leftErrands();
        // Once the claims that are being made are made.
        clock.afterDrain(() => void this.#compareClaims());
      },
    });
    this.store = store;
    this.#keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs: this.#settings.leaseTtlMs } });
    this.#service = new Service({
      store: this.#behindCodecs(store, world, (execute) => execute()),
      wakeups: this.#wakeups("client", this.#topics),
      world,
      pollMs: NEVER_MS,
    });
    this.time = new TimeSkipper({ clock, steps: () => this.#underWay });
    const door = new TestDoor(this.#service, store, this.time);
    this.client = new WorkflowClient(door, options.interceptors);
    installGuards();
    this.#letErrorsPass = catchUnhandledErrors();
    this.#life = this.#nextLife();
    this.#worker = this.#workerOf(this.#life);
  }

  static async open(options: LaboratoryOptions, conditions: Conditions = {}): Promise<Laboratory> {
    const laboratory = new Laboratory(options, conditions);
    await laboratory.#worker.start();
    return laboratory;
  }

  /** Workers that there have been so far, the present one included. */
  get workers(): number {
    return this.#workers;
  }

  /** Ends the worker without a word. The next one takes its runs over at once: no test waits for a lease to run out. */
  async kill(): Promise<void> {
    this.time.requireOpen();
    this.#life.kill();
    await this.#takingOver;
  }

  /** What a worker finds out by looking now and then, at once: runs that are due or lost, mail, answers, closed runs. */
  async look(): Promise<void> {
    if (this.#life.isOver) return;
    this.#worker.leftErrands();
    await this.#compareClaims();
    this.#hintAll();
  }

  /** A look that fails under faults is made up for by the next. */
  async #compareClaims(): Promise<void> {
    await this.#worker.compareClaims().catch(() => {});
    this.clock.stir();
  }

  /** The worker's runs are taken from it, as they are when its lease ran out and it has not noticed yet. */
  async takeRunsAway(): Promise<void> {
    await this.store.rescueRuns(this.#worker.stats.workerId, Number.POSITIVE_INFINITY);
    this.#hintAll();
  }

  /** None of the worker's runs has been lost so often without progress that it is taken for what ends its workers. */
  async canLoseRuns(): Promise<boolean> {
    const claims = await this.store.claimsOf(this.#worker.stats.workerId);
    const runs = await Promise.all(claims.map(({ runId }) => this.store.findRun({ runId })));
    return runs.every((run) => run === null || run.crashCount < SUSPECT_FROM_CRASHES);
  }

  /** Time may pass while `wait` is under way, although the body of a step waits for it. */
  readonly letTimePass = async (wait: () => Promise<void>): Promise<void> => {
    const worker = this.#workers;
    this.#idleBodies++;
    this.clock.stir();
    try {
      await wait();
    } finally {
      // A body that its worker did not survive is counted no more.
      if (worker === this.#workers) this.#idleBodies--;
      this.clock.stir();
    }
  };

  stop(): Promise<void> {
    this.#stopped ??= this.time.end(() => this.#stop());
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.#takingOver;
    await this.#worker.stop(0);
    await this.#service.close();
    for (const part of [this.#topics, this.#life.wakeups, this.store]) await part.close();
    this.#letErrorsPass();
  }

  // ---------------------------------------------------------------- one worker after the other

  get #underWay(): number {
    const { stepsUnderWay, stepsWaiting } = this.#worker.stats;
    // Less than there are places taken: a transaction keeps its place while the runtime waits to begin or to commit it.
    // Less than there are bodies: one that ran into its timeout is not waited for, though it may go on.
    const bodies = Math.min(stepsUnderWay, this.#bodies);
    const atWork = Math.max(0, bodies + stepsWaiting - this.#idleBodies);
    return this.#takingOver === undefined ? atWork : atWork + 1;
  }

  #world(whose: string): World {
    const { chance } = this.#conditions;
    return { clock: this.clock, chance: chance?.(whose) ?? systemChance, log: this.#options.log };
  }

  #wakeups(whose: string, wakeups: Wakeups): Wakeups {
    return this.#conditions.wakeups?.(this, whose, wakeups) ?? wakeups;
  }

  #nextLife(): WorkerLife {
    this.#workers++;
    const whose = `worker ${this.#workers}`;
    const world = this.#world(whose);
    const { traffic } = this.#conditions;
    return new WorkerLife({
      world,
      store: this.store,
      leases: this.#keeper.open(),
      wakeups: this.#wakeups(whose, this.#bus.open(world)),
      traffic: this.#untilStopped(traffic?.(this)),
      mayDie: () => this.time.isOpen,
      onKilled: () => {
        const takingOver = this.#takeOver(this.#worker.stats.workerId).finally(() => {
          // The next one may have been killed as soon as it began.
          if (this.#takingOver === takingOver) this.#takingOver = undefined;
          this.clock.stir();
        });
        this.#takingOver = takingOver;
      },
    });
  }

  /** Nothing is in the way of an orderly end. */
  #untilStopped(traffic: Traffic | undefined): Traffic {
    return (call, execute) => (traffic !== undefined && this.time.isOpen ? traffic(call, execute) : execute());
  }

  #workerOf(life: WorkerLife): WorkerLoop {
    const { leases, wakeups, world } = life;
    const store = this.#behindCodecs(life.store, world, (execute) => life.answer(execute));
    const { workflows, interceptors } = this.#options;
    const bodyOf = this.#bodyOf(life);
    const hooks = WorkflowHooks.of(interceptors.map((each) => each.workflow));
    return new WorkerLoop({ workflows, store, leases, wakeups, world, settings: this.#settings, bodyOf, hooks });
  }

  /** Codecs work in real time: none of the skipped kind passes meanwhile. They are called, and answer, through `call`. */
  #behindCodecs(store: Store, world: World, call: <T>(execute: () => Promise<T>) => Promise<T>): Store {
    const { codecs } = this.#options;
    if (codecs.length === 0) return store;
    const coding = <T>(execute: () => T | Promise<T>) => call(() => this.time.hold(async () => execute()));
    const held = codecs.map(
      (codec): PayloadCodec => ({
        name: codec.name,
        encode: (bytes, place) => coding(() => codec.encode(bytes, place)),
        decode: (bytes, place) => coding(() => codec.decode(bytes, place)),
        requires: (place) => codec.requires?.(place) === true,
        ...(codec.forget && { forget: (runId: string) => coding(() => codec.forget?.(runId)) }),
      }),
    );
    return new CodecStore(store, held, { ...world, clock: systemClock });
  }

  async #takeOver(deadId: string): Promise<void> {
    // After whatever the killed one was in the middle of.
    await new Promise<void>((resolve) => this.clock.afterDrain(resolve));
    this.#keeper.release(deadId);
    await this.store.rescueRuns(deadId, Number.POSITIVE_INFINITY);
    this.#bodies = 0;
    this.#idleBodies = 0;
    this.#life = this.#nextLife();
    this.#worker = this.#workerOf(this.#life);
    await this.#worker.start();
    // Runs that the killed one closed, and mail that it was told of: nobody else would say so again.
    this.#hintAll();
  }

  #hintAll(): void {
    const { queues } = this.#settings;
    const { workerId } = this.#worker.stats;
    const ofQueues = queues.flatMap((queue) => [`queue/${queue}`, `ask/${queue}`] as const);
    this.#topics.publish([...this.#topics.subscribed, ...ofQueues, `worker/${workerId}`]);
  }

  #bodyOf(life: WorkerLife): BodyOf {
    const worker = this.#workers;
    const { aroundBody } = this.#conditions;
    // Within what is counted: time stands while an interceptor is at work.
    const intercepted = aroundSteps(this.#options.interceptors.map(({ step }) => step));
    return ({ runId, workflow }, pending) => {
      const own = this.mocks.bodyOf(pending);
      const body = intercepted?.({ workflow, name: pending.ask.name }, own) ?? own;
      if (aroundBody === undefined) return wrapped(body, (execute) => this.#counted(worker, execute));
      const { ask, command, failedAttempts } = pending;
      const limits = [ask.timeoutMs, ask.totalTimeoutMs, ask.heartbeatTimeoutMs].filter((limit) => limit !== null);
      const call: BodyCall = {
        runId,
        command,
        name: ask.name,
        attempt: failedAttempts + 1,
        limitMs: limits.length === 0 ? null : Math.min(...limits),
        kill: () => life.kill(),
      };
      return wrapped(body, (execute) => this.#counted(worker, () => aroundBody(this, call, async () => execute())));
    };
  }

  /** A body that returns at once does so still. */
  #counted(worker: number, execute: () => unknown): unknown {
    const end = () => {
      if (worker === this.#workers) this.#bodies--;
      this.clock.stir();
    };
    this.#bodies++;
    let result: unknown;
    try {
      result = execute();
    } catch (error) {
      end();
      throw error;
    }
    const isThenable = typeof result === "object" && result !== null && "then" in result;
    if (isThenable) return Promise.resolve(result).finally(end);
    end();
    return result;
  }
}

function wrapped(body: StepBody, around: (execute: () => unknown) => unknown): StepBody {
  return body.kind === "step"
    ? { ...body, run: (context: StepContext) => around(() => body.run(context)) }
    : { ...body, run: (tx, context) => around(() => body.run(tx, context)) };
}

/** Nobody looks for what is announced, and who waits leaves at once. */
const WITHOUT_LOOKING = {
  pollMs: NEVER_MS,
  leaseTtlMs: NEVER_MS,
  rescueEveryMs: NEVER_MS,
  deadlineEveryMs: NEVER_MS,
  unblockEveryMs: NEVER_MS,
  pruneEveryMs: NEVER_MS,
  lingerMs: 0,
  // A claim comes no sooner than some ms after the look before it: shorter waits are kept to the ms in memory.
  keepIfDueWithinMs: 10,
};
