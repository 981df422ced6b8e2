// Histories fit with and without interceptors that do what interceptors are for: every scenario of the language is
// recorded without them and replayed with them, and the other way round, each from every prefix.

import { AsyncLocalStorage } from "node:async_hooks";
import { type AnyWorkflow, type Interceptor, log, workflowInfo } from "everstep";
import { replayEveryPrefix } from "everstep/testing";
import { describe, expect, test } from "vitest";
import { lookingOn } from "../support/looking-on.ts";
import { runIn, type Scenario, shapesOf } from "../support/three-modes.ts";
import { cancellation } from "./scenarios/cancellation.ts";
import { change } from "./scenarios/change.ts";
import { concurrency } from "./scenarios/concurrency.ts";
import { data } from "./scenarios/data.ts";
import { deferred } from "./scenarios/deferred.ts";
import { entities } from "./scenarios/entities.ts";
import { headers } from "./scenarios/headers.ts";
import { locks } from "./scenarios/locks.ts";
import { notes } from "./scenarios/notes.ts";
import { otherRuns } from "./scenarios/other-runs.ts";
import { repair } from "./scenarios/repair.ts";
import { signals } from "./scenarios/signals.ts";
import { steps } from "./scenarios/steps.ts";
import { structure } from "./scenarios/structure.ts";
import { timers } from "./scenarios/timers.ts";
import { updates } from "./scenarios/updates.ts";
import { webhooks } from "./scenarios/webhooks.ts";

/** Main functions that were called through an interceptor. */
let executions = 0;

const logging: Interceptor = {
  workflow: {
    execute({ info }, next) {
      executions++;
      const startedAt = Date.now();
      const result = next();
      const ended = (how: string) => log.info(how, { run: info.runId, afterMs: Date.now() - startedAt });
      result.then(
        () => ended("completed"),
        (error) => ended(String(error)),
      );
      return result;
    },
    handleSignal(call, next) {
      log.info("signal", { name: call.name, id: call.signalId, at: Date.now() });
      return next();
    },
    handleQuery: (_, next) => next(),
  },
  step: { execute: async (_, next) => next() },
};

const storage = new AsyncLocalStorage<string>();
const entering = <T>(next: () => T): T => storage.run(workflowInfo().runId, next);
const tracing: Interceptor = {
  workflow: {
    execute: (_, next) => {
      executions++;
      return entering(next);
    },
    handleSignal: (_, next) => entering(next),
    handleUpdate: (_, next) => entering(next),
    handleQuery: (_, next) => entering(next),
  },
  step: { execute: ({ context }, next) => storage.run(context.runId, next) },
};

const TABLE = { steps, timers, signals, cancellation, concurrency };

const withInterceptors = (scenario: Scenario, interceptors: readonly Interceptor[]): Scenario => {
  const { experiment } = scenario;
  const all = [...(experiment.plan?.interceptors ?? []), ...interceptors];
  return { ...scenario, experiment: { ...experiment, plan: { ...experiment.plan, interceptors: all } } };
};

describe.each([
  ["logging", [logging]],
  ["tracing", [tracing]],
  ["both", [tracing, logging]],
] as const)("%s", (_kind, interceptors) => {
  const scenarios = Object.values(TABLE).flat();
  test.each(scenarios.map((each) => [each.name, each] as const))("%s", async (_name, each) => {
    const plain = await runIn("reclaimed", each);
    executions = 0;
    await replayEveryPrefix(each.experiment.workflow, plain.history, { interceptors });
    // Once for all events one by one, and once for each prefix; but for one that ends before the first line.
    expect(executions).toBeGreaterThanOrEqual(plain.history.events.length);
    executions = 0;
    // `runIn` replays it without.
    const intercepted = await runIn("reclaimed", withInterceptors(each, interceptors));
    expect(executions).toBeGreaterThan(0);
    expect(shapesOf(intercepted)).toEqual(shapesOf(plain));
    await replayEveryPrefix(each.experiment.workflow, intercepted.history, { interceptors });
  });
});

/** All features of the language, each of which asks for something. */
const ALL = {
  ...TABLE,
  ...{ change, data, deferred, entities, headers, locks, notes, otherRuns, repair, structure, updates, webhooks },
};

describe("looking on at all that code asks for", () => {
  const scenarios = Object.values(ALL).flat();
  test.each(scenarios.map((each) => [each.name, each] as const))("%s", async (_name, each) => {
    const plain = await runIn("reclaimed", each);
    const { interceptor, asked } = lookingOn();
    // From every prefix of the history that was made without.
    const code = each.code ?? each.experiment.workflow;
    await replayEveryPrefix(code as AnyWorkflow, plain.history, { interceptors: [interceptor] });
    const commands = plain.history.events.filter((event) => "command" in event);
    if (commands.length > 0) expect(asked.length).toBeGreaterThan(0);
    // And the other way round: `runIn` replays it without.
    for (const mode of ["resident", "parked", "reclaimed"] as const) {
      const intercepted = await runIn(mode, withInterceptors(each, [interceptor, interceptor]));
      expect(shapesOf(intercepted), mode).toEqual(shapesOf(plain));
    }
  });
});
