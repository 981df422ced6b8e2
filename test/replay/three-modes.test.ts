// Every feature of the language, kept in memory, parked at every wait, and taken over after every commit: the same
// history. Whoever adds a feature adds its scenarios to the table.

import { sleep, step } from "everstep";
import { describe, expect, test } from "vitest";
import { endingOf, runIn, scenario, shapesOf } from "../support/three-modes.ts";
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

const TABLE = {
  steps,
  structure,
  timers,
  signals,
  updates,
  cancellation,
  change,
  concurrency,
  data,
  deferred,
  entities,
  headers,
  locks,
  notes,
  otherRuns,
  repair,
  webhooks,
};

describe.each(Object.entries(TABLE))("%s", (_part, scenarios) => {
  test.each(scenarios.map((each) => [each.name, each] as const))("%s", async (_name, each) => {
    const resident = await runIn("resident", each);
    expect(endingOf(resident)).toMatchObject(
      "because" in each.ends ? { ...each.ends, because: expect.stringContaining(each.ends.because ?? "") } : each.ends,
    );
    // What was paused or moved was let go of, if it had been claimed, and is claimed again.
    const returns = resident.history.events.filter(({ type }) => type === "RunResumed" || type === "RunMoved").length;
    expect(resident.claims).toBeGreaterThanOrEqual(1);
    expect(resident.claims).toBeLessThanOrEqual(1 + returns);

    const parked = await runIn("parked", each);
    expect(shapesOf(parked)).toEqual(shapesOf(resident));
    // It did leave: whatever a timer woke was claimed again.
    if (parked.history.events.some(({ type }) => type === "TimerFired")) expect(parked.claims).toBeGreaterThan(1);

    const reclaimed = await runIn("reclaimed", each);
    expect(shapesOf(reclaimed)).toEqual(shapesOf(resident));
    // One claim by which the run began, and one more after each commit but the last.
    expect(reclaimed.claims).toBeGreaterThanOrEqual(reclaimed.commits);
  });
});

test("names of scenarios differ", () => {
  const names = Object.values(TABLE).flatMap((scenarios) => scenarios.map(({ name }) => name));
  expect(new Set(names).size).toBe(names.length);
});

test("code that knows whether it is replayed is found out", async () => {
  let executions = 0;
  const fickle = scenario(
    "fickle",
    async () => {
      if (executions++ > 0) await step("zero", () => 0);
      await step("one", () => 1);
      await sleep("1 day");
    },
    { result: undefined },
  );
  for (const mode of ["resident", "parked", "reclaimed"] as const) {
    executions = 0;
    await expect(runIn(mode, fickle), mode).rejects.toMatchObject({ code: "DIVERGENCE" });
  }
});
