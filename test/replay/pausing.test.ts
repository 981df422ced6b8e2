// Runs that are told to stand still, through real workers: what is under way is finished and kept, nothing else begins, and
// what came meanwhile is there when they go on.

import { expect, test } from "vitest";
import type { WorkerLoop } from "../../runtime/worker/worker-loop.ts";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import {
  defineQuery,
  defineSignal,
  defineUpdate,
  PermanentError,
  saga,
  sleep,
  step,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const note = defineSignal<number>("note");
const add = defineUpdate<number, number>("add");
const seen = defineQuery<number[]>("seen");

const collect = workflow("collect", async () => {
  const got: number[] = [];
  seen.handle(() => got);
  add.handle((n) => got.push(n));
  while (!got.includes(9)) got.push(await note.receive());
  return got;
});

async function letGo(worker: WorkerLoop): Promise<void> {
  await eventually("the worker has let go", () => worker.stats.liveRuns === 0);
}

async function paused(house: House): Promise<{ run: RunHandle<number[]>; worker: WorkerLoop }> {
  const worker = await house.startWorker([collect]);
  const run = await house.client.start(collect);
  await run.signal(note, 1);
  await eventually("the signal is taken", async () => (await run.query(seen)).length === 1);
  await run.pause("maintenance");
  await letGo(worker);
  return { run, worker };
}

/** Its first step stays under way until it is told to end. */
async function pausedInStep(house: House) {
  const bodies: { release: () => void }[] = [];
  const main = workflow("held", async () => {
    await step("first", () => new Promise<void>((release) => bodies.push({ release })));
    return step("second", () => "done");
  });
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the step is under way", () => bodies.length === 1);
  await run.pause();
  return { run, worker, main, bodies };
}

test("a paused run takes no signals and answers queries, and goes on where it was", async () => {
  const { run } = await paused(openHouse());
  await run.signal(note, 2);
  await run.signal(note, 9);
  expect(await run.describe()).toMatchObject({ status: "running", paused: { reason: "maintenance" }, unreadMail: 2 });
  expect((await run.describe()).summary).toContain("Paused since");
  expect(await run.query(seen)).toEqual([1]);
  await run.resume();
  expect(await run.result()).toEqual([1, 2, 9]);
  const history = await historyOf(run);
  expect(history.map(({ type }) => type)).toEqual([
    "RunStarted",
    "SignalReceived",
    "RunPaused",
    "SignalReceived",
    "SignalReceived",
    "RunResumed",
    "RunCompleted",
  ]);
  expect((await replay(collect, history)).result).toEqual([1, 2, 9]);
});

test("the body that is under way may end, is recorded, and nothing follows it", async () => {
  const { run, worker, bodies } = await pausedInStep(openHouse());
  await eventually("the pause is in the history", async () => (await typesOf(run)).includes("RunPaused"));
  expect(worker.stats.liveRuns).toBe(1);
  bodies[0]?.release();
  await letGo(worker);
  expect(await typesOf(run)).toEqual(["RunStarted", "RunPaused", "StepCompleted"]);
  await run.resume();
  expect(await run.result()).toBe("done");
  expect(bodies).toHaveLength(1);
});

test("a run that is resumed while its last body is under way goes on where it is", async () => {
  const { run, worker, bodies } = await pausedInStep(openHouse());
  await eventually("the pause is in the history", async () => (await typesOf(run)).includes("RunPaused"));
  await run.resume();
  await eventually("so is its end", async () => (await typesOf(run)).includes("RunResumed"));
  bodies[0]?.release();
  expect(await run.result()).toBe("done");
  expect(worker.stats.claimed).toBe(1);
});

test("where the code began does not hang on a pause that came into the history after that", async () => {
  const house = openHouse();
  let release = () => {};
  const main = workflow("undoing", () =>
    saga(async (undo) => {
      undo.add("all", () => step("undo", () => {}));
      await step(`first at ${workflowInfo().historyLength}`, () => new Promise<void>((ends) => (release = ends)));
      throw new PermanentError("no luck");
    }),
  );
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  await run.pause();
  await eventually("the pause is in the history", async () => (await typesOf(run)).includes("RunPaused"));
  release();
  await letGo(worker);
  await run.resume();
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  expect((await historyOf(run)).find(({ type }) => type === "CompensationBegun")).toMatchObject({ since: 1 });
});

test("a run does not end while it is paused", async () => {
  const house = openHouse();
  let release = () => {};
  const main = workflow("last", () =>
    step(
      "last",
      () =>
        new Promise<void>((resolve) => {
          release = resolve;
        }),
    ),
  );
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  await run.pause();
  await eventually("the pause is in the history", async () => (await typesOf(run)).includes("RunPaused"));
  release();
  await letGo(worker);
  expect((await typesOf(run)).at(-1)).toBe("StepCompleted");
  await run.resume();
  await run.result();
  expect((await typesOf(run)).at(-1)).toBe("RunCompleted");
});

test("a timer that falls due in the pause fires after it", async () => {
  const house = openHouse();
  const main = workflow("sleeper", async () => {
    await sleep(100);
    return "awake";
  });
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  await eventually("the timer has begun", async () => (await typesOf(run)).includes("TimerStarted"));
  await run.pause();
  await letGo(worker);
  await eventually("its time has come", async () => Date.now() > ((await historyOf(run)).at(1)?.at ?? 0) + 120);
  expect(await typesOf(run)).not.toContain("TimerFired");
  await run.resume();
  expect(await run.result()).toBe("awake");
});

test("an update that is sent to a paused run waits for its end", async () => {
  const { run } = await paused(openHouse());
  const sent = await run.update(add, 5, { waitFor: "stored" });
  await run.resume();
  expect(await sent.result()).toBe(2);
  await run.signal(note, 9);
  expect(await run.result()).toEqual([1, 5, 9]);
});

test("runs that nobody executes are paused too, and not begun", async () => {
  const house = openHouse();
  const run = await house.client.start(collect);
  await run.signal(note, 9);
  await run.pause();
  const worker = await house.startWorker([collect]);
  const other = await house.client.start(collect);
  await other.signal(note, 9);
  await other.result();
  expect(worker.stats.claimed).toBe(1);
  expect((await house.client.list({ where: { isPaused: true } })).runs.map(({ runId }) => runId)).toEqual([run.runId]);
  await run.resume();
  expect(await run.result()).toEqual([9]);
  expect(await typesOf(run)).toEqual(["RunStarted", "SignalReceived", "RunPaused", "RunResumed", "RunCompleted"]);
});

test("a pause survives the worker that was told of it", async () => {
  const house = openHouse();
  const { run, worker, main, bodies } = await pausedInStep(house);
  await worker.stop(0);
  const next = await house.startWorker([main, collect]);
  const other = await house.client.start(collect);
  await other.signal(note, 9);
  await other.result();
  expect(next.stats.claimed).toBe(1);
  await run.resume();
  await eventually("the step is under way again", () => bodies.length === 2);
  bodies[1]?.release();
  expect(await run.result()).toBe("done");
});

test("what does not apply changes nothing, and a closed run says so", async () => {
  const { run } = await paused(openHouse());
  await run.pause("again");
  expect((await run.describe()).paused?.reason).toBe("maintenance");
  await run.resume();
  await run.resume();
  await run.unblock();
  await run.signal(note, 9);
  await run.result();
  await expect(run.pause()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await expect(run.resume()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  expect((await typesOf(run)).filter((type) => type === "RunResumed")).toHaveLength(1);
});
