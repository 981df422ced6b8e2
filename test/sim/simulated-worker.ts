// One worker that is killed, paused, told to stop and started again: each time a new process with a new loop, as a
// supervisor would.

import { LocalWorkers } from "../../runtime/service/local-workers.ts";
import type { ClaimedRun } from "../../runtime/store/claims.ts";
import type { Store } from "../../runtime/store/store.ts";
import type { Wakeups } from "../../runtime/wake/wakeups.ts";
import { WorkerLoop } from "../../runtime/worker/worker-loop.ts";
import type { Dice } from "./dice.ts";
import { ledgerOf } from "./ledger.ts";
import type { SimulatedProcess } from "./simulated-process.ts";
import type { Simulation } from "./simulation.ts";
import { type StepWorld, workflowOf } from "./workflow-of.ts";

export class SimulatedWorker {
  /** Where a client that shares this worker's process finds it, whichever process that is by now. */
  readonly locals: LocalWorkers;
  readonly #simulation: Simulation;
  readonly #dice: Dice;
  readonly #versions: readonly string[];
  #process: SimulatedProcess | undefined;
  #loop: WorkerLoop | undefined;
  #wakeups: Wakeups | undefined;
  #stopped: Promise<void> | undefined;
  #leaveLocals: () => void = () => {};
  #mayBoot = true;

  /** `versions`: which this one has, of workflows that have any; the same after each restart. */
  constructor(simulation: Simulation, locals: LocalWorkers, versions: readonly string[]) {
    this.locals = locals;
    this.#versions = versions;
    this.#simulation = simulation;
    this.#dice = simulation.dice.split(`worker/${simulation.workers.length}`);
  }

  get workerId(): string | undefined {
    return this.#loop?.stats.workerId;
  }

