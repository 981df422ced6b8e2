// A change is held to histories of the release before: recorded here, kept as JSON beside the test in a project.

import "everstep/testing/vitest";
import { step, workflow } from "everstep";
import {
  collectHistory,
  crashEverywhere,
  type RecordedHistory,
  replayEveryPrefix,
  replayHistory,
  testEnvironment,
} from "everstep/testing";
import { expect, test } from "vitest";
import { arrived, paid, parcel, parcelInTwoSteps } from "./workflow.ts";

/** What a parcel of today's release has behind it when so many of its signals have come. */
async function historyOfToday(...signals: readonly (typeof paid)[]): Promise<RecordedHistory> {
  const env = await testEnvironment({ workflows: [parcel] });
  try {
    const run = await env.client.start(parcel);
    for (const signal of signals) await run.signal(signal);
    await env.advance(0);
    return await collectHistory(run);
  } finally {
    await env.stop();
  }
}

test("the next release goes on with whatever today's has begun", async () => {
  for (const signals of [[], [paid], [paid, arrived]]) {
    await replayHistory(parcelInTwoSteps, await historyOfToday(...signals));
  }
  await replayEveryPrefix(parcelInTwoSteps, await historyOfToday(paid, arrived));
});

test("without the patch it would block parcels that are paid, and those alone", async () => {
  const rash = workflow("parcel", async () => {
    await paid.receive();
    await step("authorize", () => "authorized");
    await arrived.receive();
    return step("capture", () => "captured");
  });
  await replayHistory(rash, await historyOfToday());
  await expect(replayHistory(rash, await historyOfToday(paid))).rejects.toMatchObject({ code: "DIVERGENCE" });
});

test("a parcel that comes to the change under the next release goes the new way, and stays on it", async () => {
  const env = await testEnvironment({ workflows: [parcelInTwoSteps] });
  try {
    const run = await env.client.start(parcelInTwoSteps);
    await run.signal(paid);
    await env.advance("3 days");
    await expect(run).toHaveHistory(["RunStarted", "SignalReceived", "PatchMarked", "StepCompleted"]);
    await env.killWorker(); // the next one finds the way in the history
    await run.signal(arrived);
    await expect(run).toHaveCompleted("authorized, and captured on arrival");
    await replayEveryPrefix(parcelInTwoSteps, await collectHistory(run));
  } finally {
    await env.stop();
  }
});

const paidAndArrived = {
  script: async (
    run: { signal: (signal: typeof paid) => Promise<void> },
    env: { advance: (time: number) => Promise<void> },
  ) => {
    await run.signal(paid);
    await env.advance(0);
    await run.signal(arrived);
  },
};

test("no crash changes a parcel of today's release", async () => {
  await crashEverywhere(parcel, paidAndArrived);
});

test("under the next one a crash right before the mark, and no other, leaves a parcel on the old way", async () => {
  await expect(crashEverywhere(parcelInTwoSteps, paidAndArrived)).rejects.toThrow(/event 2, SignalReceived/);
});
