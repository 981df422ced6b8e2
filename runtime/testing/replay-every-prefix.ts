// Replays a history as far as each of its events, as every worker would that takes the run over at that moment. What the
// code asks for then must be what it asked for when the events came one by one.

import { AssertionError } from "node:assert";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import type { RunEngine } from "../replay/engine.ts";
import type { Outcome } from "../replay/outcome.ts";
import type { PendingCommand } from "../replay/pending.ts";
import { type HistorySource, readHistory } from "./recorded-history.ts";
import { type ReplayOptions, replayingOf } from "./replay-history.ts";
import { isSame } from "./run-shape.ts";
import { sampled } from "./sampling.ts";

export interface PrefixOptions extends ReplayOptions {
  /** Prefixes at the most; of more so many are drawn. Default 1,000. */
  readonly maxPrefixes?: number;
  /** What they are drawn by. Default 1. */
  readonly seed?: number;
}

/**
 * Resolves when the workflow's code fits every prefix of the history, and at the end of each waits for the same, as when
 * the events came one by one. Executes no step and writes nothing.
 *
 * Rejects like `replayHistory`, and with an `AssertionError` that names the event after which the code waits for
 * something else.
 */
export async function replayEveryPrefix(
  workflow: AnyWorkflow,
  history: HistorySource,
  { maxPrefixes = 1_000, seed = 1, interceptors }: PrefixOptions = {},
): Promise<void> {
  const { events } = readHistory(history);
  const replaying = replayingOf(workflow, history, interceptors);
  try {
    // What is there before the first line is delivered before it: until then nobody begins. Nobody ever has less of a fork
    // than what it begins with.
    const isBefore = (event: (typeof events)[number]) =>
      event.type === "RunForked" || (event.type === "SignalReceived" && event.isEarly);
    const early = events.findLastIndex(isBefore) + 1;
    const beginsAfter = (length: number) => length >= early;
    const step = replaying.begin();
    const states: State[] = [];
    for (const event of events) {
      await step.feed([event], beginsAfter(event.seq));
      states.push(stateOf(step.engine));
    }
    const lengths = events.map((_, index) => index + 1);
    const name = "replayEveryPrefix(…, { maxPrefixes })";
    for (const length of sampled(lengths, { most: maxPrefixes, seed, name })) {
      const once = replaying.begin();
      await once.feed(events.slice(0, length), beginsAfter(length));
      const [expected, actual] = [states[length - 1], stateOf(once.engine)];
      if (isSame(expected, actual)) continue;
      const message = `Replayed up to event ${length}, ${events[length - 1]?.type}, workflow "${workflow.name}" is not where it was when the events came one by one.\n  One by one: ${wordsOf(expected)}\n  Replayed: ${wordsOf(actual)}`;
      throw new AssertionError({ message, expected, actual, operator: "replayEveryPrefix" });
    }
  } finally {
    replaying.end();
  }
}

/** What the code waits for, and how it ended. */
interface State {
  readonly pending: readonly string[];
  readonly ending: Outcome | { readonly type: string } | undefined;
}

function stateOf(engine: RunEngine): State {
  if (engine.broken !== undefined) throw engine.broken;
  const pending = [...engine.pendingCommands()].map(pendingWords);
  const { outcome } = engine;
  const ending = outcome === undefined || outcome.type === "completed" ? outcome : { type: outcome.type };
  return { pending, ending };
}

function pendingWords(pending: PendingCommand): string {
  const { command } = pending;
  switch (pending.kind) {
    case "RunStep":
      return `step "${pending.ask.name}" (command ${command}, ${pending.failedAttempts} attempts failed)`;
    case "StartTimer":
      return `timer "${pending.name}" (command ${command}, due ${pending.fireAt ?? "later"})`;
    case "StartChild": {
      const state = pending.isStarted ? "started" : pending.childRunId === null ? "not requested" : "requested";
      return `child "${pending.name}" (command ${command}, ${state})`;
    }
    case "SendMessage":
      return `mail "${pending.name}" (command ${command}, ${pending.isRequested ? "requested" : "not requested"})`;
    case "AcquireLock":
      return `lock "${pending.name}" (command ${command}, ${pending.isRequested ? "requested" : "not requested"})`;
  }
}

function wordsOf(state: State | undefined): string {
  if (state?.ending !== undefined) return state.ending.type;
  return state === undefined || state.pending.length === 0 ? "nothing asked for" : state.pending.join(", ");
}
