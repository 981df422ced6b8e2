// A worker, made of ports: claims runs, executes them side by side, commits what they do, parks, hands over. Every part
// of the world comes in as an argument, so this very worker also runs in the simulation.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { BlockedReason, ClosedStatus } from "../../sdk/protocol/run.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import type { Leases } from "../lease/leases.ts";
import { RunEngine } from "../replay/engine.ts";
import type { RunFacts } from "../replay/run-info.ts";
import { TurnLoop } from "../replay/turn-loop.ts";
import type { WorkflowHooks } from "../replay/workflow-hooks.ts";
import { createDeadlineCloser } from "../scheduler/deadline-closer.ts";
import { ErrandRunner } from "../scheduler/errand-runner.ts";
import { createPruner } from "../scheduler/pruner.ts";
import { registerCode, registrars } from "../scheduler/registrar.ts";
import { createRescuer } from "../scheduler/rescuer.ts";
import { Sweep } from "../scheduler/sweep.ts";
import { createUnblocker } from "../scheduler/unblocker.ts";
import type { LocalWorker, LocalWorkers } from "../service/local-workers.ts";
import { type Claim, type ClaimedRun, type LoadedHistory, SUSPECT_FROM_CRASHES } from "../store/claims.ts";
import { lanesOf, type VersionKey } from "../store/lanes.ts";
import type { MailItem } from "../store/mail.ts";
import type { StartClaim } from "../store/starts.ts";
import { codecsOf, type Store } from "../store/store.ts";
import type { Successor } from "../store/turns.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import { pause } from "../world/pause.ts";
import { newRunId } from "../world/run-id.ts";
import type { Chance, World } from "../world/world.ts";
import { Claimer } from "./claimer.ts";
import { Code } from "./code.ts";
import { Committer } from "./committer.ts";
import { diagnose } from "./diagnosis.ts";
import { HeartbeatKeeper } from "./heartbeat-keeper.ts";
import { HistoryOpener } from "./history-opener.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LiveRun } from "./live-run.ts";
import { MailCarrier } from "./mail-carrier.ts";
import { Pace } from "./pace.ts";
import { Parker } from "./parker.ts";
import { QueryDesk } from "./query-desk.ts";
import { Releaser } from "./releaser.ts";
import type { RunHost } from "./run-host.ts";
import { RunLog } from "./run-log.ts";
import type { WorkerSettings } from "./settings.ts";
import { StartDesk } from "./start-desk.ts";
import { type BodyOf, StepRunner } from "./step-runner.ts";
import { StoreClock } from "./store-clock.ts";
import { Tags } from "./tags.ts";

export interface WorkerParts {
  readonly workflows: readonly AnyWorkflow[];
  readonly store: Store;
  readonly leases: Leases;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly settings: WorkerSettings;
  /** Where clients of this process find this worker. Default: nowhere. */
  readonly locals?: LocalWorkers;
  /** What is executed for a step. Default: its own body. */
  readonly bodyOf?: BodyOf | undefined;
  /** Interceptors around the code of runs. Default: none. */
  readonly hooks?: WorkflowHooks | undefined;
}

export interface WorkerStats {
  readonly workerId: string;
  readonly isTrusted: boolean;
  readonly liveRuns: number;
  readonly liveBytes: number;
  readonly stepsUnderWay: number;
  readonly stepsWaiting: number;
  readonly claimed: number;
  readonly parked: number;
  readonly closed: number;
  readonly lost: number;
  readonly blocked: number;
  readonly commits: number;
  readonly events: number;
  readonly inDoubt: number;
}

