// One seed: some workers and clients, each a process of its own, on one store, one keeper of leases and one bus of
// wake-ups, all behind a network that does what the seed says. Faults stop at some time; then everything must finish,
// and whatever was promised must be true.

import { CodecStore } from "../../runtime/codecs/codec-store.ts";
import { MemoryLeaseKeeper } from "../../runtime/lease/memory/memory-leases.ts";
import { LocalWorkers } from "../../runtime/service/local-workers.ts";
import { QUARANTINE_AFTER_CRASHES } from "../../runtime/store/claims.ts";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import type { Store } from "../../runtime/store/store.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import type { WorkerSettings } from "../../runtime/worker/settings.ts";
import type { Log } from "../../runtime/world/world.ts";
import { Caller } from "./caller.ts";
import { type Acknowledged, SimulatedClient } from "./clients.ts";
import { Dice } from "./dice.ts";
import { Effects } from "./effects.ts";
import { EntityCallers } from "./entity-callers.ts";
import { forkFamilies, isParent } from "./family-forks.ts";
import { drawFaults, drawSettings, type FaultPlan } from "./faults.ts";
import { faultyWakeups } from "./faulty-wakeups.ts";
import { checkEnd } from "./final-checks.ts";
import { Forkers } from "./forkers.ts";
import { LEDGER } from "./ledger.ts";
import type { Mutant } from "./mutant.ts";
import { mutate } from "./mutants.ts";
import { Nemesis } from "./nemesis.ts";
import { Route, type Server, type Weather } from "./network.ts";
import { Outsiders } from "./outsiders.ts";
import { drawParts, type Part } from "./parts.ts";
import { Probes } from "./probes.ts";
import { drawFamilies, drawPrograms, drawWith, type Program } from "./program.ts";
import { leasesUnavailable, remoteLeases, remoteStore, storeUnavailable } from "./remote-ports.ts";
import { Scheduler } from "./scheduler.ts";
import { sealing } from "./seal.ts";
import { checkSeals } from "./seal-checks.ts";
import { EPOCH_MS, SimulatedProcess } from "./simulated-process.ts";
import { SimulatedWorker } from "./simulated-worker.ts";
import { Witness } from "./witness.ts";

export interface SimulationResult {
  readonly seed: number;
  readonly violations: readonly string[];
  readonly probes: ReadonlyMap<string, number>;
  /** The same for the same seed, on every machine. */
  readonly hash: number;
  readonly events: number;
  readonly runs: number;
  readonly virtualMs: number;
}

export interface SimulationOptions {
  readonly mutant?: Mutant | undefined;
  /** Default: the mutant's, or as the seed says. */
  readonly parts?: ReadonlySet<Part> | undefined;
  readonly trace?: ((line: string) => void) | undefined;
}

const FINISH_WITHIN_MS = 300_000;
const MOST_VIOLATIONS = 5;
const LEFT_AFTER_MS = 60_000;
const VERSIONS = ["1.0.0", "2.0.0"] as const;

export async function simulate(seed: number, options: SimulationOptions = {}): Promise<SimulationResult> {
  return new Simulation(seed, options).run();
}

