// Runs whose sagas have undone what they did: a fork does not count on it unseen.

import { expect, test } from "vitest";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { defineSignal, PermanentError, saga, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { houseWithGate } from "../support/gated-house.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const go = defineSignal("go");

/** Books a flight and a hotel, and undoes it all while there is no car. */
function trip() {
  const state = { hasCar: false, canUndo: true, made: [] as string[] };
  const make = (name: string, works = () => true) =>
    step(name, () => {
      state.made.push(name);
      if (!works()) throw new PermanentError(`no ${name}`);
    });
  const main = workflow("trip", async () => {
    await make("look");
    return saga(async (undo) => {
      for (const part of ["flight", "hotel"]) {
        await make(part);
        undo.add(part, () => make(`undo ${part}`, () => state.canUndo));
      }
      await make("car", () => state.hasCar);
      return "booked";
    });
  });
  return { state, main };
}

async function undone() {
  const house = openHouse();
  const { state, main } = trip();
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  state.hasCar = true;
  state.made.length = 0;
  return { state, main, run };
}

const seqOf = async (run: RunHandle, type: string, name?: string) =>
  (await historyOf(run)).find(
    (event) => event.type === type && (name === undefined || ("name" in event && event.name === name)),
  )?.seq ?? 0;

test("that a saga undoes something is told before the first step of it, with where it began", async () => {
  const { main, run } = await undone();
  const events = await historyOf(run);
  expect(events.map((event) => ("name" in event ? `${event.type} ${event.name}` : event.type))).toEqual([
    "RunStarted",
    "StepCompleted look",
    "StepCompleted flight",
    "StepCompleted hotel",
    "StepFailed car",
    "CompensationBegun",
    "StepCompleted undo hotel",
    "StepCompleted undo flight",
    "RunFailed",
  ]);
  expect(events[5]).toMatchObject({ type: "CompensationBegun", since: 2 });
  expect((await replay(main, events)).failure).toContain("no car");
});

test("a step is not made again on what was undone since: the error names the event to go back to", async () => {
  const { state, run } = await undone();
  const refused = {
    code: "ARGUMENT_INVALID",
    message: `Run ${run.workflowId} is not forked at event 4: since event 6 its saga undoes what was done after event 2, and the fork would count on it. Go back to before that, reset({ at: 2 }), or say { undone: "share" }.`,
    details: { runId: run.runId, argument: "undone", at: 2 },
  };
  await expect(run.retryFrom()).rejects.toMatchObject(refused);
  await expect(run.reset({ at: 4 })).rejects.toMatchObject(refused);
  await expect(run.fork({ id: "copy", at: 5, result: "by hand" })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  expect(await typesOf(run)).not.toContain("RunTerminated");
  const again = await run.reset({ at: 2 });
  expect(await again.result()).toBe("booked");
  expect(state.made).toEqual(["flight", "hotel", "car"]);
});

test("who knows better says so", async () => {
  const { state, run } = await undone();
  const retried = await run.retryFrom(undefined, { undone: "share" });
  expect(await retried.result()).toBe("booked");
  expect(state.made).toEqual(["car"]);
  const perhaps = () => run.retryFrom("car", { undone: "perhaps" as "share" });
  expect(perhaps).toThrow(expect.objectContaining({ code: "ARGUMENT_INVALID" }));
});

test("a compensation that failed is made again: its fork knows that it undoes", async () => {
  const house = openHouse();
  const { state, main } = trip();
  state.canUndo = false;
  await house.startWorker([main]);
  const run = await house.client.start(main);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  Object.assign(state, { canUndo: true, made: [] });
  const retried = await run.retryFrom("undo hotel");
  await expect(retried.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  expect(state.made).toEqual(["undo hotel", "undo flight"]);
  expect((await typesOf(retried)).filter((type) => type === "CompensationBegun")).toHaveLength(1);
});

test("of sagas in each other the outer one says how far to go back; one that undid nothing says nothing", async () => {
  const house = openHouse();
  const nested = workflow("nested", async () => {
    await step("look", () => {});
    return saga(async (outer) => {
      await step("a", () => {});
      outer.add("a", () => step("undo a", () => {}));
      await saga(async () => step("nothing to undo", () => Promise.reject(new PermanentError("no")))).catch(() => {});
      return saga(async (inner) => {
        await step("b", () => {});
        inner.add("b", () => step("undo b", () => {}));
        throw new Error("no luck");
      });
    });
  });
  await house.startWorker([nested]);
  const run = await house.client.start(nested);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  const marks = (await historyOf(run)).filter(({ type }) => type === "CompensationBegun");
  const ended = await seqOf(run, "StepFailed", "nothing to undo");
  expect(marks).toMatchObject([{ since: ended }, { since: 2 }]);
  const b = await seqOf(run, "StepCompleted", "b");
  await expect(run.fork({ at: b })).rejects.toMatchObject({ details: { at: 2 } });
  await expect(run.retryFrom("nothing to undo")).rejects.toMatchObject({ details: { at: 2 } });
});

test("no compensation begins before the history says so, also where the worker is lost in between", async () => {
  const bodies: string[] = [];
  const { house, open, kept } = houseWithGate("CompensationBegun");
  const main = workflow("canceled", async () =>
    saga(async (undo) => {
      undo.add("a", () => step("undo a", () => void bodies.push("undo a")));
      await go.receive();
    }),
  );
  const first = await house.startWorker([main]);
  const run = await house.client.start(main);
  await run.cancel("enough");
  await eventually("the mark is on its way", () => kept.length > 0);
  expect(bodies).toEqual([]);
  await first.stop(0);
  open();
  await house.startWorker([main]);
  await expect(run.result()).rejects.toMatchObject({ code: "RUN_FAILED" });
  expect(bodies).toEqual(["undo a"]);
  expect((await typesOf(run)).filter((type) => type === "CompensationBegun")).toHaveLength(1);
});
