// Limits of time for whole chains: runs that continue as new, attempts, and both.

import { continueAsNew, sleep, startChild, workflow, workflowInfo } from "everstep";
import { type TestEnvironment, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { leftOf } from "../../sdk/protocol/run-limits.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";

const HOUR = 3_600_000;

async function open(workflows: readonly AnyWorkflow[]): Promise<TestEnvironment> {
  const env = await testEnvironment({ workflows });
  onTestFinished(() => env.stop());
  return env;
}

/** The runs of a workflow id, from the first. */
async function runsOf(env: TestEnvironment, workflowId: string) {
  const { runs } = await env.client.list({ workflowId });
  return runs.toReversed();
}

const rounds = workflow("rounds", async (round: number): Promise<never> => {
  await sleep("2h");
  return continueAsNew(round + 1);
});

test("a chain is closed when its time is up, in whichever of its runs", async () => {
  const env = await open([rounds]);
  const run = await env.client.start(rounds, { id: "a", input: 1, chainTimeout: "7h" });
  await expect(run.result()).rejects.toMatchObject({ status: "timedOut" });
  const runs = await runsOf(env, "a");
  expect(runs.map(({ status }) => status)).toEqual([...Array(3).fill("continuedAsNew"), "timedOut"]);
  const begunAt = runs[0]?.startedAt ?? 0;
  // All of them know the same end.
  for (const { deadlineAt } of runs) expect((deadlineAt ?? 0) - begunAt).toBeGreaterThanOrEqual(7 * HOUR);
  for (const { deadlineAt } of runs) expect((deadlineAt ?? 0) - begunAt).toBeLessThan(7 * HOUR + 1_000);
});

test("a run has its own limit within that of the chain", async () => {
  const env = await open([rounds]);
  const run = await env.client.start(rounds, { id: "a", input: 1, timeout: "3h", chainTimeout: "5h" });
  await expect(run.result()).rejects.toMatchObject({ status: "timedOut" });
  const runs = await runsOf(env, "a");
  const lefts = runs.map(({ startedAt, deadlineAt }) => Math.round(((deadlineAt ?? 0) - startedAt) / HOUR));
  expect(lefts).toEqual([3, 3, 1]);
});

test("attempts and continued runs share it, and a pause that would pass it is not begun", async () => {
  const fails = workflow("fails", async (round: number): Promise<never> => {
    const { attempt, chainDeadlineAt, startedAt } = workflowInfo();
    seen.push(`${round}.${attempt}: ${Math.round(((chainDeadlineAt?.getTime() ?? 0) - startedAt.getTime()) / HOUR)}h`);
    await sleep("1h");
    if (attempt === 2) return continueAsNew(round + 1);
    throw new Error("again");
  });
  const seen: string[] = [];
  const env = await open([fails]);
  const retry = { initialInterval: "1h", backoff: "fixed", jitter: 0 } as const;
  const run = await env.client.start(fails, { id: "a", input: 1, retry, chainTimeout: "7.25h" });
  await expect(run.result()).rejects.toMatchObject({ status: "failed", cause: { message: "again" } });
  expect([...new Set(seen)]).toEqual(["1.1: 7h", "1.2: 6h", "2.1: 4h", "2.2: 3h", "3.1: 1h"]);
  expect((await runsOf(env, "a")).map(({ status }) => status).at(-1)).toBe("failed");
});

test("a child has one of its own, and what it continues as", async () => {
  const parent = workflow("parent", async () => {
    const { result } = startChild(rounds, { id: "child", input: 1, chainTimeout: "3h" });
    return result.catch((error) => `${error.cause}`);
  });
  const env = await open([parent, rounds]);
  const run = await env.client.start(parent);
  expect(await run.result()).toContain("open longer than");
  expect((await runsOf(env, "child")).map(({ status }) => status)).toEqual(["continuedAsNew", "timedOut"]);
});

test("a fork has what the run that it is of had when it was started", async () => {
  const env = await open([rounds]);
  const run = await env.client.start(rounds, { id: "a", input: 1, chainTimeout: "3h" });
  await run.result().catch(() => {});
  const last = (await runsOf(env, "a")).at(-1);
  const fork = await env.client.get(rounds, "a", last?.runId).fork({ at: 1, id: "b" });
  await expect(fork.result()).rejects.toMatchObject({ status: "timedOut" });
  const [forked, ...later] = await runsOf(env, "b");
  expect(later).toEqual([]);
  expect(Math.round(((forked?.deadlineAt ?? 0) - (forked?.startedAt ?? 0)) / HOUR)).toBe(1);
});

test("a fork of a later attempt has what was left when that attempt was started", async () => {
  const fails = workflow("fails", async () => {
    await sleep("2h");
    throw new Error("again");
  });
  const env = await open([fails]);
  const retry = { maxAttempts: 2, initialInterval: "1s" } as const;
  const run = await env.client.start(fails, { id: "a", retry, chainTimeout: "6h" });
  await run.result().catch(() => {});
  const [, second] = await runsOf(env, "a");
  const fork = await env.client.get(fails, "a", second?.runId).fork({ at: 1, id: "b" });
  const { startedAt, deadlineAt } = await fork.describe();
  expect(Math.round(((deadlineAt ?? 0) - startedAt) / HOUR)).toBe(4);
});

test("what is left is told in whole milliseconds, never less than there is, and never nothing", () => {
  expect(leftOf(1_000, 5_000, 5_400.25)).toBe(600);
  expect(leftOf(1_000, 5_000, 6_000)).toBe(1);
  expect(leftOf(1_000, 5_000, 9_000)).toBe(1);
});

test("a limit is longer than nothing", async () => {
  const env = await open([rounds]);
  await expect(env.client.start(rounds, { input: 1, chainTimeout: 0 })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
  });
  const info = workflow("info", async () => workflowInfo().chainDeadlineAt);
  expect(await (await open([info])).client.start(info).then((run) => run.result())).toBeUndefined();
});
