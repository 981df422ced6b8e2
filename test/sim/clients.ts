// Callers: they start runs, signal, cancel, terminate, query and wait for results, through the real Service, and try
// again when they are told nothing. What they were told is kept: it must all turn out to be true.

import type { Service } from "../../runtime/service/service.ts";
import type { ClosedRun, ForkedRun, SignalCall } from "../../sdk/client/front-door.ts";
import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { VersionAsk } from "../../sdk/protocol/version-policy.ts";
import { Caller, type CallerOptions, isAway } from "./caller.ts";
import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";
import type { Program } from "./program.ts";
import { type PokeInput, poke, type SignalPayload, traceQuery } from "./workflow-of.ts";

export interface SentSignal {
  readonly runId: string;
  readonly signalId: string;
  /** A signal that was answered before another was sent comes before it. */
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly outcome: "acknowledged" | "closed";
}

export interface AnsweredUpdate {
  readonly runId: string;
  readonly updateId: string;
  /** What its sender was told: the result in stored form, or the code of the error. */
  readonly answer: { readonly result: string | null } | { readonly code: string };
}

export interface Acknowledged {
  readonly starts: { readonly runId: string; readonly workflowId: string; readonly program: Program }[];
  readonly signals: SentSignal[];
  readonly updates: AnsweredUpdate[];
  /** To retry steps now, or to skip sleeps. */
  readonly requests: { readonly runId: string; readonly requestId: string }[];
  /** Of the last run of the chain that `runId` began. */
  readonly results: { readonly runId: string; readonly closed: ClosedRun }[];
  readonly terminations: string[];
  /** `events`: how long the history was when the answer came. */
  readonly answers: { readonly runId: string; readonly payload: string | null; readonly events: number }[];
}

export interface ClientOptions extends CallerOptions {
  readonly probes: Probes;
  readonly acknowledged: Acknowledged;
  readonly now: () => number;
  /** Runs that were set aside are not replayed to answer. */
  readonly isBlocked: (runId: string) => boolean;
  readonly eventsOf: (runId: string) => number;
  /** Of workflows with versions: all of them. */
  readonly isDeleted: (runId: string) => boolean;
  readonly versionsOf: (program: Program) => readonly [string, string] | null;
  readonly started: (runId: string, program: Program) => void;
}

export class SimulatedClient {
  /** Runs whose result somebody waits for. */
  readonly waiting = new Map<string, number>();
  readonly #options: ClientOptions;
  readonly #caller: Caller;
  readonly #dice: Dice;
  readonly #updateDice: Dice;
  readonly #repairDice: Dice;
  readonly #familyDice: Dice;
  readonly #moveDice: Dice;
  #signals = 0;
  #updates = 0;
  #requests = 0;
  #starts = 0;

  constructor(options: ClientOptions) {
    this.#options = options;
    this.#dice = options.dice;
    this.#updateDice = options.dice.split("updates");
    this.#repairDice = options.dice.split("repair");
    this.#familyDice = options.dice.split("families");
    this.#moveDice = options.dice.split("moves");
    this.#caller = new Caller(options);
  }

  get service(): Service {
    return this.#caller.service;
  }

  /** All that was planned is done, but for results of runs that are still open. */
  get isIdle(): boolean {
    return this.#caller.isIdle;
  }

  /** Starts a run of the program and does to it what the dice say. */
  operate(program: Program, workflowId: string): void {
    this.#caller.task(() => this.#operate(program, workflowId));
  }

  /** Looks after a fork as after a run that was started. */
  adopt({ runId, workflowId }: ForkedRun, program: Program): void {
    this.#options.acknowledged.starts.push({ runId, workflowId, program });
    this.#caller.task(() => this.#sendSignals(runId));
    this.#await(runId);
  }

  /** Starts a run that has children and continues, and pauses, resumes, cancels or ends it. */
  operateFamily(program: Program, workflowId: string): void {
    this.#caller.task(() => this.#operateFamily(program, workflowId));
  }

