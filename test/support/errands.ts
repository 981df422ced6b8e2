// Starts errands, and tells whether each was done as if nothing had happened: the right result, each part in the history
// once and in unbroken order, and each step seen outside as often as it should have been.

import { expect } from "vitest";
import type { RunHandle } from "../../runtime/client.ts";
import { EVENT_CODES, type EventType } from "../../sdk/protocol/event.ts";
import { ERRAND_STEPS, errand, errandResult } from "../e2e/workers/errand.ts";
import type { Stage } from "./stage.ts";

export interface Errands {
  /** How often a step of theirs was begun so far. */
  readonly begun: () => number;
  /** Waits for all of them, and looks at everything. */
  readonly expectDone: (expected: ExpectedExecutions) => Promise<void>;
}

/**
 * "once": nobody died or was cut off, so no step may have run again, except by the policy. "at least once": work that
 * could not be recorded was done again.
 */
export type ExpectedExecutions = "once" | "at least once";

export interface StartErrandsOptions {
  /** Spreads the runs: each begins this much later than the one before. Default 0. */
  readonly apartMs?: number;
}

export async function startErrands(stage: Stage, count: number, options: StartErrandsOptions = {}): Promise<Errands> {
  const inputs = Array.from({ length: count }, (_, start) => ({ start }));
  const { apartMs = 0 } = options;
  const runs = await stage.client.startMany(
    errand,
    inputs.map((input) => ({ input, delay: input.start * apartMs })),
  );
  return {
    begun: () => stage.witness.all().length,
    async expectDone(expected) {
      expect(await Promise.all(runs.map((run) => run.result()))).toEqual(inputs.map(errandResult));
      await expectHistories(stage, runs);
      expectExecutions(stage, runs, expected);
    },
  };
}

const code = (type: EventType) => EVENT_CODES[type];

/** What happens in every errand, whatever the order. */
const WHOLE_HISTORY = [
  [code("RunStarted"), null],
  ...ERRAND_STEPS.map((name) => [code("StepCompleted"), name]),
  [code("StepAttemptFailed"), "shaky"],
  ...Array(3).fill([code("TimerStarted"), "sleep"]),
  ...Array(3).fill([code("TimerFired"), "sleep"]),
  [code("RunCompleted"), null],
].map(String);

async function expectHistories({ ask }: Stage, runs: readonly RunHandle<number>[]): Promise<void> {
  const events = await ask<{ workflow_id: string; seq: number; type: number; name: string | null }>(
    `select r.workflow_id, e.seq, e.type, case when e.type = 1 then null else e.name end as name
     from everstep.event e join everstep.run r using (run_id) order by e.run_id, e.seq`,
  );
  for (const { workflowId } of runs) {
    const history = events.filter((event) => event.workflow_id === workflowId);
    expect(history.map(({ seq }) => seq)).toEqual(history.map((_, index) => index + 1));
    expect(history.map(({ type, name }) => String([type, name])).sort()).toEqual([...WHOLE_HISTORY].sort());
  }
}

function expectExecutions({ witness }: Stage, runs: readonly RunHandle<number>[], expected: ExpectedExecutions): void {
  const seen = new Map<string, number>();
  for (const { run, what } of witness.all()) {
    const key = `${run} ${what}`;
    seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  for (const { workflowId } of runs) {
    for (const name of ERRAND_STEPS) {
      const least = name === "shaky" ? 2 : 1;
      const times = seen.get(`${workflowId} ${name}`) ?? 0;
      if (expected === "once") expect(times, `executions of ${name} of ${workflowId}`).toBe(least);
      else expect(times, `executions of ${name} of ${workflowId}`).toBeGreaterThanOrEqual(least);
    }
  }
}
