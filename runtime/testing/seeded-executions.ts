// One workflow under many seeds. Whatever a seed brings about, the run must end as it did under the first one; where its
// end may differ, a check of the test's own says what must hold. A failure names its seed, which brings it about again.

import { AssertionError } from "node:assert";
import { EverstepError } from "../../sdk/protocol/errors.ts";
import type { Workflow } from "../../sdk/workflow/workflow.ts";
import { systemClock } from "../world/system.ts";
import { execute, type Plan } from "./experiment.ts";
import type { Conditions } from "./laboratory.ts";
import type { RecordedHistory } from "./recorded-history.ts";
import { replayEveryPrefix } from "./replay-every-prefix.ts";
import { isSame, outcomeOf, type Shape, shapeOf, wordsOf } from "./run-shape.ts";

export interface SeedSettings {
  /** How many seeds, from 1 on; or which. Default 50. */
  readonly seeds?: number | readonly number[];
  /**
   * What must hold of each run that has ended. Rejecting or throwing fails the experiment. Default: all end alike, with the
   * same result or failure.
   */
  readonly check?: (history: RecordedHistory, seed: number) => void | Promise<void>;
}

export interface SeedReport {
  readonly seeds: readonly number[];
  /** How many different histories there were: 1 says that the seeds changed nothing. */
  readonly histories: number;
}

export interface SeededExperiment<Input, Result> {
  readonly name: string;
  readonly workflow: Workflow<Input, Result>;
  readonly plan: Plan<Input, Result>;
  readonly settings: SeedSettings;
  readonly conditionsOf: (seed: number) => Conditions;
}

export async function executeBySeeds<Input, Result>(experiment: SeededExperiment<Input, Result>): Promise<SeedReport> {
  const { name, workflow, plan, settings, conditionsOf } = experiment;
  const startAt = plan.startAt === undefined ? systemClock.now() : Number(plan.startAt);
  const seeds = seedsIn(settings.seeds ?? 50, name);
  const check = settings.check ?? sameEndings(experiment.name);
  const seen = new Set<string>();
  for (const seed of seeds) {
    try {
      const history = await execute({ name, workflow, plan, startAt }, conditionsOf(seed));
      await replayEveryPrefix(workflow, history);
      seen.add(JSON.stringify(history.events.map(shapeOf)));
      await check(history, seed);
    } catch (error) {
      throw withSeed(error, name, seed);
    }
  }
  return { seeds, histories: seen.size };
}

function seedsIn(seeds: number | readonly number[], name: string): readonly number[] {
  const list = typeof seeds === "number" ? Array.from({ length: Math.max(0, seeds) }, (_, index) => index + 1) : seeds;
  if (list.length > 0 && list.every(Number.isSafeInteger)) return list;
  throw new EverstepError(
    "ARGUMENT_INVALID",
    `${name}(…, { seeds }) takes a count from 1 on, or a list of whole numbers.`,
    {
      details: { argument: "seeds" },
    },
  );
}

function sameEndings(operator: string): (history: RecordedHistory, seed: number) => void {
  let first: { readonly seed: number; readonly ending: Shape; readonly events: RecordedHistory["events"] } | undefined;
  return ({ events }, seed) => {
    const ending = outcomeOf(events);
    first ??= { seed, ending, events };
    if (isSame(first.ending, ending)) return;
    const message = `The run ended otherwise than with seed ${first.seed}.\n${sideOf(first.seed, first.events)}\n${sideOf(seed, events)}\nBoth again: seeds: [${first.seed}, ${seed}].`;
    throw new AssertionError({ message, expected: first.ending, actual: ending, operator });
  };
}

const MOST_SHOWN = 12;

/** Its end, and the order of events that led to it. */
function sideOf(seed: number, events: RecordedHistory["events"]): string {
  const [ending = ""] = events.slice(-1).map((event) => wordsOf(shapeOf(event)));
  const answers = events.slice(1, -1).filter(({ type }) => type !== "TimerStarted");
  const words = answers.slice(0, MOST_SHOWN).map((event) => {
    const { type, name } = event as { type: string; name?: string };
    return wordsOf({ type, name });
  });
  const more = answers.length > MOST_SHOWN ? ", …" : "";
  return `  Seed ${seed}: ${ending}\n    after ${words.join(", ")}${more}`;
}

function withSeed(error: unknown, name: string, seed: number): unknown {
  const head = `${name}, seed ${seed}:`;
  if (!(error instanceof Error)) return new Error(`${head} ${String(error)}`, { cause: error });
  error.message = `${head} ${error.message}\nAgain: ${name}(…, { seeds: [${seed}] }).`;
  return error;
}