export class Simulation {
  readonly dice: Dice;
  readonly faults: FaultPlan;
  readonly settings: WorkerSettings;
  /** How long closed runs are kept; null: for ever. */
  readonly retentionMs: number | null;
  readonly parts: ReadonlySet<Part>;
  readonly programs: readonly Program[];
  /** Those of them that callers start as they like, those of parts, and families. */
  readonly #plain: readonly Program[];
  readonly #special: readonly Program[];
  readonly #families: readonly Program[];
  /** Where there are steps that are completed from outside, or webhooks. */
  readonly outsiders: Outsiders | undefined;
  readonly #entities: EntityCallers | undefined;
  readonly #forkers: Forkers | undefined;
  readonly scheduler: Scheduler;
  readonly probes = new Probes();
  readonly witness: Witness;
  readonly effects: Effects;
  readonly storeServer: Server = { isDown: false };
  readonly leaseServer: Server = { isDown: false };
  readonly codecServer: Server = { isDown: false };
  readonly keeper: MemoryLeaseKeeper;
  readonly workers: SimulatedWorker[] = [];
  readonly #clients: SimulatedClient[] = [];
  readonly #callers: Caller[] = [];
  readonly #seed: number;
  readonly #options: SimulationOptions;
  readonly #truth: Store;
  /** The same, with payloads as they were before codecs. */
  readonly #readable: Store;
  readonly #door: Store;
  readonly #bus = new MemoryWakeBus();
  readonly #violations: string[] = [];
  readonly #acknowledged: Acknowledged = {
    starts: [],
    signals: [],
    updates: [],
    requests: [],
    results: [],
    terminations: [],
    answers: [],
  };
  readonly #nemesis: Nemesis;
  #isHealed = false;
  #overSince: number | undefined;
  #processes = 0;
  /** Workers that ended without handing over: each may have cost a run a claim. */
  losses = 0;

  constructor(seed: number, options: SimulationOptions) {
    const { mutant } = options;
    this.#seed = seed;
    this.#options = options;
    this.dice = new Dice(`everstep/${seed}`);
    const drawn = drawFaults(this.dice.split("faults"));
    this.faults = mutant?.faults === undefined ? drawn : { ...drawn, ...mutant.faults, isCalm: false };
    this.parts = options.parts ?? (mutant?.parts && new Set(mutant.parts)) ?? drawParts(this.dice.split("parts"));
    const { parts } = this;
    const isPruned = parts.has("pruning");
    this.retentionMs = isPruned ? this.dice.split("pruning").int(1, 1_000) : null;
    this.settings = {
      ...drawSettings(this.dice.split("settings"), this.faults),
      ...(isPruned ? { pruneEveryMs: 250 } : {}),
      ...mutant?.settings,
    };
    const hasFamilies = parts.has("families") || parts.has("familyForks");
    this.#families = hasFamilies ? drawFamilies(this.dice.split("families"), this.faults) : [];
    this.#special = (["deferred", "webhooks"] as const)
      .filter((part) => parts.has(part))
      .map((part) => drawWith(part, this.dice.split(part), this.faults));
    this.#plain = drawPrograms(this.dice.split("programs"), this.faults);
    this.programs = [...this.#plain, ...this.#special, ...this.#families];
    this.scheduler = new Scheduler(this.dice.split("ties"), (error) => this.violation("threw", textOf(error)));
    const clock = {
      now: () => EPOCH_MS + Math.floor(this.scheduler.now),
      monotonic: () => this.scheduler.now,
      setTimer: () => () => {},
      afterDrain: () => {},
    };
    const violation = (kind: string, what: string) => this.violation(kind, what);
    const { now } = clock;
    const store = new MemoryStore({ clock, transaction: () => this.effects.transaction() });
    this.#truth = store;
    // Opening a process draws.
    this.#readable = parts.has("codecs") ? this.throughCodecs(this.openProcess("auditor"), store, true) : store;
    this.witness = new Witness({
      store: mutate(mutant, {
        store,
        claimOf: (runId) => this.witness.runs.get(runId)?.claim ?? null,
        eventsOf: (runId) => this.witness.chronicle(runId)?.length ?? 0,
      }),
      truth: store,
      readable: this.#readable,
      now,
      retentionMs: this.retentionMs,
      probes: this.probes,
      violation,
      committed: (runId, text) => {
        this.scheduler.mixText(text);
        this.trace(() => `${runId.slice(-4)} ${text}`);
      },
    });
    this.#door = this.witness.door();
    const isPunctual = this.faults.drift === 0;
    this.effects = new Effects({ witness: this.witness, now, probes: this.probes, isPunctual, violation });
    this.keeper = new MemoryLeaseKeeper({ clock, settings: { ttlMs: this.settings.leaseTtlMs } });
    this.#nemesis = new Nemesis(this);
    this.outsiders = parts.has("deferred") || parts.has("webhooks") ? this.#openOutsiders() : undefined;
    this.#forkers = parts.has("forks") ? this.#openForkers() : undefined;
    this.#entities = parts.has("entities") ? this.#openEntityCallers() : undefined;
  }

  async run(): Promise<SimulationResult> {
    const { scheduler, faults, dice, programs } = this;
    if (faults.isCalm) this.probes.hit("calm seed");
    this.trace(() => JSON.stringify({ faults, settings: this.settings, programs }));
    for (const versions of drawVersions(dice.split("versions"), dice.int(1, 3))) {
      this.workers.push(new SimulatedWorker(this, new LocalWorkers(), versions));
    }
    for (let count = dice.int(1, 2); count > 0; count--) this.#clients.push(this.#openClient());
    for (const worker of this.workers) worker.boot();
    this.#operate();
    this.#nemesis.rage();
    scheduler.after(faults.untilMs, null, () => this.#heal());
    const isDone = () => this.#violations.length >= MOST_VIOLATIONS || (this.#isHealed && this.#isOverForGood());
    const isFinished = await scheduler.run(faults.untilMs + FINISH_WITHIN_MS, isDone);
    if (!isFinished) await this.#reportStuck();
    const virtualMs = scheduler.now;
    if (this.#violations.length === 0) await this.#wrapUp();
    return {
      seed: this.#seed,
      violations: this.#violations,
      probes: this.probes.counts,
      hash: scheduler.hash,
      events: scheduler.fired,
      runs: this.witness.runs.size,
      virtualMs,
    };
  }

  readonly violation = (kind: string, what: string): void => {
    this.trace(() => `!!! ${kind}: ${what}`);
    if (this.#violations.length < MOST_VIOLATIONS) this.#violations.push(`${kind}: ${what}`);
  };

  trace(line: () => string): void {
    this.#options.trace?.(`${this.scheduler.now.toFixed(1).padStart(9)} ${line()}`);
  }

  isVersioned(workflow: string): boolean {
    return this.parts.has("versions") && this.#plain.some(({ name }) => name === workflow);
  }

  openProcess(kind: string): SimulatedProcess {
    const { dice, faults, scheduler } = this;
    const name = `${kind}${++this.#processes}`;
    return new SimulatedProcess({
      name,
      scheduler,
      dice: dice.split(name),
      skewMs: faults.skewMs === 0 ? 0 : (dice.float() - 0.5) * 2 * faults.skewMs,
      rate: 1 + (faults.drift === 0 ? 0 : (dice.float() - 0.5) * 2 * faults.drift),
      log: (process, level, fields, message) => this.#logged(process, level, fields, message),
    });
  }

  openStore(process: SimulatedProcess): Store {
    const { scheduler, probes, faults } = this;
    const dice = this.dice.split(`${process.name}/store`);
    const weather = (): Weather => (this.#isHealed ? calm(faults) : faults);
    const server = this.storeServer;
    const route = new Route({ scheduler, process, server, dice, probes, weather, unavailable: storeUnavailable });
    return remoteStore(this.#door, route);
  }

  /** As a process that has the codecs sees the store, in seeds that have them. */
  throughCodecs(process: SimulatedProcess, store: Store, isAuditor = false): Store {
    if (!this.parts.has("codecs")) return store;
    const codec = sealing({
      process,
      server: isAuditor ? { isDown: false } : this.codecServer,
      dice: this.dice.split(`${process.name}/seal`),
      lateShare: isAuditor || this.faults.isCalm ? 0 : 0.05,
      plainShare: isAuditor ? 0 : (this.#options.mutant?.plainShare ?? 0),
      violation: (kind, what) => this.violation(kind, what),
    });
    return new CodecStore(store, [codec], process.world);
  }

  openLeases(process: SimulatedProcess) {
    const { scheduler, probes, faults } = this;
    const dice = this.dice.split(`${process.name}/leases`);
    const failing: Weather = {
      ...calm(faults),
      lostRequest: faults.leaseFailure / 3,
      lostReply: faults.leaseFailure / 3,
      lateExecution: faults.leaseFailure / 3,
    };
    const weather = () => (this.#isHealed ? calm(faults) : failing);
    const server = this.leaseServer;
    const route = new Route({ scheduler, process, server, dice, probes, weather, unavailable: leasesUnavailable });
    return remoteLeases(this.keeper.open(), route);
  }

  openWakeups(process: SimulatedProcess) {
    const { scheduler, probes, faults } = this;
    const dice = this.dice.split(`${process.name}/wake`);
    return faultyWakeups({ bus: this.#bus, process, scheduler, faults, dice, probes });
  }

  #openClient(): SimulatedClient {
    const process = this.openProcess("client");
    return new SimulatedClient({
      process,
      store: this.throughCodecs(process, this.openStore(process)),
      wakeups: this.openWakeups(process),
      // A caller may share its process with a worker. It outlives that worker here: whatever it was told is still checked.
      locals: this.dice.split(`${process.name}/locals`).hits(0.5)
        ? (this.workers[this.#clients.length]?.locals ?? new LocalWorkers())
        : new LocalWorkers(),
      dice: this.dice.split(`${process.name}/plan`),
      probes: this.probes,
      acknowledged: this.#acknowledged,
      now: () => this.scheduler.now,
      isBlocked: (runId) => this.witness.runs.get(runId)?.blocked != null,
      eventsOf: (runId) => this.witness.chronicle(runId)?.length ?? 0,
      isDeleted: (runId) => this.witness.deleted.has(runId),
      versionsOf: ({ name }) => (this.isVersioned(name) ? VERSIONS : null),
      started: (runId, program) => {
        // What is delivered to a webhook may come to the run in whose place a fork was put.
        if (!program.isPoison && program.name !== "webhooks") this.#forkers?.consider(runId, program);
      },
      violation: (kind, what) => this.violation(kind, what),
    });
  }

  #openCaller(kind: string): Caller {
    const process = this.openProcess(kind);
    const caller = new Caller({
      process,
      store: this.throughCodecs(process, this.openStore(process)),
      wakeups: this.openWakeups(process),
      dice: this.dice.split(process.name),
      violation: (kind, what) => this.violation(kind, what),
    });
    this.#callers.push(caller);
    return caller;
  }

  #openEntityCallers(): EntityCallers {
    return new EntityCallers({
      callers: [this.#openCaller("shop"), this.#openCaller("shop")],
      dice: this.dice.split("entities"),
      probes: this.probes,
      now: () => this.scheduler.now,
    });
  }

  #openForkers(): Forkers {
    const forkers = new Forkers({
      caller: this.#openCaller("operator"),
      dice: this.dice.split("forks"),
      probes: this.probes,
      eventsOf: (runId) => this.witness.chronicle(runId)?.events ?? [],
      forked: (fork, program) => {
        this.#clients[0]?.adopt(fork, program);
        forkers.consider(fork.runId, program);
      },
      violation: (kind, what) => this.violation(kind, what),
    });
    return forkers;
  }

  #forkFamilies(): void {
    const families = () =>
      [...this.witness.runs].flatMap(([runId, { chronicle }]) => {
        const [first] = chronicle.events;
        const workflow = first?.type === "RunStarted" ? first.workflow : "";
        return this.#families.some(({ name }) => name === workflow) ? [{ runId, workflow }] : [];
      });
    const dice = this.dice.split("familyForks");
    forkFamilies({ caller: this.#openCaller("relative"), dice, probes: this.probes, families });
  }

  #openOutsiders(): Outsiders {
    return new Outsiders({
      callers: [this.#openCaller("outsider"), this.#openCaller("outsider")],
      dice: this.dice.split("outsiders"),
      probes: this.probes,
      now: () => this.scheduler.now,
      sent: this.#acknowledged.signals,
      isBlocked: (runId) => this.witness.runs.get(runId)?.blocked != null,
      violation: (kind, what) => this.violation(kind, what),
    });
  }

  #operate(): void {
    const dice = this.dice.split("plan");
    // What is done to runs is done to these.
    const done = ["forks", "versions", "codecs", "pruning"] as const;
    const least = done.some((part) => this.parts.has(part)) ? 1 : 0;
    for (let run = this.parts.size > 0 ? dice.int(least, 2) : dice.int(1, 4); run > 0; run--) {
      const program = this.#plain[dice.int(0, this.#plain.length - 1)];
      if (program === undefined) continue;
      const client = this.#clients[dice.int(0, this.#clients.length - 1)];
      client?.operate(program, `order-${run}`);
      // Two callers with the same id are given the same run.
      if (dice.hits(0.1)) this.#clients.at(-1)?.operate(program, `order-${run}`);
    }
    for (const program of this.#special) {
      for (let run = dice.int(1, 2); run > 0; run--) this.#clients[0]?.operate(program, `${program.name}-${run}`);
    }
    this.#entities?.begin();
    for (const program of this.#families) {
      // Children are not started by anybody else.
      if (isParent(program.name)) this.#clients[0]?.operateFamily(program, program.name);
    }
    // Of runs that are deleted soon there would be little left to fork, and nothing to hold what they were told against.
    if (this.parts.has("familyForks") && !this.parts.has("pruning")) this.#forkFamilies();
  }

  #heal(): void {
    this.trace(() => "--- healed");
    this.#isHealed = true;
    this.storeServer.isDown = false;
    this.leaseServer.isDown = false;
    this.codecServer.isDown = false;
    for (const worker of this.workers) worker.heal();
    this.#watchForNudges();
  }

  get isHealed(): boolean {
    return this.#isHealed;
  }

  /** Runs that are parked and wait for a signal which nobody sends get one, and paused ones go on: all others must by themselves. */
  #watchForNudges(): void {
    this.scheduler.after(1_000, null, () => {
      for (const runId of this.witness.open) void this.#nudgeIfWaiting(runId);
      for (const [runId, { blocked }] of this.witness.runs)
        if (blocked === "quarantine") void this.#releaseIfCalled(runId);
      this.#watchForNudges();
    });
  }

  async #nudgeIfWaiting(runId: string): Promise<void> {
    const detail = await this.#truth.findRun({ runId });
    // A pause that was carried out after its caller gave up may have come after the resume.
    if (detail?.paused != null) this.#clients[0]?.resume(runId);
    if (detail?.workflow === LEDGER) return this.#entities?.end(detail.workflowId);
    const isFamily = this.#families.some(({ name }) => name === detail?.workflow);
    // Its parent may have been told of the end of the run that it was forked from: then nobody brings it, or its later attempt, to an end.
    const mayBeLeft = detail !== null && (detail.forkedFrom !== null || (detail.attempt ?? 1) > 1);
    const isLeft = isFamily && mayBeLeft && !isParent(detail.workflow);
    if (isLeft && detail.startedAt + LEFT_AFTER_MS < detail.now) this.#clients[0]?.end(runId);
    const waitsForMail = detail !== null && !isFamily && detail.ownerId === null && detail.wakeAt === null;
    if (!waitsForMail || detail.unreadMail > 0) return;
    this.#clients[0]?.nudge(runId);
    this.outsiders?.senders.nudge(runId);
  }

  /** Callers of an entity wait until it answers, parents for their children: somebody has found out what ended the workers. */
  async #releaseIfCalled(runId: string): Promise<void> {
    const workflow = (await this.#truth.findRun({ runId }))?.workflow;
    const isWaitedFor = workflow === LEDGER || this.#families.some(({ name }) => name === workflow);
    if (this.#isHealed && isWaitedFor) this.#clients[0]?.unblock(runId);
  }

  /** What the last runs of families have left to be done may begin others: whoever looks for that has looked. */
  #isOverForGood(): boolean {
    if (!this.#isOver()) this.#overSince = undefined;
    else this.#overSince ??= this.scheduler.now;
    const waitsMs = this.#families.length === 0 ? 0 : 2 * this.settings.rescueEveryMs;
    return this.#overSince !== undefined && this.scheduler.now - this.#overSince >= waitsMs;
  }

  #isOver(): boolean {
    for (const runId of this.witness.open) if (!this.witness.isHeldUp(runId)) return false;
    if (this.#callers.some((caller) => !caller.isIdle)) return false;
    for (const client of this.#clients) {
      if (!client.isIdle) return false;
      for (const runId of client.waiting.keys()) {
        if (this.witness.runs.get(runId)?.blocked === null && !this.witness.isHeldUp(runId)) return false;
      }
    }
    return true;
  }

  async #reportStuck(): Promise<void> {
    const stuck = [...this.witness.open].filter((runId) => !this.witness.isHeldUp(runId));
    for (const runId of stuck) {
      const detail = await this.#truth.findRun({ runId });
      this.violation("stuck", `run ${runId} is still open: ${JSON.stringify(detail)}`);
    }
    if (stuck.length > 0) return;
    const waiting = this.#clients.flatMap((client) => [...client.waiting.keys()]);
    this.violation("stuck", `clients still wait, for results of ${waiting.join() || "nothing"}`);
  }

  /** Stops every worker as a deploy would, and looks at what is left. */
  async #wrapUp(): Promise<void> {
    const { scheduler, witness, faults } = this;
    const stopping = Promise.all(this.workers.map((worker) => worker.stopForGood()));
    let isStopped = false;
    stopping.then(
      () => {
        isStopped = true;
      },
      (error: unknown) => this.violation("stop", textOf(error)),
    );
    const hasFailed = () => this.#violations.length > 0;
    await scheduler.run(scheduler.now + FINISH_WITHIN_MS, () => isStopped || hasFailed());
    if (!isStopped) return this.violation("stop", "the workers did not stop");
    for (const client of this.#clients) await client.service.close();
    for (const caller of this.#callers) await caller.service.close();
    for (const [runId, { blocked, chronicle }] of witness.runs) {
      if (blocked === null) continue;
      const isFair = blocked === "quarantine" && this.losses >= QUARANTINE_AFTER_CRASHES;
      if (!isFair) this.violation("blocked", `run ${runId}: ${blocked} after ${chronicle.length} events`);
    }
    if (this.parts.has("codecs")) await checkSeals(this.#truth, this);
    let isChecked = false;
    const checking = checkEnd({
      truth: this.#readable,
      witness,
      effects: this.effects,
      acknowledged: this.#acknowledged,
      reports: this.outsiders?.reporters.told ?? [],
      entities: this.#entities,
      programs: this.programs,
      scheduler,
      probes: this.probes,
      isCalm: faults.isCalm,
      violation: (kind, what) => this.violation(kind, what),
    });
    checking.then(
      () => {
        isChecked = true;
      },
      (error: unknown) => this.violation("check", textOf(error)),
    );
    await scheduler.run(Number.POSITIVE_INFINITY, () => isChecked || (hasFailed() && this.#violations.length > 3));
    if (!isChecked && !hasFailed()) this.violation("check", "a replay never came to an end");
  }

  #logged(process: SimulatedProcess, level: keyof Log, fields: Record<string, unknown>, message: string): void {
    this.trace(() => `${process.name} ${level}: ${message} ${JSON.stringify(fields)}`);
    if (message.startsWith("lease lost")) {
      this.losses++;
      this.probes.hit("lease: lapsed");
    }
  }
}

/** Which versions each worker has: one or both, and each is had by somebody. */
function drawVersions(dice: Dice, workers: number): (readonly string[])[] {
  const [one, other] = VERSIONS;
  const held = Array.from({ length: workers }, () => dice.pick<readonly string[]>([VERSIONS, [one], [other]]));
  const isHad = (version: string) => held.some((versions) => versions.includes(version));
  return isHad(one) && isHad(other) ? held : held.map((versions, index) => (index === 0 ? VERSIONS : versions));
}

function calm({ latencyMs, timeoutMs }: FaultPlan): Weather {
  return { latencyMs, timeoutMs, lostRequest: 0, lostReply: 0, lateExecution: 0 };
}

function textOf(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
