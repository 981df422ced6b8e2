// Codecs in a test environment: they take real time, and none of the skipped kind passes meanwhile.

import type { PayloadCodec } from "everstep/codecs";
import { testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { sleep, step, workflow } from "../../sdk/index.ts";
import { allCodecs } from "../support/codecs.ts";

const slow: PayloadCodec = {
  name: "slow",
  encode: (bytes) => new Promise((resolve) => setTimeout(resolve, 20, bytes)),
  decode: (bytes) => new Promise((resolve) => setTimeout(resolve, 20, bytes)),
};

test("a year is skipped between two steps, and not a moment while a codec works", async () => {
  const env = await testEnvironment({ workflows: [patient], codecs: [slow, ...allCodecs()], startAt: 0 });
  onTestFinished(() => env.stop());
  const run = await env.client.start(patient, { input: "x".repeat(2_000) });
  expect(await run.result()).toEqual(["x".repeat(2_000), 0, 31_536_000_000]);
});

const patient = workflow("patient", async (input: string) => {
  const first = await step("first", () => input);
  const before = Date.now();
  await sleep("365 days");
  await step("second", () => {});
  return [first, before, Date.now()];
});
