// Runs of two releases in one environment: each has the code of its version, and one is moved.

import "everstep/testing/vitest";
import {
  collectHistory,
  crashEverywhere,
  replayHistory,
  type TestEnvironment,
  testEnvironment,
} from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { paid, parcel1, parcel2 } from "./workflow.ts";

let env: TestEnvironment;

beforeEach(async () => {
  env = await testEnvironment({ workflows: [parcel1, parcel2] });
  await env.client.setVersionPolicy("parcel", { current: "1.0.0" });
});

afterEach(() => env.stop());

test("who began with the old release ends with it, who begins later has the new one", async () => {
  const old = await env.client.start(parcel1);
  await env.client.setVersionPolicy("parcel", { current: "2.0.0" });
  const young = await env.client.start(parcel1);
  await env.advance("30 days");
  for (const run of [old, young]) await run.signal(paid);
  await expect(old).toHaveCompleted("sent by post");
  await expect(young).toHaveCompleted("sent by courier");
});

test("a parcel that is not paid for fits both releases, and can be moved", async () => {
  const run = await env.client.start(parcel1);
  await env.advance(0);
  await replayHistory(parcel2, await collectHistory(run)); // as one finds out before
  await run.moveTo("2.0.0");
  await run.signal(paid);
  await expect(run).toHaveCompleted("sent by courier");
});

test("a parcel that was sent by post does not fit the new release", async () => {
  const run = await env.client.start(parcel1);
  await run.signal(paid);
  await run.result();
  const history = await collectHistory(run);
  await replayHistory(parcel1, history);
  await expect(replayHistory(parcel2, history)).rejects.toMatchObject({ code: "DIVERGENCE" });
});

test("no crash changes how a parcel of either release is sent", async () => {
  for (const parcel of [parcel1, parcel2]) {
    await crashEverywhere(parcel, { script: (run) => run.signal(paid, undefined, { signalId: "paid" }) });
  }
});
