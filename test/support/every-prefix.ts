// The check that every test of workflow code may end with: whatever part of the history a replay begins with, and however
// the rest comes, the run gets to the same place by the same commands.

import { expect } from "vitest";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { type DrivenRun, replay } from "./replaying.ts";

/** Where the run is; `trace` is anything else that its code wrote down in its latest execution. */
function placeOf(run: DrivenRun, trace: () => unknown) {
  return {
    outcome: withoutStacks(run.outcome),
    pending: run.pending,
    unread: run.engine.unreadSignals(),
    waits: run.engine.waits,
    broken: run.engine.broken?.message,
    trace: structuredClone(trace()),
  };
}

/** Replays `run`'s history from each of its prefixes, with the rest at once and event by event. */
export async function expectSameFromEveryPrefix(
  workflow: AnyWorkflow,
  run: DrivenRun,
  trace: () => unknown = () => null,
): Promise<void> {
  const { history } = run;
  const place = placeOf(run, trace);
  const whole = await replay(workflow, history);
  expect(placeOf(whole, trace)).toEqual(place);
  const changes = whole.changes();
  for (let length = 1; length < history.length; length++) {
    const atOnce = await replay(workflow, history.slice(0, length));
    await atOnce.redeliver(history.slice(length));
    expect({ length, ...placeOf(atOnce, trace), changes: atOnce.changes() }).toEqual({ length, ...place, changes });
    const oneByOne = await replay(workflow, history.slice(0, length));
    for (const event of history.slice(length)) await oneByOne.redeliver([event]);
    expect({ length, ...placeOf(oneByOne, trace), changes: oneByOne.changes() }).toEqual({ length, ...place, changes });
  }
}

/** Frames differ with the way the code was called; what is said must not. */
function withoutStacks(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value ?? null, (key, each) => (key === "stack" ? undefined : each)));
}
