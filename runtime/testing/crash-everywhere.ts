// Kills the worker at every place where it can die, one after the other, and holds what comes of it against the run that
// nothing happened to. This is what durable execution promises; here a workflow is seen to keep its part of it: what it
// does between steps is deterministic, and what its steps do may be done twice.

import { AssertionError } from "node:assert";
import type { Workflow } from "../../sdk/workflow/workflow.ts";
import { systemClock } from "../world/system.ts";
import { type CrashPoint, crashingAt, crashPointsOf, notingBodies } from "./crash-points.ts";
import { type Experiment, execute, type Plan, type PlanArguments } from "./experiment.ts";
import type { BodyCall } from "./laboratory.ts";
import type { RecordedHistory } from "./recorded-history.ts";
import { replayEveryPrefix } from "./replay-every-prefix.ts";
import { firstDifference, isSame, outcomeOf, stepsOf, wordsOf } from "./run-shape.ts";
import { sampled } from "./sampling.ts";

interface CrashSettings {
  /** Crashes at the most; of more places so many are drawn. Default 200. */
  readonly maxCrashes?: number;
  /** What the places are drawn by, where there are more than `maxCrashes`. Default 1. */
  readonly seed?: number;
}

export type CrashOptions<Input, Result> = Plan<Input, Result> & CrashSettings;

export interface CrashReport {
  /** Of the run that nothing happened to. */
  readonly history: RecordedHistory;
  /** Places where a worker can die. */
  readonly places: number;
  /** Workers that were killed. */
  readonly crashes: number;
  readonly seed: number;
}

/**
 * Executes the workflow once, then once more for each event of its history, with the worker killed right after that event
 * was committed, and once for each step body, with the worker killed between the body's end and its commit. Another worker
 * takes over. Resolves when every one of them ended with the same outcome and the same recorded steps, and every prefix of
 * the history replays; see `replayEveryPrefix`.
 *
 * Each execution has an environment of its own, at the same time, with the same ids, and without jitter in its pauses.
 * Bodies of steps are executed again and again: mock those that touch the world, or let `prepare` begin it anew.
 *
 * Rejects with an `AssertionError` that names the place of the first crash with another ending, with RUN_STILL_OPEN when
 * the run does not end within `within`, and with what blocks the run: DIVERGENCE, FOREIGN_WAIT, PAYLOAD_UNREADABLE,
 * WORKFLOW_UNKNOWN. Throws CONFIGURATION_INVALID, ARGUMENT_INVALID.
 */
export async function crashEverywhere<Input, Result>(
  workflow: Workflow<Input, Result>,
  ...[options]: PlanArguments<Input, CrashOptions<Input, Result>>
): Promise<CrashReport> {
  const { maxCrashes = 200, seed = 1, ...plan } = (options ?? {}) as CrashOptions<Input, Result>;
  const startAt = plan.startAt === undefined ? systemClock.now() : Number(plan.startAt);
  const name = "crashEverywhere";
  const experiment = { name, workflow, plan: plan as unknown as Plan<Input, Result>, startAt };

  const bodies: BodyCall[] = [];
  const history = await execute(experiment, notingBodies(bodies));
  await replayEveryPrefix(workflow, history);
  const places = crashPointsOf(
    history.events,
    bodies.filter(({ runId }) => runId === history.runId),
  );
  const chosen = sampled(places, { most: maxCrashes, seed, name: `${name}(…, { maxCrashes })` });
  let crashes = 0;
  for (const place of chosen) crashes += await crashAt(place, experiment, history);
  return { history, places: places.length, crashes, seed };
}

/** How many workers died: none when the run came no more to that place. */
async function crashAt<Input, Result>(
  place: CrashPoint,
  experiment: Experiment<Input, Result>,
  calm: RecordedHistory,
): Promise<number> {
  let crashes = 0;
  const conditions = crashingAt(place, calm.runId, () => crashes++);
  const crashed = await execute(experiment, conditions).catch((error: unknown) => {
    const message = `${headOf(place)}, the run could not go on: ${error instanceof Error ? error.message : String(error)}`;
    throw Object.assign(new AssertionError({ message, operator: experiment.name }), { cause: error });
  });
  compare(place, experiment.name, calm, crashed);
  return crashes;
}

function compare(place: CrashPoint, operator: string, calm: RecordedHistory, crashed: RecordedHistory): void {
  const fail = (what: string, [before, after]: readonly [string, string], expected: unknown, actual: unknown) => {
    const message = `${headOf(place)}, ${what}.\n  Without the crash: ${before}\n  With it: ${after}`;
    throw new AssertionError({ message, expected, actual, operator });
  };
  const [expected, actual] = [stepsOf(calm.events), stepsOf(crashed.events)];
  const difference = firstDifference(expected, actual);
  if (difference !== undefined) fail("other steps were recorded", difference, expected, actual);
  const [ending, other] = [outcomeOf(calm.events), outcomeOf(crashed.events)];
  if (!isSame(ending, other)) fail("the run ended otherwise", [wordsOf(ending), wordsOf(other)], ending, other);
}

function headOf({ words }: CrashPoint): string {
  return `With its worker killed after ${words}`;
}
