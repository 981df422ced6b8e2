// Replays what was committed. Each prefix of a history, brought in one go to a fresh engine, must lead to the very state
// that the whole history leads through, delivered event by event; and that state must have asked for what is recorded
// next. So the winner of a race, the order of branches and the values of time and chance are the same on every machine.

import { RunEngine } from "../../runtime/replay/engine.ts";
import type { Outcome } from "../../runtime/replay/outcome.ts";
import type { RunFacts } from "../../runtime/replay/run-info.ts";
import { TurnLoop } from "../../runtime/replay/turn-loop.ts";
import type { AnyWorkflow } from "../../sdk/index.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { Scheduler } from "./scheduler.ts";

export interface ReplayedRun {
  readonly runId: string;
  readonly workflow: AnyWorkflow;
  /** What tells of its state. */
  readonly query: string;
  readonly facts: RunFacts;
  readonly events: readonly HistoryEvent[];
}

export interface Replays {
  /** The answer to the trace query after each prefix: `traces[n]` after n events. */
  readonly traces: readonly (string | null)[];
  readonly outcome: Outcome | undefined;
}

export type Complain = (what: string) => void;

const silence = () => {};
const SILENT = { debug: silence, info: silence, warn: silence, error: silence };

export class ReplayCheck {
  readonly #turns: TurnLoop;

  constructor(scheduler: Scheduler) {
    this.#turns = new TurnLoop((call) => void scheduler.after(0, null, call));
  }

  /** Checks many runs side by side: they share their drains. */
  async check(run: ReplayedRun, complain: Complain): Promise<Replays> {
    const prefixes = run.events.map((_, index) => this.#replay(run, index + 1));
    const [stepwise, ...engines] = await Promise.all([this.#stepwise(run), ...prefixes]);
    const traces: (string | null)[] = [null];
    for (const [index, engine] of engines.entries()) {
      const length = index + 1;
      const next = run.events[length];
      const { broken } = engine;
      if (broken !== undefined) {
        complain(`${length} of ${run.events.length} events do not replay: ${broken.message}`);
        return { traces, outcome: undefined };
      }
      const state = stateOf(engine, run.query);
      // A signal from before the first line: whole prefixes are begun, the run itself was not yet.
      const hasBegun = stepwise.states[index] !== null;
      if (hasBegun && state !== stepwise.states[index]) {
        complain(`${length} events lead to ${state} in one go, and to ${stepwise.states[index]} one by one`);
      }
      if (next !== undefined && hasBegun) checkNext(engine, next, complain);
      traces.push(ask(engine, run.query));
    }
    return { traces, outcome: engines.at(-1)?.outcome };
  }

  async #stepwise(run: ReplayedRun): Promise<{ readonly states: (string | null)[] }> {
    const engine = this.#engine(run);
    // What a fork shares comes with the event that tells of it, and with the chance of that: never by itself.
    const shared = run.events.findLastIndex(({ type }) => type === "RunForked") + 1;
    const states: (string | null)[] = run.events.slice(0, Math.max(0, shared - 1)).map(() => null);
    // Between the start and signals from before the first line there may be a move or a fork.
    const early = run.events.findLastIndex((event) => event.type === "SignalReceived" && event.isEarly);
    for (let index = states.length; index < run.events.length; index++) {
      const fed = run.events.slice(index < shared ? 0 : index, index + 1);
      await new Promise<void>((resolve) => this.#turns.feed(engine, fed, index >= early, resolve));
      states.push(engine.hasBegun ? stateOf(engine, run.query) : null);
    }
    return { states };
  }

  async #replay(run: ReplayedRun, length: number): Promise<RunEngine> {
    const engine = this.#engine(run);
    await new Promise<void>((resolve) => this.#turns.feed(engine, run.events.slice(0, length), true, resolve));
    return engine;
  }

  #engine({ workflow, facts }: ReplayedRun): RunEngine {
    return new RunEngine({ workflow, run: facts, log: SILENT });
  }
}

/** What is recorded next must answer what the code has asked for, or end the run as the code ended. */
function checkNext(engine: RunEngine, next: HistoryEvent, complain: Complain): void {
  if ("command" in next) {
    const pending = engine.pendingCommand(next.command);
    const name = pending?.kind === "RunStep" ? pending.ask.name : pending?.name;
    if (pending !== undefined && name !== next.name) {
      complain(`event ${next.seq} is ${next.type} of ${next.name}, the code asked for ${name}`);
    }
    return;
  }
  // A validator that has seen this very state has let it pass, and would again.
  if (next.type === "UpdateAccepted") {
    const refusal = engine.judgeUpdate(next);
    if (refusal !== null) complain(`update ${next.updateId} was accepted; at replay: ${refusal.message}`);
    return;
  }
  const { outcome } = engine;
  if (next.type === "RunCompleted" && !(outcome?.type === "completed" && outcome.result === next.result)) {
    complain(`completed with ${next.result}, the replay ends with ${JSON.stringify(outcome)}`);
  }
  if (next.type === "RunFailed" && !(outcome?.type === "failed" && isSame(outcome.failure, next.failure))) {
    complain(`failed with ${next.failure.message}, the replay ends with ${JSON.stringify(outcome)}`);
  }
  if (next.type === "RunCanceled" && outcome?.type !== "canceled") {
    complain(`canceled, the replay ends with ${JSON.stringify(outcome)}`);
  }
  if (next.type === "RunCompleted" || next.type === "RunFailed" || next.type === "RunCanceled") {
    const unread = JSON.stringify(engine.unreadSignals());
    if (unread !== JSON.stringify(next.unread)) complain(`unread ${JSON.stringify(next.unread)}, at replay ${unread}`);
  }
}

function isSame(a: { message: string; type: string }, b: { message: string; type: string }): boolean {
  return a.message === b.message && a.type === b.type;
}

function stateOf(engine: RunEngine, query: string): string {
  const pending = [...engine.pendingCommands()].map((each) =>
    each.kind === "RunStep"
      ? [each.command, each.ask.name, each.failedAttempts, each.nextAttemptAt, each.cancelRequested !== null]
      : [each.command, each.name, each.kind === "StartTimer" ? each.fireAt : null],
  );
  const { outcome } = engine;
  const end = outcome === undefined ? null : "failure" in outcome ? [outcome.type, outcome.failure.message] : outcome;
  return JSON.stringify([
    pending,
    engine.waits,
    engine.unreadSignals(),
    engine.handlersUnderWay.all(),
    end,
    ask(engine, query),
  ]);
}

function ask(engine: RunEngine, query: string): string | null {
  try {
    return engine.query(query, null);
  } catch (error) {
    return `not answered: ${String(error)}`;
  }
}
