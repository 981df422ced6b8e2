// A history as a file: it holds all of a run, and replays.

import { expect, test } from "vitest";
import { replayHistory } from "../../runtime/testing/replay-history.ts";
import { defineSignal, sleep, step, upsertMemo, withLock, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { openHouse, typesOf } from "../support/local-worker.ts";

const note = defineSignal<number>("note");

test("the file of a closed run replays as it is, through JSON, and says what it is", async () => {
  const house = openHouse();
  const main = workflow("main", async () => {
    upsertMemo({ a: new Date(1) });
    await Promise.all([step("one", () => new Map([[1, 2]])), sleep("1ms")]);
    return note.receive();
  });
  await house.startWorker([main]);
  const run = await house.client.start(main, { memo: { started: true } });
  await run.signal(note, 5);
  expect(await run.result()).toBe(5);
  const file = await run.export();
  const { workflowId, runId, startedAt, closedAt } = await run.describe();
  const events = await house.store.readHistory(runId, 0, 100);
  expect(file).toEqual({
    format: "everstep.history",
    version: 1,
    workflow: "main",
    workflowId,
    runId,
    queue: "default",
    startedAt,
    closedAt,
    deadlineAt: null,
    events,
    mail: [],
  });
  await replayHistory(main, JSON.stringify(file));
  const renamed = workflow("main", async () => step("two", () => 1));
  await expect(replayHistory(renamed, file)).rejects.toMatchObject({ code: "DIVERGENCE" });
});

test("the file of an open run has the mail that it has not taken", async () => {
  const house = openHouse();
  const run = await house.client.start(workflow("main", async () => note.receive()));
  await run.signal(note, 5, { signalId: "first" });
  await run.cancel("enough");
  expect((await run.export()).mail).toEqual([
    { mail: 1, kind: "signal", mailId: "signal:first", name: "note", payload: "5" },
    { mail: 2, kind: "cancel", mailId: "cancel", name: "enough", payload: null },
  ]);
  expect((await run.export()).closedAt).toBeNull();
});

test("what ended a step from outside or granted a lock is taken: it is not in the file, which goes on elsewhere", async () => {
  const [house, elsewhere] = [openHouse(), openHouse()];
  const main = workflow("main", async () => {
    await withLock("key", async () => {});
    const signed = await step<string>("sign", ({ completeLater }) => completeLater());
    return [signed, await note.receive()];
  });
  const worker = await house.startWorker([main]);
  const run = await house.client.start(main);
  const reaches = (type: string) => eventually(`a ${type}`, async () => (await typesOf(run)).includes(type));
  await reaches("LockReleased");
  await reaches("StepDeferred");
  const waiting = await run.export();
  await run.completeStep("sign", "Ann");
  await reaches("StepCompleted");
  await worker.stop(0);
  const file = await run.export();
  expect([waiting.mail, file.mail]).toEqual([[], []]);
  const copy = await elsewhere.client.importRun(file);
  await elsewhere.startWorker([main]);
  await copy.signal(note, 5);
  expect(await copy.result()).toEqual(["Ann", 5]);
  expect(await typesOf(copy)).not.toContain("StepReported");
});

test("a file of a later form is not taken for one of this", async () => {
  const house = openHouse();
  const main = workflow("main", async () => 1);
  const run = await house.client.start(main);
  const file = { ...(await run.export()), version: 2 };
  await expect(replayHistory(main, file)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("there is no file of a run that is not there", async () => {
  const house = openHouse();
  await expect(house.client.getUntyped("nobody").export()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});