export class WorkerLoop implements RunHost, LocalWorker {
  readonly #parts: WorkerParts;
  readonly #code: Code;
  readonly #runs = new Map<string, LiveRun>();
  readonly #suspects = new Set<LiveRun>();
  readonly #tried = new Set<string>();
  readonly #storeClock: StoreClock;
  readonly #tags: Tags;
  readonly #turns: TurnLoop;
  readonly #pace: Pace;
  readonly #committer: Committer;
  readonly #steps: StepRunner;
  readonly #heartbeats: HeartbeatKeeper;
  readonly #keeper: LeaseKeeper;
  readonly #claimer: Claimer;
  readonly #opener: HistoryOpener | undefined;
  readonly #mail: MailCarrier;
  readonly #parker: Parker;
  readonly #queries: QueryDesk;
  readonly #releaser: Releaser;
  readonly #starts: StartDesk;
  readonly #errands: ErrandRunner;
  readonly #sweeps: readonly Sweep[];
  readonly #counts = { claimed: 0, parked: 0, closed: 0, lost: 0, blocked: 0 };
  readonly #unsubscribe: (() => void)[] = [];
  #unsubscribeMail: () => void = () => {};
  #phase: "new" | "running" | "stopping" | "stopped" = "new";
  #onEmpty: (() => void) | undefined;
  #liveBytes = 0;

