// One scenario under the three ways in which a run is carried on: kept in memory from its first line to its last, let go
// of at every wait, and taken over by another worker after every single commit. To workflow code all three must be the
// same: the same end, and the same history, event by event.

import type { ClaimAnswer } from "../../runtime/store/claims.ts";
import type { AppendAnswer } from "../../runtime/store/turns.ts";
import { type Experiment, execute, type Plan } from "../../runtime/testing/experiment.ts";
import type { Conditions } from "../../runtime/testing/laboratory.ts";
import type { RecordedHistory } from "../../runtime/testing/recorded-history.ts";
import { replayEveryPrefix } from "../../runtime/testing/replay-every-prefix.ts";
import { type Shape, shapeOf } from "../../runtime/testing/run-shape.ts";
import { NEVER_MS } from "../../runtime/testing/virtual-clock.ts";
import { decodePayload } from "../../sdk/protocol/payload.ts";
import { type AnyWorkflow, type Workflow, workflow } from "../../sdk/workflow/workflow.ts";

export interface Scenario {
  readonly name: string;
  readonly experiment: Experiment<undefined, unknown>;
  /** What the history fits, where that is not the workflow that was started. */
  readonly code?: AnyWorkflow;
  /** What the run must come to: its result, or `{ status }` and a part of its failure's message. */
  readonly ends: Ending;
}

type Ending =
  | { readonly result: unknown }
  | { readonly status: "RunFailed" | "RunCanceled" | "RunTimedOut" | "RunTerminated"; readonly because?: string };

type ScenarioOptions<Result> = Omit<Plan<undefined, Result>, "start" | "startAt" | "input"> & {
  /** How the run is started, where it is not simply started. */
  readonly start?: (start: {
    readonly env: Parameters<NonNullable<Plan<undefined, Result>["script"]>>[1];
    readonly workflow: Workflow<undefined, Result>;
  }) => ReturnType<Extract<NonNullable<Plan<undefined, Result>["start"]>, (...given: never[]) => unknown>>;
  readonly timeout?: `${number} days`;
  readonly version?: string;
  /** The code that its history fits in the end, where the run is moved to other code. */
  readonly endsIn?: AnyWorkflow;
};

const START = Date.UTC(2030, 0, 1);

/** A line of the table: a workflow, how it must end, and what comes to it from outside. */
export function scenario<Result>(
  name: string,
  main: () => Promise<Result>,
  ends: Ending,
  { start, timeout, version, endsIn, ...plan }: ScenarioOptions<Result> = {},
): Scenario {
  const definition = workflow<undefined, Result>(name, main, {
    ...(timeout !== undefined && { timeout }),
    ...(version !== undefined && { version }),
  });
  const starting = start === undefined ? {} : { start: (env: never) => start({ env, workflow: definition }) };
  const experiment = { name: "three modes", workflow: definition, plan: { ...plan, ...starting }, startAt: START };
  const named = { name, experiment: experiment as unknown as Experiment<undefined, unknown>, ends };
  return endsIn === undefined ? named : { ...named, code: endsIn };
}

export interface Execution {
  readonly history: RecordedHistory;
  readonly claims: number;
  readonly commits: number;
}

export const MODES = {
  resident: { settings: { lingerMs: NEVER_MS } },
  parked: { settings: { lingerMs: 0, keepIfDueWithinMs: 0 } },
  reclaimed: {},
} as const satisfies Record<string, Conditions>;

export type Mode = keyof typeof MODES;

export async function runIn(mode: Mode, { experiment, code }: Scenario): Promise<Execution> {
  // By run: others may be its children.
  const claims: string[] = [];
  const commits: string[] = [];
  let transactions = 0;
  const history = await execute(experiment, {
    ...MODES[mode],
    traffic: () => async (call, send) => {
      const answer = await send();
      if (call.name === "claimRuns") claims.push(...(answer as ClaimAnswer).claimed.map(({ runId }) => runId));
      const isTransaction = call.name === "appendInTransaction";
      if (isTransaction || call.name === "appendTurns" || call.name === "appendWithEffects") {
        if (isTransaction) transactions++;
        else commits.push(...(answer as AppendAnswer).committed);
        // The next owner knows the run from its history alone.
        if (mode === "reclaimed") call.kill();
      }
      return answer;
    },
  });
  await replayEveryPrefix(code ?? (experiment.workflow as AnyWorkflow), history);
  const ofRun = (runIds: readonly string[]) => runIds.filter((runId) => runId === history.runId).length;
  return { history, claims: ofRun(claims), commits: ofRun(commits) + transactions };
}

/** All that must be the same, in the order of the history. */
export const shapesOf = ({ history }: Execution): Shape[] => history.events.map(shapeOf);

export function endingOf({ history }: Execution): Ending {
  const last = history.events.at(-1);
  if (last?.type === "RunCompleted") return { result: decodePayload(last.result, "result") };
  if (last?.type === "RunFailed" || last?.type === "RunCanceled")
    return { status: last.type, because: last.failure.message };
  if (last?.type === "RunTimedOut" || last?.type === "RunTerminated") return { status: last.type };
  throw new Error(`the run did not end: its last event is ${last?.type}`);
}
