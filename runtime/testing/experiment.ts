// One execution of a workflow from its start to its end in an environment made for it, and what is left of it: the
// history. Experiments repeat it under other conditions and compare.

import type { StartOptions } from "../../sdk/client/client.ts";
import { RunFailedError } from "../../sdk/client/run-failed-error.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import type { Duration } from "../../sdk/protocol/duration.ts";
import { EverstepError, isEverstepError } from "../../sdk/protocol/errors.ts";
import type { Workflow } from "../../sdk/workflow/workflow.ts";
import { environmentOf, openLaboratory, type TestEnvironment, type TestEnvironmentOptions } from "./environment.ts";
import type { Conditions } from "./laboratory.ts";
import { collectHistory, type RecordedHistory } from "./recorded-history.ts";
import { steadyChance } from "./seeded-chance.ts";

interface PlanSettings<Result> extends Omit<TestEnvironmentOptions, "workflows" | "faults"> {
  /** Other workflows that the runs need. */
  readonly workflows?: TestEnvironmentOptions["workflows"];
  /** How the run is started, beside its input; or a function that starts it. */
  readonly start?: Omit<StartOptions<unknown>, "input"> | ((env: TestEnvironment) => Promise<RunHandle<Result>>);
  /** Called with each new environment before the run is started: for mocks, and for a world that begins anew. */
  readonly prepare?: (env: TestEnvironment) => void | Promise<void>;
  /**
   * What comes from outside while the run is open: signals, cancels, time that passes. Begins when the run waits, or is
   * held up by a step. `env.advance(0)` between two messages lets it come to its next wait.
   */
  readonly script?: (run: RunHandle<Result>, env: TestEnvironment) => void | Promise<void>;
  /** How long after the script the run may take to end, in the environment's time. Default "3650 days". */
  readonly within?: Duration;
}

/** How a workflow is executed, as often as an experiment needs. `input` is required unless the workflow takes none. */
export type Plan<Input, Result> = PlanSettings<Result> &
  (undefined extends Input ? { readonly input?: Input } : { readonly input: Input });

/** Optional where the workflow takes no input. */
export type PlanArguments<Input, Options> = undefined extends Input ? [options?: Options] : [options: Options];

/** All executions of one experiment begin at the same moment, and draw the same ids where nothing else is said. */
export interface Experiment<Input, Result> {
  readonly name: string;
  readonly workflow: Workflow<Input, Result>;
  readonly plan: Plan<Input, Result>;
  readonly startAt: number;
}

export async function execute<Input, Result>(
  experiment: Experiment<Input, Result>,
  conditions: Conditions,
): Promise<RecordedHistory> {
  const { workflow, plan, startAt } = experiment;
  const { workflows = [], start, prepare, script, within = LONG, ...options } = plan as PlanSettings<Result>;
  const laboratory = await openLaboratory(
    { ...options, workflows: [workflow, ...workflows.filter((other) => other !== workflow)], startAt },
    { chance: steadyChance, ...conditions },
  );
  try {
    const env = environmentOf(laboratory);
    await prepare?.(env);
    // Plans know the types of input and result; here they are only handed on.
    const handedOn = workflow as unknown as Workflow<unknown, Result>;
    const run = await (typeof start === "function"
      ? start(env)
      : env.client.start<unknown, Result>(handedOn, { ...start, input: plan.input }));
    // The script speaks to a run that has come to its first wait, in every execution.
    await env.advance(0, { pastSteps: true });
    await script?.(run, env);
    await untilClosed(run, experiment.name, within);
    return await collectHistory(run);
  } finally {
    await laboratory.stop();
  }
}

const LONG: Duration = "3650 days";

async function untilClosed(run: RunHandle<unknown>, name: string, within: Duration): Promise<void> {
  try {
    await run.result({ timeout: within });
  } catch (error) {
    if (error instanceof RunFailedError) return;
    if (!isEverstepError(error, "RUN_STILL_OPEN")) throw error;
    const { summary, workflow } = await run.describe();
    const message = `${name}: run ${run.workflowId} of workflow "${workflow}" did not end within ${within} of its time. ${summary} Send it what it waits for in script, or give it longer with within.`;
    throw new EverstepError("RUN_STILL_OPEN", message, { cause: error });
  }
}
