// Children whose workflow id is taken: by the open run that stands for them, or makes room.

import { defineSignal, executeChild, sleep, startChild, step, workflow, workflowInfo } from "everstep";
import { collectHistory, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { replay } from "../support/replaying.ts";

const go = defineSignal<string>("go");

async function open(workflows: TestEnvironmentOptions["workflows"]) {
  const env = await testEnvironment({ workflows });
  onTestFinished(() => env.stop());
  return env;
}

const shared = workflow("shared", async (word: string) => `${word} and ${await go.receive()}`);

const uses = workflow("uses", async () => {
  const child = startChild(shared, { id: "shared", input: "mine", onConflict: "useExisting" });
  return [await child.started, await child.result];
});

test("the open run stands for the child: its id, its signals, its result", async () => {
  const env = await open([shared, uses]);
  const run = await env.client.start(shared, { id: "shared", input: "theirs" });
  const parents = await Promise.all([1, 2].map(() => env.client.start(uses)));
  await env.advance(0);
  await run.signal(go, "on");
  for (const parent of parents) expect(await parent.result()).toEqual([run.runId, "theirs and on"]);
  const { events } = await collectHistory(run);
  expect(events.map(({ type }) => type)).toEqual([
    "RunStarted",
    "RunAdopted",
    "RunAdopted",
    "SignalReceived",
    "RunCompleted",
  ]);
  for (const [code, handle] of [[shared, run], ...parents.map((parent) => [uses, parent])] as const) {
    const history = await collectHistory(handle as typeof run);
    for (let length = 1; length <= history.events.length; length++) {
      const again = await replay(code as never, history.events.slice(0, length));
      await again.redeliver(history.events.slice(length));
      expect(again.engine.broken?.message).toBeUndefined();
    }
  }
});

test("without one, the child is started, and it is the parent's own", async () => {
  const env = await open([shared, uses]);
  const parent = await env.client.start(uses);
  await env.advance(0);
  await parent.terminate();
  await env.advance(0);
  expect(await env.client.getUntyped("shared").describe()).toMatchObject({ status: "terminated" });
});

test("neither the end of the parent nor its cancellation touches a run that was there before", async () => {
  const env = await open([shared, uses]);
  const run = await env.client.start(shared, { id: "shared", input: "theirs" });
  const [canceled, ended] = [await env.client.start(uses), await env.client.start(uses)];
  await env.advance(0);
  await canceled.cancel();
  await expect(canceled.result()).rejects.toMatchObject({ status: "canceled" });
  await ended.terminate();
  await env.advance(0);
  expect(await run.describe()).toMatchObject({ status: "running" });
  await run.signal(go, "on");
  expect(await run.result()).toBe("theirs and on");
});

test("a parent that is canceled before it knows leaves the run alone, too", async () => {
  const env = await open([shared, uses]);
  const run = await env.client.start(shared, { id: "shared", input: "theirs" });
  const parent = await env.client.start(uses);
  await parent.cancel();
  await expect(parent.result()).rejects.toMatchObject({ status: "canceled" });
  await env.advance("1h");
  expect(await run.describe()).toMatchObject({ status: "running" });
  const { events } = await collectHistory(run);
  expect(events.some(({ type }) => type === "CancelRequested")).toBe(false);
});

test("a parent that is tried again finds the child it abandoned, and its chain to the end", async () => {
  const long = workflow("long", async (round: number): Promise<number> => {
    await sleep("10h");
    return round === 2 ? round : long.continueAsNew(round + 1);
  });
  const tries = workflow(
    "tries",
    async () => {
      const options = { id: "long", input: 0, onConflict: "useExisting", parentClosePolicy: "abandon" } as const;
      const child = startChild(long, options);
      await child.started;
      if (workflowInfo().attempt < 3) throw new Error("again");
      return child.result;
    },
    { retry: { initialInterval: "7h", jitter: 0 } },
  );
  const env = await open([long, tries]);
  expect(await (await env.client.start(tries, { id: "tries" })).result()).toBe(2);
  const { runs } = await env.client.list({ workflowId: "long" });
  expect(runs.map(({ status }) => status)).toEqual(["completed", "continuedAsNew", "continuedAsNew"]);
});

test("terminateExisting makes room, and a run is not its own child", async () => {
  const takes = workflow("takes", async (id: string) => {
    const child = executeChild(shared, { id, input: "mine", onConflict: "terminateExisting" });
    return child.catch((error: { code: string }) => error.code);
  });
  const env = await open([shared, takes]);
  const run = await env.client.start(shared, { id: "shared", input: "theirs" });
  const parent = await env.client.start(takes, { input: "shared" });
  await env.advance(0);
  await expect(run.result()).rejects.toMatchObject({ status: "terminated" });
  await env.client.getUntyped("shared").signal(go, "on");
  expect(await parent.result()).toBe("mine and on");
  const own = await env.client.start(takes, { id: "own", input: "own" });
  expect(await own.result()).toBe("RUN_ALREADY_STARTED");
});

test("a run that is waited for may be anything, and fail", async () => {
  const fails = workflow("fails", async () => {
    await go.receive();
    await step("break", () => Promise.reject(new RangeError("broken")), { retry: { maxAttempts: 1 } });
  });
  const waits = workflow("waits", async () => {
    const result = executeChild(shared, { id: "any", input: "mine", onConflict: "useExisting" });
    return result.catch((error: Error) => [error.name, (error.cause as Error).name]);
  });
  const env = await open([fails, waits, shared]);
  const run = await env.client.start(fails, { id: "any" });
  const parent = await env.client.start(waits);
  await env.advance(0);
  await run.signal(go, "on");
  expect(await parent.result()).toEqual(["ChildFailure", "StepFailure"]);
});

test("what is no way to deal with a conflict is refused", async () => {
  const bad = workflow("bad", async () => executeChild(shared, { input: "x", onConflict: "replace" as never }));
  const env = await open([bad, shared]);
  await expect((await env.client.start(bad)).result()).rejects.toMatchObject({ cause: { code: "ARGUMENT_INVALID" } });
});
