// Retention through real workers: closed runs go, open ones stay, and nothing goes that nobody said so of.

import { expect, test } from "vitest";
import { defineSignal, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";

const go = defineSignal("go");
const kept = workflow("kept", async () => "kept");
const brief = workflow("brief", async (waits: boolean) => (waits ? go.receive() : undefined), { retention: "10ms" });

const isGone = (error: { readonly code?: string }) => error.code === "RUN_NOT_FOUND";

test("closed runs of a workflow with a retention are deleted, by whichever workers", async () => {
  const house = openHouse();
  for (const _ of [1, 2]) await house.startWorker([kept, brief], { pruneEveryMs: 20 });
  const forever = await house.client.start(kept);
  const open = await house.client.start(brief, { input: true });
  const closed = await Promise.all([1, 2, 3].map(() => house.client.start(brief, { input: false })));
  for (const run of closed) {
    await eventually("the closed run is gone", () => run.describe().then(() => false, isGone));
  }
  expect((await open.describe()).status).toBe("running");
  expect(await forever.result()).toBe("kept");
  await open.signal(go);
  await eventually("the last one is gone as well", () => open.describe().then(() => false, isGone));
  expect((await house.client.list({ workflow: "brief" })).runs).toEqual([]);
  expect(await house.client.count()).toBe(1);
});

test("handles of a run that was deleted say that there is none", async () => {
  const house = openHouse();
  await house.startWorker([kept]);
  const run = await house.client.start(kept);
  expect(await run.result()).toBe("kept");
  const { runId, workflowId } = run;
  await eventually("a moment has passed", async () => {
    return (await house.client.prune({ closedFor: "1ms", isDryRun: true })).runs === 1;
  });
  expect(await house.client.prune({ closedFor: "1 day" })).toEqual({ runs: 0, events: 0 });
  expect(await house.client.prune({ closedFor: "1ms", workflow: "other" })).toEqual({ runs: 0, events: 0 });
  expect(await house.client.prune({ closedFor: "1ms" })).toEqual({ runs: 1, events: 2 });
  for (const handle of [house.client.get(kept, workflowId), house.client.get(kept, workflowId, runId)]) {
    const calls = [handle.result(), handle.describe(), handle.signal(go), handle.cancel(), handle.terminate()];
    for (const answer of await Promise.allSettled(calls)) {
      expect(answer).toMatchObject({ status: "rejected", reason: { code: "RUN_NOT_FOUND" } });
    }
  }
});
