// Days pass in no time; and whenever the worker dies, the contract is filed once, by the one signature.

import { crashEverywhere, type TestEnvironment, testEnvironment } from "everstep/testing";
import { afterEach, beforeEach, expect, test } from "vitest";
import { outgoing } from "./mail.ts";
import { askToSign, signOff } from "./workflow.ts";

let env: TestEnvironment;
const input = { title: "Lease", signer: "Ann" };
const tokens = () => outgoing.map(({ path }) => path.split("token=")[1] ?? "");

beforeEach(async () => {
  outgoing.length = 0;
  env = await testEnvironment({ workflows: [signOff] });
});

afterEach(() => env.stop());

test("a contract that is signed by its link is filed", async () => {
  const run = await env.client.start(signOff, { input });
  await env.advance("2 days");
  await env.client.completeStep(tokens()[0] ?? "", { by: "Ann" });
  expect(await run.result()).toEqual({ outcome: "signed", filed: "Lease, signed by Ann" });
});

test("a signer who is silent is reminded, with another link; the first one is good for nothing", async () => {
  const run = await env.client.start(signOff, { input });
  await env.advance("4 days");
  expect(outgoing.map(({ subject }) => subject)).toEqual(["Lease", "Reminder: Lease"]);
  const [first = "", second = ""] = tokens();
  await expect(env.client.completeStep(first, { by: "Ann" })).rejects.toMatchObject({ code: "STEP_NOT_WAITING" });
  await env.client.completeStep(second, { by: "Ann" });
  expect(await run.result()).toMatchObject({ outcome: "signed" });
});

test("a contract nobody signs is given up", async () => {
  const run = await env.client.start(signOff, { input });
  expect(await run.result()).toMatchObject({ outcome: "not signed" });
});

test("no crash changes who signed", async () => {
  const { crashes, places } = await crashEverywhere(signOff, {
    input,
    script: (run) => run.completeStep(askToSign, { by: "Ann" }, { reportId: "click" }),
  });
  expect(crashes).toBe(places);
});
