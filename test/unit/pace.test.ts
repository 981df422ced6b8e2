// How many runs are claimed and committed at once. That claims which were held back go on is in replay/claims-held-back.

import { expect, test } from "vitest";
import { Pace } from "../../runtime/worker/pace.ts";
import { ManualClock } from "../support/manual-clock.ts";

function paceOf(limits: { maxRunsPerClaim: number; maxRunsPerCommit: number }) {
  const clock = new ManualClock();
  const state = { busyRuns: 0, told: 0 };
  const pace = new Pace({
    ...limits,
    clock,
    busyRuns: () => state.busyRuns,
    onRoom: () => {
      state.told++;
    },
  });
  return { pace, clock, state };
}

test("while runs begin here, and for a second after that, woken ones go by smaller portions", async () => {
  const { pace, clock } = paceOf({ maxRunsPerClaim: 250, maxRunsPerCommit: 500 });
  const portions = () => [pace.runsPerClaim, pace.wokenRunsPerCommit];
  expect(portions()).toEqual([250, 500]);
  pace.runBegan();
  expect(portions()).toEqual([120, 120]);
  await clock.advance(999);
  expect(portions()).toEqual([120, 120]);
  await clock.advance(1);
  expect(portions()).toEqual([250, 500]);
});

test("smaller limits stay as they are", () => {
  const { pace } = paceOf({ maxRunsPerClaim: 10, maxRunsPerCommit: 20 });
  pace.runBegan();
  expect([pace.runsPerClaim, pace.wokenRunsPerCommit]).toEqual([10, 20]);
});

test("claims go three portions ahead of what is busy, and not by crumbs", () => {
  const { pace, state } = paceOf({ maxRunsPerClaim: 100, maxRunsPerCommit: 100 });
  const room = (busyRuns: number) => {
    state.busyRuns = busyRuns;
    return pace.roomForClaims();
  };
  expect([0, 220, 250, 251, 400].map(room)).toEqual([300, 80, 50, 0, 0]);
});

test("who was given no room is told once when there is some", () => {
  const { pace, state } = paceOf({ maxRunsPerClaim: 100, maxRunsPerCommit: 100 });
  pace.lookAgain();
  state.busyRuns = 300;
  expect(pace.roomForClaims()).toBe(0);
  pace.lookAgain();
  expect(state.told).toBe(0);
  state.busyRuns = 0;
  pace.lookAgain();
  pace.lookAgain();
  expect(state.told).toBe(1);
});