  async #operateFamily(program: Program, workflowId: string): Promise<void> {
    const dice = this.#familyDice;
    await this.#caller.sleep(1_500, dice);
    const call = {
      workflow: program.name,
      workflowId,
      queue: null,
      input: JSON.stringify({ nonce: workflowId }),
      requestId: `request-${workflowId}`,
      onConflict: "fail",
      onReuse: "allow",
      delayMs: 0,
      timeoutMs: dice.hits(0.1) ? dice.int(500, 8_000) : null,
      signal: null,
      update: null,
    } as const;
    const { runId } = await this.#caller.insist(() => this.service.start(call));
    this.#options.acknowledged.starts.push({ runId, workflowId, program });
    this.#await(runId);
    for (let pauses = dice.hits(0.5) ? dice.int(1, 3) : 0; pauses > 0; pauses--) {
      this.#caller.task(() => this.#pauseForAWhile(runId));
    }
    const ends = [
      [0.12, () => this.service.cancel({ chainOf: runId }, "simulated")],
      [0.06, () => this.service.terminate({ chainOf: runId }, "simulated")],
    ] as const;
    for (const [share, end] of ends) {
      if (!dice.hits(share)) continue;
      this.#caller.task(async () => {
        await this.#caller.sleep(4_000, dice);
        await this.#caller.insist(() => end().catch(this.#unlessOver(runId)));
      });
    }
  }

  /** Whichever run of the chain is open by then is paused, and that one is resumed. */
  async #pauseForAWhile(runId: string): Promise<void> {
    const dice = this.#familyDice;
    await this.#caller.sleep(3_000, dice);
    const { store } = this.#options;
    const paused = await this.#caller.insist(async () => {
      const run = await store.findRun({ chainOf: runId });
      const which = run?.runId ?? runId;
      await this.service.pause({ runId: which }, "simulated").catch(this.#unlessOver(which));
      return run?.runId ?? runId;
    });
    await this.#caller.sleep(1_000, dice);
    await this.#caller.insist(() => this.service.resume({ runId: paused }).catch(this.#unlessOver(paused)));
  }

  resume(runId: string): void {
    this.#caller.task(() => this.#caller.insist(() => this.service.resume({ runId }).catch(this.#unlessOver(runId))));
  }

  unblock(runId: string): void {
    this.#caller.task(() => this.#caller.insist(() => this.service.unblock({ runId }).catch(this.#unlessOver(runId))));
  }

  end(runId: string): void {
    this.#caller.task(() =>
      this.#caller.insist(() => this.service.terminate({ runId }, "left").catch(this.#unlessOver(runId))),
    );
  }

  /** One more signal of each name: for runs that wait for ones nobody planned to send. */
  nudge(runId: string): void {
    for (const name of ["a", "b", "bump"] as const) this.#caller.task(() => this.#signal(runId, name));
  }

  async #operate(program: Program, workflowId: string): Promise<void> {
    const { acknowledged } = this.#options;
    const dice = this.#dice;
    await this.#caller.sleep(1_500);
    const signal = dice.hits(0.2) ? this.#newSignal("a") : null;
    const hasTimeout = dice.hits(0.06);
    const versions = this.#options.versionsOf(program);
    const call = {
      workflow: program.name,
      workflowId,
      queue: null,
      input: JSON.stringify({ nonce: workflowId }),
      requestId: `request-${this.#caller.name}-${++this.#starts}`,
      onConflict: "useExisting",
      onReuse: "allow",
      delayMs: dice.hits(0.1) ? dice.int(1, 1_000) : 0,
      timeoutMs: hasTimeout ? dice.int(50, 3_000) : null,
      version: versions === null ? null : exactly(this.#moveDice.pick(versions)),
      signal,
      update: null,
    } as const;
    const sentAt = this.#options.now();
    const { runId } = await this.#caller.insist(() => this.service.start(call));
    acknowledged.starts.push({ runId, workflowId, program });
    this.#options.started(runId, program);
    for (let moves = versions === null ? 0 : this.#moveDice.int(0, 4); moves > 0; moves--) {
      this.#caller.task(() => this.#move(runId, versions ?? []));
    }
    if (signal !== null) this.#sent(runId, signal, sentAt, "acknowledged");
    // A caller that repeats its start is given the same run, whatever became of it.
    if (dice.hits(0.15)) {
      const again = await this.#caller.insist(() => this.service.start(call));
      if (again.runId !== runId && !this.#options.isDeleted(runId))
        this.#options.violation("start", `repeated: ${again.runId} after ${runId}`);
    }
    this.#caller.task(() => this.#sendSignals(runId));
    const updates = this.#updateDice.hits(0.4) ? this.#updateDice.int(1, 4) : 0;
    for (let update = 0; update < updates; update++) this.#caller.task(() => this.#update(runId));
    const repairs = this.#repairDice.hits(0.5) ? this.#repairDice.int(1, 8) : 0;
    for (let repair = 0; repair < repairs; repair++) this.#caller.task(() => this.#cutWaits(runId));
    if (dice.hits(0.15)) this.#caller.task(() => this.#cancel(runId));
    if (dice.hits(0.05)) this.#caller.task(() => this.#terminate(runId));
    const queries = dice.hits(0.35) ? dice.int(1, 3) : 0;
    for (let query = 0; query < queries; query++) this.#caller.task(() => this.#query(runId));
    this.#await(runId);
  }

  #await(runId: string): void {
    const { probes, acknowledged } = this.#options;
    this.waiting.set(runId, (this.waiting.get(runId) ?? 0) + 1);
    void this.#caller
      .insist(() => this.service.outcome({ chainOf: runId }, null, true))
      .then(
        (closed) => {
          acknowledged.results.push({ runId, closed });
          this.waiting.delete(runId);
          probes.hit("client: told the result");
        },
        (error: unknown) => {
          if (this.#isGone(error, runId)) return void this.waiting.delete(runId);
          // Quarantined runs have no result: whoever waits for one is told so at the end.
          if (!isEverstepError(error, "RUN_STILL_OPEN")) this.#options.violation("result", String(error));
        },
      );
  }

  async #sendSignals(runId: string): Promise<void> {
    const count = this.#dice.int(0, 4);
    for (let sent = 0; sent < count; sent++) {
      await this.#caller.sleep(800);
      await this.#signal(runId, this.#dice.pick(["a", "b", "bump"]));
    }
  }

  async #signal(runId: string, name: "a" | "b" | "bump"): Promise<void> {
    const signal = this.#newSignal(name);
    const sentAt = this.#options.now();
    const outcome = await this.#caller.insist(async () => {
      try {
        await this.service.signal({ runId }, signal);
        return "acknowledged" as const;
      } catch (error) {
        if (isEverstepError(error, "RUN_CLOSED")) return "closed" as const;
        // It may have been accepted in a call before.
        if (this.#isGone(error, runId)) return null;
        throw error;
      }
    });
    if (outcome !== null) this.#sent(runId, signal, sentAt, outcome);
  }

  /** Sends an update, and again when nothing came of it for a while, and keeps what it was told in the end. */
  async #update(runId: string): Promise<void> {
    const { acknowledged, probes, isBlocked } = this.#options;
    const updateId = `${this.#caller.name}-update-${++this.#updates}`;
    const input: PokeInput = { id: updateId, isBad: this.#updateDice.hits(0.2) };
    const call = { updateId, name: poke.name, input: JSON.stringify(input) };
    await this.#caller.sleep(2_000, this.#updateDice);
    for (let answer: AnsweredUpdate["answer"] | undefined; answer === undefined && !isBlocked(runId); ) {
      try {
        const sent = await this.#caller.insist(() => this.service.sendUpdate({ runId }, call));
        const stage = this.#updateDice.pick(["accepted", "completed", "completed"] as const);
        const outcome = await this.service.awaitUpdate(sent, stage, this.#updateDice.int(100, 5_000));
        if (outcome === null) probes.hit("update: told the acceptance");
        else if (outcome.failure === null) answer = { result: outcome.result };
        else answer = { code: "UPDATE_FAILED" };
      } catch (error) {
        if (!isEverstepError(error)) throw error;
        if (this.#isGone(error, runId)) return;
        if (!isAway(error) && error.code !== "UPDATE_TIMED_OUT") answer = { code: error.code };
      }
      if (answer !== undefined) {
        acknowledged.updates.push({ runId, updateId, answer });
        probes.hit(`update: ${"code" in answer ? answer.code : "answered"}`);
      } else if (!this.waiting.has(runId)) return;
    }
  }

  /** Asks for what waits, be it a step or a timer, and at times a second time with the same id. */
  async #cutWaits(runId: string): Promise<void> {
    const { acknowledged, probes } = this.#options;
    const requestId = `${this.#caller.name}-repair-${++this.#requests}`;
    const dice = this.#repairDice;
    await this.#caller.sleep(2_000, dice);
    // By their numbers limits are skipped as well.
    const call = { which: dice.hits(0.4) ? dice.int(1, 6) : null, requestId };
    const request = dice.pick(["retryNow", "skipSleep"] as const);
    const isTwice = dice.hits(0.2);
    try {
      await this.#caller.insist(() => this.service[request]({ runId }, call));
      acknowledged.requests.push({ runId, requestId });
      if (isTwice) await this.#caller.insist(() => this.service[request]({ runId }, call));
    } catch (error) {
      if (isEverstepError(error, "STEP_NOT_WAITING") || isEverstepError(error, "TIMER_NOT_WAITING")) {
        probes.hit("repair: nothing waited");
      } else this.#unlessOver(runId)(error);
    }
  }

  /** Lets pass that the run is closed, or deleted since. */
  #unlessOver(runId: string): (error: unknown) => void {
    return (error) => {
      if (!isEverstepError(error, "RUN_CLOSED") && !this.#isGone(error, runId)) throw error;
    };
  }

  #isGone(error: unknown, runId: string): boolean {
    const isUnknown = isEverstepError(error, "RUN_NOT_FOUND") || isEverstepError(error, "UPDATE_NOT_FOUND");
    const isGone = isUnknown && this.#options.isDeleted(runId);
    if (isGone) this.#options.probes.hit("client: told that the run is gone");
    return isGone;
  }

  #newSignal(name: string): SignalCall & { readonly signalId: string } {
    const signalId = `${this.#caller.name}-${++this.#signals}`;
    const payload: SignalPayload = { id: `signal:${signalId}` };
    return { signalId, name, payload: JSON.stringify(payload) };
  }

  #sent(runId: string, { signalId }: SignalCall, sentAt: number, outcome: SentSignal["outcome"]): void {
    const answeredAt = this.#options.now();
    this.#options.acknowledged.signals.push({ runId, signalId: `signal:${signalId}`, sentAt, answeredAt, outcome });
  }

  async #cancel(runId: string): Promise<void> {
    await this.#caller.sleep(2_000);
    await this.#caller.insist(() => this.service.cancel({ runId }, "simulated").catch(this.#unlessOver(runId)));
  }

  async #terminate(runId: string): Promise<void> {
    await this.#caller.sleep(2_500);
    await this.#caller.insist(() => this.service.terminate({ runId }, "simulated").catch(this.#unlessOver(runId)));
    this.#options.acknowledged.terminations.push(runId);
  }

  async #move(runId: string, versions: readonly string[]): Promise<void> {
    const dice = this.#moveDice;
    await this.#caller.sleep(4_000, dice);
    const version = versions[dice.int(0, versions.length - 1)] ?? null;
    try {
      await this.#caller.insist(() => this.service.move({ runId }, version));
    } catch (error) {
      // No worker that has it has been there yet.
      if (isEverstepError(error, "VERSION_UNKNOWN")) this.#options.probes.hit("move: version unknown");
      else this.#unlessOver(runId)(error);
    }
  }

  async #query(runId: string): Promise<void> {
    const { probes, acknowledged, eventsOf, violation } = this.#options;
    await this.#caller.sleep(3_000);
    try {
      const payload = await this.service.query({ runId }, traceQuery.name, null, 5_000);
      acknowledged.answers.push({ runId, payload, events: eventsOf(runId) });
      probes.hit("query: answered");
    } catch (error) {
      const isExpected =
        isEverstepError(error, "QUERY_TIMED_OUT") ||
        isAway(error) ||
        this.#isGone(error, runId) ||
        (isEverstepError(error) && this.#options.isBlocked(runId));
      if (isExpected) return probes.hit("query: not answered in time");
      violation("query", `run ${runId}: ${String(error)}`);
    }
  }
}

function exactly(version: string): VersionAsk {
  return { own: version, asked: version };
}
