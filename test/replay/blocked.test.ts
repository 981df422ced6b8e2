// A run that cannot go on is set aside with the reason, its history untouched, and goes on when a fitting worker comes.

import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import type { RunDescription } from "../../sdk/client/front-door.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineQuery, defineSignal, step, workflow } from "../../sdk/index.ts";
import { toRecord } from "../../sdk/protocol/event-record.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { changingHistories, withCalls } from "../support/store-calls.ts";

const go = defineSignal<string>("go");
const HERE = fileURLToPath(import.meta.url);

const fitting = workflow("order", async () => {
  const reserved = await step("reserve", () => "reserved");
  const word = await go.receive();
  return `${reserved} ${word}`;
});

const changed = workflow("order", async () => {
  await step("hold", () => "held");
  return await go.receive();
});

async function blocked(run: RunHandle): Promise<RunDescription> {
  const seen = await eventually("the run is blocked", async () => {
    const described = await run.describe();
    return described.status === "blocked" ? described : null;
  });
  if (seen === null) throw new Error("eventually answers with the fact");
  return seen;
}

test("a divergence blocks the run, and a fitting worker carries it on", async () => {
  const house = openHouse();
  const first = await house.startWorker([fitting]);
  const run = await house.client.start(fitting, { id: "order-42" });
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await first.stop();
  const before = await historyOf(run);

  const second = await house.startWorker([changed]);
  const { blocked: reason, summary } = await blocked(run);
  expect(reason?.kind).toBe("divergence");
  expect(reason?.message).toContain('Event 2 is StepCompleted("reserve") for command 1');
  expect(reason?.message).toContain('the code asked for RunStep("hold") as command 1');
  expect(reason?.message).toContain(HERE);
  expect(summary).toContain("blocked");
  expect(await historyOf(run)).toEqual(before);
  expect(house.log.at("error").join()).toContain("run blocked");

  await run.signal(go, "shipped");
  await second.stop();
  await house.startWorker([fitting]);
  expect(await run.result()).toBe("reserved shipped");
  expect((await historyOf(run)).slice(0, before.length)).toEqual(before);
});

test("a worker tries a run that it blocked itself only once", async () => {
  const house = openHouse();
  const first = await house.startWorker([fitting]);
  const run = await house.client.start(fitting);
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await first.stop();
  const second = await house.startWorker([changed]);
  await blocked(run);
  const other = await house.client.start(changed);
  await other.signal(go, "x");
  await other.result();
  expect(second.stats.blocked).toBe(1);
});

test("a run of an unknown workflow waits for a worker that has it", async () => {
  const house = openHouse();
  const stranger = await house.startWorker([workflow("invoice", async () => {})]);
  const run = await house.client.start(fitting, { id: "order-7" });
  const { blocked: reason } = await blocked(run);
  expect(reason).toMatchObject({
    kind: "unknownWorkflow",
    message:
      'Run order-7 is of workflow "order", which this worker does not have (it has: "invoice"). Start a worker that has it, and the run goes on.',
  });
  await stranger.stop();
  await house.startWorker([fitting]);
  await run.signal(go, "shipped");
  expect(await run.result()).toBe("reserved shipped");
});

test("an event type of a newer release blocks the run until that release is back", async () => {
  const newer = { seq: 2, type: 99, at: 0, command: null, name: null, payload: null, data: null };
  let isNewer = true;
  const house = openHouse({
    wrapStore: (store) =>
      withCalls(
        store,
        changingHistories(store, (events) =>
          isNewer && events.length > 1 ? [...events.slice(0, 1), newer, ...events.slice(2)] : events,
        ),
      ),
  });
  const run = await house.client.start(fitting, { id: "order-8" });
  isNewer = false;
  const first = await house.startWorker([fitting]);
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await first.stop();
  isNewer = true;
  const old = await house.startWorker([fitting]);
  const { blocked: reason } = await blocked(run);
  expect(reason?.message).toBe(
    "Run order-8 has an event of a type (99, seq 2) that this release does not know. Deploy the release that wrote it, or a newer one.",
  );
  await old.stop();
  isNewer = false;
  await house.startWorker([fitting]);
  await run.signal(go, "shipped");
  expect(await run.result()).toBe("reserved shipped");
});

test("a foreign wait is reported by its name and its place, and a repaired workflow goes on", async () => {
  const house = openHouse();
  const foreign = workflow("order", async () => {
    const reserved = await step("reserve", () => "reserved");
    await new Promise((resolve) => setTimeout(resolve, 3_600_000).unref());
    return reserved;
  });
  const first = await house.startWorker([foreign]);
  const run = await house.client.start(foreign, { id: "order-9" });
  const { blocked: reason } = await blocked(run);
  expect(reason?.kind).toBe("foreignWait");
  expect(reason?.message).toContain('after RunStep("reserve"), command 1 (at ');
  expect(reason?.message).toContain(HERE);
  await first.stop();
  await house.startWorker([fitting]);
  await run.signal(go, "shipped");
  expect(await run.result()).toBe("reserved shipped");
});

test("an input that cannot be read blocks the run instead of failing it", async () => {
  const house = openHouse();
  const ask = workflow("ask", async (input: { name: string }) => input.name);
  const worker = await house.startWorker([ask]);
  const { runId } = await startWithInput(house, "ask", '{"name":');
  const run = house.client.get(ask, runId, runId);
  const { blocked: reason } = await blocked(run);
  expect(reason).toMatchObject({
    kind: "unreadablePayload",
    message: expect.stringContaining(`input of run ${runId}`),
  });
  expect(worker.stats.blocked).toBe(1);
});

test("a query of a blocked run says why it cannot be answered", async () => {
  const status = defineQuery<string>("status");
  const house = openHouse();
  const first = await house.startWorker([fitting]);
  const run = await house.client.start(fitting);
  await eventually("the step is done", async () => (await typesOf(run)).includes("StepCompleted"));
  await first.stop();
  await house.startWorker([changed]);
  await blocked(run);
  await expect(run.query(status)).rejects.toMatchObject({
    code: "DIVERGENCE",
    message: expect.stringContaining("hold"),
  });
});

async function startWithInput(house: ReturnType<typeof openHouse>, name: string, payload: string) {
  const runId = "01JZ0000000000000000000009";
  await house.store.startRuns([
    {
      runId,
      workflowId: runId,
      workflow: name,
      queue: "default",
      started: toRecord({ type: "RunStarted", workflow: name, input: payload, seed: "s" }),
      requestId: null,
      onConflict: "fail",
      onReuse: "allow",
      delayMs: 0,
      timeoutMs: null,
      mail: null,
      claim: null,
    },
  ]);
  return { runId };
}