  constructor(parts: WorkerParts) {
    this.#parts = parts;
    this.#code = new Code(parts.workflows);
    const { store, world, wakeups, leases, settings } = parts;
    const lanes = lanesOf(settings.queues, this.#code.keys);
    const workerId = () => this.#keeper.workerId;
    const isTrusted = () => this.#keeper.isTrusted;
    const findRun = (runId: string) => this.#runs.get(runId);
    const storeClock = new StoreClock(world.clock);
    this.#storeClock = storeClock;
    this.#tags = new Tags(world.chance);
    this.#turns = new TurnLoop((call) => world.clock.afterDrain(call));
    this.#pace = new Pace({
      clock: world.clock,
      maxRunsPerClaim: settings.maxRunsPerClaim,
      maxRunsPerCommit: settings.maxRunsPerCommit,
      busyRuns: () => this.#committer.backlog + this.#turns.size,
      onRoom: () => this.#claimer.wake(),
    });
    this.#committer = new Committer({
      store,
      world,
      storeClock,
      workerId,
      concurrency: settings.commitConcurrency,
      maxBytesPerCommit: settings.maxBytesPerCommit,
      maxRunsPerCommit: settings.maxRunsPerCommit,
      wokenRunsPerCommit: () => this.#pace.wokenRunsPerCommit,
      wake: ({ queues, ownerIds }) =>
        wakeups.publish([
          ...queues.map((queue) => `queue/${queue}` as const),
          ...ownerIds.map((ownerId) => `worker/${ownerId}` as const),
        ]),
      onAnswer: () => this.#pace.lookAgain(),
    });
    this.#heartbeats = new HeartbeatKeeper({ store, world, everyMs: settings.heartbeatEveryMs });
    this.#steps = new StepRunner({
      store,
      world,
      storeClock,
      heartbeats: this.#heartbeats,
      maxSteps: settings.maxSteps,
      bodyOf: parts.bodyOf,
    });
    this.#steps.left.onEmpty = () => {
      if (this.#isEmpty) this.#onEmpty?.();
    };
    this.#keeper = new LeaseKeeper({
      leases,
      world,
      ttlMs: settings.leaseTtlMs,
      onLapse: () => this.#dropAll(),
      onTrust: (id) => this.#trusted(id),
    });
    const codecs = codecsOf(store);
    this.#opener = codecs === undefined ? undefined : new HistoryOpener({ codecs, world, block: this.#blockUnread });
    this.#claimer = new Claimer({
      // Histories are decoded run by run, once they are here: see `HistoryOpener`.
      store: codecs?.kept ?? store,
      world,
      storeClock,
      queues: lanes,
      pollMs: settings.pollMs,
      workerId,
      isTrusted,
      limit: () => Math.min(this.#roomBesideStarts(), this.#pace.roomForClaims(), this.#pace.runsPerClaim),
      hasSuspect: () => this.#suspects.size > 0,
      accept: (run, history) => this.#accept(run, history),
    });
    this.#mail = new MailCarrier({
      store,
      world,
      pollMs: settings.pollMs,
      workerId,
      findRun,
      hasRuns: () => this.#runs.size > 0,
    });
    this.#parker = new Parker({
      store,
      world,
      storeClock,
      lingerMs: settings.lingerMs,
      keepIfDueWithinMs: settings.keepIfDueWithinMs,
      isCrowded: () => this.#isCrowded(),
      parked: (run) => this.#parked(run),
    });
    this.#queries = new QueryDesk({
      store,
      world,
      wakeups,
      turns: this.#turns,
      queues: lanes,
      pollMs: settings.pollMs,
      workerId,
      findRun,
      engineFor: (run) => this.#engine(run, false),
    });
    this.#releaser = new Releaser({ store, wakeups, world });
    this.#starts = new StartDesk({
      workerId,
      newClaimId: () => world.chance.uuid(),
      executes: (code, queue) => this.#code.has(code) && settings.queues.includes(queue),
      room: () => Math.min(this.#room(), settings.maxSteps - this.#steps.places.taken - this.#steps.places.waiting),
      accept: (run, history) => this.#accept(run, history),
      release: (claim, queue) => this.#releaser.release(claim, queue),
    });
    this.#errands = new ErrandRunner({
      store,
      wakeups,
      world,
      everyMs: settings.rescueEveryMs,
      closed: (runIds) => this.#closedOutside(runIds),
    });
    this.#sweeps = [
      createRescuer({ store, leases, wakeups, world, everyMs: settings.rescueEveryMs, isTrusted, workerId }),
      createDeadlineCloser({
        store,
        wakeups,
        world,
        everyMs: settings.deadlineEveryMs,
        closed: (runId) => this.#closedOutside([runId]),
      }),
      createUnblocker({
        store,
        world,
        everyMs: settings.unblockEveryMs,
        workflows: this.#code.unversioned,
        queues: lanes,
        isTrusted,
        room: () => Math.min(this.#room(), settings.maxRunsPerClaim),
        claim: (runIds) => this.#claimer.claimBlocked(runIds),
        tried: this.#tried,
      }),
      createPruner({ store, world, everyMs: settings.pruneEveryMs, rules: this.#code.retention }),
      ...registrars({ store, world, code: this.#code, everyMs: settings.leaseTtlMs }),
      new Sweep({ name: "custodian", world, everyMs: settings.leaseTtlMs, sweep: () => this.compareClaims() }),
      new Sweep({
        name: "leftovers",
        world,
        everyMs: Math.max(LEFTOVERS_EVERY_MS, settings.leaseTtlMs),
        sweep: () => store.forgetLeftovers(),
      }),
    ];
  }

  get stats(): WorkerStats {
    const { commits, events, inDoubt } = this.#committer.counts;
    return {
      workerId: this.#keeper.workerId,
      isTrusted: this.#keeper.isTrusted,
      liveRuns: this.#runs.size,
      liveBytes: this.#liveBytes,
      stepsUnderWay: this.#steps.places.taken,
      stepsWaiting: this.#steps.places.waiting,
      ...this.#counts,
      commits,
      events,
      inDoubt,
    };
  }

  /** Begins to claim. Resolves when the worker has its lease, or has tried once to get it. */
  async start(): Promise<void> {
    const { wakeups, settings } = this.#parts;
    this.#phase = "running";
    for (const queue of settings.queues) {
      this.#unsubscribe.push(wakeups.subscribe(`queue/${queue}`, () => this.#claimer.wake()));
      this.#unsubscribe.push(wakeups.subscribe(`ask/${queue}`, () => this.#queries.wake()));
    }
    await Promise.all([this.#keeper.start(), this.#register()]);
    this.#claimer.start();
    this.#mail.start();
    this.#queries.start();
    this.#errands.start();
    for (const sweep of this.#sweeps) sweep.start();
    const { locals } = this.#parts;
    if (locals !== undefined) this.#unsubscribe.push(locals.add(this));
  }

  /**
   * Stops claiming, lets step bodies under way end (for `graceMs`, then tells them to abort and gives up on them), and
   * hands every run over. Nothing of this worker is left when it resolves.
   */
  async stop(graceMs: number = this.#parts.settings.shutdownGraceMs): Promise<void> {
    if (this.#phase !== "running") return;
    this.#phase = "stopping";
    const { clock } = this.#parts.world;
    for (const unsubscribe of this.#unsubscribe.splice(0)) unsubscribe();
    await Promise.all([this.#claimer.stop(), this.#queries.stop(), ...this.#sweeps.map((sweep) => sweep.stop())]);
    this.#parker.stop();
    this.#opener?.stop();
    for (const run of [...this.#runs.values()]) {
      run.handOver();
      if (run.canBeReleased) this.giveBack(run, "this worker stops");
    }
    await this.#emptyWithin(graceMs);
    const reason = new EverstepError("LEASE_LOST", "This worker stops: its steps are handed over.");
    for (const run of this.#runs.values()) run.abortSteps(reason);
    this.#steps.left.discardAll(reason);
    void this.#heartbeats.flush();
    await this.#emptyWithin(ABORT_GRACE_MS);
    for (const run of [...this.#runs.values()]) this.giveBack(run, "this worker stops");
    await Promise.race([this.#releaser.drained(), pause(clock, RELEASE_GRACE_MS)]);
    this.#releaser.stop();
    this.#committer.stop();
    this.#heartbeats.stop();
    this.#unsubscribeMail();
    await Promise.all([this.#mail.stop(), this.#errands.stop()]);
    await this.#keeper.stop();
    this.#phase = "stopped";
  }

  /** Before its clients ask for a version that only this worker has. */
  async #register(): Promise<void> {
    const { store, world } = this.#parts;
    try {
      await registerCode(store, this.#code);
    } catch (error) {
      world.log.warn({ error: String(error) }, "cannot say which versions this worker has, trying again later");
    }
  }

  // ---------------------------------------------------------------- claiming

  #room(): number {
    return this.#phase === "running" && !this.#isFull() ? this.#parts.settings.maxLiveRuns - this.#runs.size : 0;
  }

  /** Room that claims leave: what is started here goes on here, also while thousands fall due. */
  #roomBesideStarts(): number {
    const { locals, settings } = this.#parts;
    return this.#room() - (locals === undefined ? 0 : Math.floor(settings.maxLiveRuns * KEPT_FOR_STARTS));
  }

  #isFull(): boolean {
    return this.#runs.size >= this.#parts.settings.maxLiveRuns || this.#liveBytes >= this.#parts.settings.maxLiveBytes;
  }

  #isCrowded(): boolean {
    const { maxLiveRuns, maxLiveBytes } = this.#parts.settings;
    return this.#runs.size > maxLiveRuns * CROWDED || this.#liveBytes > maxLiveBytes * CROWDED;
  }

  #accept(facts: ClaimedRun, history: LoadedHistory): void {
    if (this.#phase !== "running" || !this.#keeper.isTrusted)
      return this.#releaser.release(claimOf(facts), facts.queue);
    this.#counts.claimed++;
    const engine = this.#engine(facts, false);
    if (engine === undefined) {
      // A run of a version is never set aside for want of it: it waits in its lane. This one changed lanes just now.
      if (facts.version !== null) return this.#releaser.release(claimOf(facts), facts.queue);
      const message = `Run ${facts.workflowId} is of workflow "${facts.workflow}", which this worker does not have (it has: ${this.#code}). Start a worker that has it, and the run goes on.`;
      this.#blocked(facts, { kind: "unknownWorkflow", message });
      return void this.#releaser.block(claimOf(facts), async () => ({ kind: "unknownWorkflow", message }));
    }
    const run = new LiveRun(facts, engine, this);
    this.#runs.get(facts.runId)?.lost();
    this.#runs.set(facts.runId, run);
    if (facts.crashCount > SUSPECT_FROM_CRASHES) this.#suspects.add(run);
    if (this.#opener === undefined) run.open(history);
    else void this.#opener.open(run, history);
  }

  // This process may find what blocked the run gone, without any change of its code: it tries again.
  readonly #blockUnread = (run: LiveRun, reason: BlockedReason, mayPass: boolean): void => {
    this.block(run, reason);
    if (mayPass) this.#tried.delete(run.runId);
  };

  #engine(run: RunFacts & VersionKey, recordsCallSites: boolean): RunEngine | undefined {
    const workflow = this.#code.get(run);
    if (workflow === undefined) return undefined;
    const { world, hooks } = this.#parts;
    return new RunEngine({ workflow, run, log: new RunLog(world.log, run), recordsCallSites, hooks });
  }

  #trusted(workerId: string): void {
    this.#unsubscribeMail();
    this.#unsubscribeMail = this.#parts.wakeups.subscribe(`worker/${workerId}`, () => {
      this.#mail.wake();
      this.#queries.wake();
    });
    this.#claimer.wake();
  }

  #closedOutside(runIds: readonly string[]): void {
    for (const runId of runIds) this.#runs.get(runId)?.lost();
    // Their parents and children have to hear of it.
    if (runIds.length > 0) this.#errands.wake();
  }

  /**
   * What the store says is ours and we know nothing of (the answer to a claim was lost) goes back; what we execute and
   * the store says is not ours is let go.
   */
  async compareClaims(): Promise<void> {
    const { store, settings } = this.#parts;
    if (!this.#keeper.isTrusted || this.#claimer.hasClaimsUnderWay) return;
    const workerId = this.#keeper.workerId;
    const carried = [...this.#runs.values()].filter((run) => run.onlyWaitsForSteps);
    const claims = await store.claimsOf(workerId);
    if (workerId !== this.#keeper.workerId) return;
    const held = new Set(claims.map(({ claimId, runId }) => `${runId}/${claimId}`));
    for (const run of carried) {
      // Terminated, timed out or claimed away while its steps are under way: they would never be told.
      if (run.onlyWaitsForSteps && !held.has(`${run.runId}/${run.claim.claimId}`)) run.lost();
    }
    for (const claim of claims) {
      const live = this.#runs.get(claim.runId);
      const isKnown = live?.claim.claimId === claim.claimId || this.#releaser.isLeaving(claim.runId);
      if (isKnown || this.#claimer.isUnderWay(claim.claimId) || this.#starts.isUnderWay(claim.claimId)) continue;
      this.#releaser.release(claim, settings.queues[0] ?? "");
    }
  }

  // ---------------------------------------------------------------- what clients of this process ask for

  offerClaim(code: VersionKey, queue: string): StartClaim | undefined {
    return this.#keeper.isTrusted ? this.#starts.offerClaim(code, queue) : undefined;
  }

  begin(run: ClaimedRun, opening: StoredEvent): void {
    this.#storeClock.observe(opening.at);
    this.#pace.runBegan();
    this.#starts.begin(run, opening);
  }

  disclaim(claim: Claim, queue: string, mayHold: boolean): void {
    this.#starts.disclaim(claim, queue, mayHold);
  }

  carries(runId: string): boolean {
    return this.#runs.has(runId);
  }

  deliver(ownerId: string, item: MailItem): boolean {
    const run = ownerId === this.#keeper.workerId ? this.#runs.get(item.runId) : undefined;
    run?.receive(item);
    return run !== undefined;
  }

  // ---------------------------------------------------------------- what live runs ask for

  get chance(): Chance {
    return this.#parts.world.chance;
  }

  storeNow(): number {
    return this.#storeClock.now();
  }

  newTag(): string {
    return this.#tags.next();
  }

  newRunId(after?: string): string {
    return newRunId(this.#parts.world, after);
  }

  msUntil(storeTime: number): number {
    return this.#storeClock.msUntil(storeTime);
  }

  setTimer(ms: number, fire: () => void): () => void {
    return this.#parts.world.clock.setTimer(ms, fire);
  }

  submit(run: LiveRun): void {
    this.#committer.submit(run);
  }

  feed(run: LiveRun, events: Parameters<RunHost["feed"]>[1], begins: boolean): void {
    this.#turns.feed(run.engine, events, begins, run.quieted);
  }

  execute(run: LiveRun, pending: Parameters<RunHost["execute"]>[1]): ReturnType<RunHost["execute"]> {
    return this.#steps.execution(run, pending);
  }

  fetchMail(run: LiveRun): void {
    this.#mail.fetch(run);
  }

  grew(bytes: number): void {
    this.#liveBytes += bytes;
  }

  becameQuiet(run: LiveRun): void {
    if (run.canBeReleased) return this.giveBack(run, run.whyLeaving);
    if (run.isQuiet) this.#parker.quiet(run);
  }

  becameBusy(run: LiveRun): void {
    this.#parker.busy(run);
  }

  leftErrands(): void {
    this.#errands.wake();
  }

  progressed(run: LiveRun): void {
    if (this.#suspects.delete(run)) this.#claimer.wake();
  }

  answered(run: LiveRun): void {
    this.#parts.wakeups.publish([`run/${run.runId}`]);
  }

  closed(run: LiveRun, status: ClosedStatus, event: StoredEvent, successor: Successor | null): void {
    this.#counts.closed++;
    this.#parts.world.log.debug({ ...idsOf(run), status }, "run closed");
    const hasFailed = run.engine.outcome?.type === "failed";
    if (hasFailed && successor?.retry !== undefined) {
      const { retry: next, runId: nextRunId } = successor;
      this.#parts.world.log.warn({ ...idsOf(run), nextRunId, ...next }, "run failed, it is tried again");
    }
    const missed = hasFailed ? [] : run.engine.missedHandlers;
    if (missed.length > 0) {
      const handlers = missed.map(({ kind, name, id }) => `${kind} "${name}" (${id})`);
      const fields = { ...idsOf(run), status, code: "HANDLERS_UNFINISHED", handlers };
      this.#parts.world.log.warn(fields, "run closed while handlers were under way");
    }
    this.#remove(run, `it is ${status}`);
    this.#parts.locals?.closed(run.runId, { status, event });
    const topic = `run/${run.runId}` as const;
    this.#parts.wakeups.publish(successor === null ? [topic] : [topic, `queue/${successor.queue}`]);
  }

  block(run: LiveRun, reason: BlockedReason): void {
    this.#blocked(run.facts, reason);
    this.#remove(run, "it is blocked");
    const { store } = this.#parts;
    const engine = () => this.#engine(run.facts, true);
    void this.#releaser.block(run.claim, () =>
      diagnose({ store, turns: this.#turns, engine, runId: run.runId, reason }),
    );
  }

  giveBack(run: LiveRun, why: string): void {
    this.#remove(run, why);
    this.#releaser.release(run.claim, run.facts.queue);
  }

  forget(run: LiveRun, why: string): void {
    if (!run.isOurs) return;
    this.#counts.lost++;
    this.#parts.world.log.debug({ ...idsOf(run), epoch: run.claim.epoch, why }, "run no longer ours");
    this.#remove(run, why);
  }

  #parked(run: LiveRun): void {
    this.#counts.parked++;
    this.#remove(run, "it is parked");
  }

  #blocked(facts: ClaimedRun, reason: BlockedReason): void {
    this.#counts.blocked++;
    this.#tried.add(facts.runId);
    const fields = { workflowId: facts.workflowId, runId: facts.runId, workflow: facts.workflow, kind: reason.kind };
    this.#parts.world.log.error(fields, `run blocked: ${reason.message}`);
  }

  // ---------------------------------------------------------------- leaving

  #remove(run: LiveRun, why: string): void {
    if (!run.isOurs) return;
    const hadRoom = this.#roomBesideStarts() > 0;
    run.drop(() => new EverstepError("LEASE_LOST", `Run ${run.facts.workflowId} is no longer executed here: ${why}.`));
    this.#liveBytes -= run.bytes;
    this.#turns.drop(run.engine);
    this.#parker.busy(run);
    this.#suspects.delete(run);
    if (this.#runs.get(run.runId) === run) this.#runs.delete(run.runId);
    if (!hadRoom) this.#claimer.wake();
    if (this.#isEmpty) this.#onEmpty?.();
  }

  get #isEmpty(): boolean {
    return this.#runs.size === 0 && this.#steps.left.size === 0;
  }

  #dropAll(): void {
    for (const run of [...this.#runs.values()]) this.#remove(run, "the lease of this worker ran out");
  }

  async #emptyWithin(ms: number): Promise<void> {
    if (this.#isEmpty) return;
    const done = new AbortController();
    this.#onEmpty = () => done.abort();
    await pause(this.#parts.world.clock, ms, done.signal);
    this.#onEmpty = undefined;
  }
}

const LEFTOVERS_EVERY_MS = 60_000;
const ABORT_GRACE_MS = 1_000;
const RELEASE_GRACE_MS = 5_000;
/** Of the room for runs, the part that is for starts of this process alone. */
const KEPT_FOR_STARTS = 0.1;
/** From this part of a bound on, quiet runs leave without lingering. */
const CROWDED = 0.8;

function idsOf(run: LiveRun): Record<string, unknown> {
  return { workflowId: run.facts.workflowId, runId: run.runId };
}

function claimOf({ runId, epoch, claimId }: ClaimedRun): Claim {
  return { runId, epoch, claimId };
}
