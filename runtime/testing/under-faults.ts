// The same workflow with other things going wrong under each seed: it must end as if nothing had.

import type { Workflow } from "../../sdk/workflow/workflow.ts";
import type { Plan, PlanArguments } from "./experiment.ts";
import { type Faults, faultyConditions } from "./faults.ts";
import { executeBySeeds, type SeedReport, type SeedSettings } from "./seeded-executions.ts";

interface FaultSettings extends SeedSettings {
  /** How often each fault strikes. Default: as in `Faults`. */
  readonly faults?: Omit<Faults, "seed">;
}

export type FaultOptions<Input, Result> = Plan<Input, Result> & FaultSettings;

/**
 * Executes the workflow once for each seed, with faults drawn by it: calls to the store that are lost or whose replies are,
 * wake-ups that never come, runs taken away, workers that die. Resolves when all runs ended alike, or as `check` demands,
 * and every prefix of each history replays. Bodies of steps may be executed more than once: mock those that touch the
 * world, or let `prepare` begin it anew.
 *
 * Rejects and throws like `interleavings`.
 */
export async function underFaults<Input, Result>(
  workflow: Workflow<Input, Result>,
  ...[options]: PlanArguments<Input, FaultOptions<Input, Result>>
): Promise<SeedReport> {
  const { seeds, check, faults, ...plan } = (options ?? {}) as FaultOptions<Input, Result>;
  return executeBySeeds({
    name: "underFaults",
    workflow,
    plan: plan as unknown as Plan<Input, Result>,
    settings: { ...(seeds === undefined ? {} : { seeds }), ...(check === undefined ? {} : { check }) },
    conditionsOf: (seed) => faultyConditions({ ...faults, seed }),
  });
}