  boot(): void {
    if (!this.#mayBoot || (this.#process !== undefined && this.#process.state !== "dead")) return;
    const { programs, settings, parts, retentionMs } = this.#simulation;
    const process = this.#simulation.openProcess("worker");
    const wakeups = this.#simulation.openWakeups(process);
    const world = this.#stepWorld(process);
    const loop = new WorkerLoop({
      workflows: [
        ...programs.flatMap((program) =>
          this.#simulation.isVersioned(program.name)
            ? this.#versions.map((version) => workflowOf(program, world, { version, retentionMs }))
            : [workflowOf(program, world, { retentionMs })],
        ),
        ...(parts.has("entities") ? [ledgerOf(world).workflow] : []),
      ],
      store: this.#simulation.throughCodecs(process, this.#listening(process, this.#simulation.openStore(process))),
      leases: this.#simulation.openLeases(process),
      wakeups,
      world: process.world,
      settings,
      locals: this.#listeningLocals(process),
    });
    this.#process = process;
    this.#wakeups = wakeups;
    this.#loop = loop;
    this.#stopped = undefined;
    this.#simulation.trace(() => `${process.name} boots`);
    loop.start().catch((error: unknown) => this.#simulation.violation("start", String(error)));
  }

  kill(): void {
    if (this.#process === undefined || this.#process.state === "dead") return;
    const process = this.#process;
    this.#simulation.trace(() => `${process.name} is killed`);
    this.#simulation.losses++;
    this.#bury();
    this.#restartSoon();
  }

  pause(ms: number): void {
    const process = this.#process;
    if (process?.state !== "running") return;
    this.#simulation.trace(() => `${process.name} is paused for ${ms} ms`);
    process.pause();
    this.#simulation.scheduler.after(ms, null, () => process.resume());
  }

  /** As SIGTERM does: the runs are handed over, then another process takes its place. */
  stop(): void {
    const process = this.#process;
    if (process?.state !== "running" || this.#stopped !== undefined) return;
    this.#simulation.trace(() => `${process.name} is told to stop`);
    this.#stop().then(
      () => {
        if (this.#process !== process || process.state === "dead") return;
        this.#bury();
        this.#restartSoon();
      },
      (error: unknown) => this.#simulation.violation("stop", String(error)),
    );
  }

  heal(): void {
    this.#process?.resume();
  }

  /** Resolves when nothing of it is left. */
  async stopForGood(): Promise<void> {
    this.#mayBoot = false;
    if (this.#process === undefined || this.#process.state === "dead") return;
    await this.#stop();
    this.#bury();
  }

  #stop(): Promise<void> {
    this.#stopped ??= this.#stopLoop();
    return this.#stopped;
  }

  async #stopLoop(): Promise<void> {
    const loop = this.#loop;
    if (loop === undefined) return;
    await loop.stop();
    const { liveRuns, stepsWaiting } = loop.stats;
    if (liveRuns > 0 || stepsWaiting > 0) {
      this.#simulation.violation("left behind", `a stopped worker has ${liveRuns} runs, ${stepsWaiting} steps in line`);
    }
  }

  #bury(): void {
    this.#process?.kill();
    this.#leaveLocals();
    void this.#wakeups?.close();
    this.#loop = undefined;
  }

  #restartSoon(): void {
    const { scheduler } = this.#simulation;
    scheduler.after(this.#dice.hits(0.5) ? 0 : this.#dice.int(1, 1_500), null, () => this.boot());
  }

  #stepWorld(process: SimulatedProcess): StepWorld {
    const { effects, probes, outsiders } = this.#simulation;
    return {
      clock: process.world.clock,
      begin: (context, version = null) => effects.begin(process, context, version),
      handOff: (context, step) => outsiders?.reporters.handedOut(context, step),
      announce: ({ runId }, token) => outsiders?.senders.announced(runId, token),
      poison: (context, times) => {
        if (!effects.mayPoison(context, times) || this.#process !== process) return;
        probes.hit("step: killed its worker");
        this.kill();
      },
    };
  }

  /** Nobody is given a run that he has no code for. */
  #mustHave({ runId, workflow, version }: ClaimedRun): void {
    const isVersioned = this.#simulation.isVersioned(workflow);
    if (!isVersioned || (version !== null && this.#versions.includes(version))) return;
    const held = this.#versions.join(" and ");
    this.#simulation.violation("version", `a worker with ${held} was given run ${runId} of version ${version}`);
  }

  /** Notes which runs were begun with a claim of this process, and what was handed to it past the store. */
  #listeningLocals(process: SimulatedProcess): LocalWorkers {
    const { effects, probes } = this.#simulation;
    const { locals } = this;
    const mustHave = (run: ClaimedRun) => this.#mustHave(run);
    const listening = new LocalWorkers();
    listening.closed = (runId, outcome) => {
      if (process.state !== "dead") locals.closed(runId, outcome);
    };
    listening.add = (worker) => {
      const leave = locals.add({
        offerClaim: (workflow, queue) => worker.offerClaim(workflow, queue),
        begin(run, opening) {
          effects.heardClaim(process, run);
          mustHave(run);
          worker.begin(run, opening);
        },
        disclaim: (claim, queue, mayHold) => worker.disclaim(claim, queue, mayHold),
        carries: (runId) => worker.carries(runId),
        deliver(ownerId, item) {
          const isDelivered = worker.deliver(ownerId, item);
          if (isDelivered) probes.hit("mail: handed over within the process");
          return isDelivered;
        },
      });
      this.#leaveLocals = leave;
      return leave;
    };
    return listening;
  }

  /** Notes which runs this process has been told that it owns. */
  #listening(process: SimulatedProcess, store: Store): Store {
    const { effects, probes } = this.#simulation;
    const known = new Set<string>();
    const heard = (claimed: readonly ClaimedRun[]): void => {
      for (const run of claimed) {
        effects.heardClaim(process, run);
        known.add(`${run.runId}/${run.claimId}`);
        this.#mustHave(run);
      }
    };
    return {
      ...store,
      claimRuns: async (request) => {
        const answer = await store.claimRuns(request);
        heard(answer.claimed);
        return answer;
      },
      releaseRuns: (claims) => {
        const unheard = claims.filter(({ runId, claimId }) => !known.has(`${runId}/${claimId}`));
        probes.hit("claim: answer unheard, given back", unheard.length);
        return store.releaseRuns(claims);
      },
      claimBlocked: async (...values) => {
        const claimed = await store.claimBlocked(...values);
        heard(claimed);
        return claimed;
      },
    };
  }
}
