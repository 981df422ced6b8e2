// The same workflow with its steps taking another time, and so ending in another order, under each seed. A race between
// branches, or between a step and a timer, then shows as another ending.

import { type Duration, toMs } from "../../sdk/protocol/duration.ts";
import { seededRandom } from "../../sdk/protocol/random.ts";
import type { Workflow } from "../../sdk/workflow/workflow.ts";
import { pause } from "../world/pause.ts";
import type { Plan, PlanArguments } from "./experiment.ts";
import type { Conditions } from "./laboratory.ts";
import { executeBySeeds, type SeedReport, type SeedSettings } from "./seeded-executions.ts";

interface InterleavingSettings extends SeedSettings {
  /** The longest that the body of a step takes, in the environment's time. Most take much less. Default "1m". */
  readonly longest?: Duration;
}

export type InterleavingOptions<Input, Result> = Plan<Input, Result> & InterleavingSettings;

/**
 * Executes the workflow once for each seed. The seed decides how long each attempt of each step takes, before its body and
 * after it: from a millisecond to `longest`, and less than half of the step's own limits. Resolves when all runs ended
 * alike, or as `check` demands, and every prefix of each history replays.
 *
 * Rejects with an `AssertionError` that names two seeds, their endings, and the order of events that led to each; with what
 * `check` threw, after the seed; with RUN_STILL_OPEN when a run does not end within `within`, and with what blocks a run:
 * DIVERGENCE, FOREIGN_WAIT, PAYLOAD_UNREADABLE, WORKFLOW_UNKNOWN. Throws CONFIGURATION_INVALID, ARGUMENT_INVALID.
 */
export async function interleavings<Input, Result>(
  workflow: Workflow<Input, Result>,
  ...[options]: PlanArguments<Input, InterleavingOptions<Input, Result>>
): Promise<SeedReport> {
  const { seeds, check, longest = "1m", ...plan } = (options ?? {}) as InterleavingOptions<Input, Result>;
  const longestMs = toMs(longest, "interleavings(…, { longest })");
  return executeBySeeds({
    name: "interleavings",
    workflow,
    plan: plan as unknown as Plan<Input, Result>,
    settings: { ...(seeds === undefined ? {} : { seeds }), ...(check === undefined ? {} : { check }) },
    conditionsOf: (seed) => slowSteps(seed, longestMs),
  });
}

function slowSteps(seed: number, longestMs: number): Conditions {
  return {
    aroundBody: async ({ clock, letTimePass }, { command, attempt, limitMs }, execute) => {
      // By command and attempt, so that nothing but the seed decides, whoever asks first.
      const random = seededRandom(`interleaving ${seed}/${command}/${attempt}`);
      const mostMs = Math.max(1, Math.min(longestMs, limitMs === null ? longestMs : limitMs / 2));
      // Evenly over the orders of magnitude: what takes a moment meets what takes long.
      const totalMs = mostMs ** random.float();
      const beforeMs = totalMs * random.float();
      await letTimePass(() => pause(clock, beforeMs));
      try {
        return await execute();
      } finally {
        await letTimePass(() => pause(clock, totalMs - beforeMs));
      }
    },
  };
}
