// What passes from a run to the one that continues it, and what does not: updates, attributes and memo, patches; and what is
// kept of a chain.

import { expect, test } from "vitest";
import {
  condition,
  defineAttributes,
  defineSignal,
  defineUpdate,
  executeChild,
  patched,
  type StandardSchema,
  startChild,
  step,
  upsertAttributes,
  upsertMemo,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const go = defineSignal("go");
const add = defineUpdate<string, number>("add");
const data = defineAttributes({ customer: "keyword", rounds: "int" });

/** Takes one update per run, and says in which round. */
const oneEach = workflow("oneEach", async (got: number[]): Promise<number[]> => {
  let isTaken = got.length === 3;
  add.handle(
    (n) => {
      got.push(n);
      isTaken = true;
      return `${n} in round ${got.length}`;
    },
    {
      validate: (n) => {
        if (n < 0) throw new RangeError("below zero");
      },
    },
  );
  await condition(() => isTaken);
  return got.length === 3 ? got : oneEach.continueAsNew(got);
});

test("updates that a run has not come to are answered by the next, in order, each once", async () => {
  const house = openHouse();
  const run = await house.client.start(oneEach, { input: [], id: "chain" });
  const sent = [1, -1, 2, 3].map((n) => run.update(add, n, { updateId: `u${n}`, waitFor: "stored" }));
  const answers = (await Promise.all(sent)).map((handle) => handle.result().catch((error) => error.code));
  await house.startWorker([oneEach]);
  expect(await Promise.all(answers)).toEqual(["1 in round 1", "UPDATE_REJECTED", "2 in round 2", "3 in round 3"]);
  expect(await run.result()).toEqual([1, 2, 3]);
  for (const handle of [run, house.client.get(oneEach, "chain", run.runId)]) {
    expect(await handle.getUpdate(add, "u3").result()).toBe("3 in round 3");
    await expect(handle.getUpdate(add, "u-1").result()).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  }
  await expect(run.getUpdate(add, "u9").result()).rejects.toMatchObject({ code: "UPDATE_NOT_FOUND" });
});

test("updates sent while runs hand over, to two workers, are answered once each", async () => {
  const house = openHouse();
  const counts = workflow("counts", async (left: number): Promise<number> => {
    let taken = 0;
    add.handle(async (n) => {
      taken++;
      await step("look", () => n);
      return `${n}`;
    });
    await condition(() => taken > 0);
    await condition(() => workflowInfo().historyLength > 4);
    return left <= taken ? 0 : counts.continueAsNew(left - taken);
  });
  for (const _ of [1, 2]) await house.startWorker([counts]);
  const numbers = [...Array(30).keys()];
  const run = await house.client.start(counts, { input: numbers.length, id: "counts" });
  const ends = numbers.map((n) =>
    run.update(add, n, { updateId: `u${n}` }).then(
      (answer) => answer === `${n}`,
      (error) => ["UPDATE_ABANDONED", "RUN_CLOSED"].includes(error.code),
    ),
  );
  await Promise.all(ends);
  const seen: string[] = [];
  for (const { runId } of (await house.client.list({ workflowId: "counts" })).runs) {
    const events = await historyOf(house.client.get(counts, "counts", runId));
    for (const event of events) if (event.type === "UpdateAccepted") seen.push(event.updateId);
    expect((await replay(counts, events)).engine.broken?.message).toBeUndefined();
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(await Promise.all(ends)).toEqual(numbers.map(() => true));
});

test("a handler that is under way when its run continues is abandoned, and its sender is told", async () => {
  const house = openHouse();
  const leaves = workflow("leaves", async (isSecond: boolean): Promise<string> => {
    if (isSecond) return "second";
    let isUnderWay = false;
    add.handle(async () => {
      isUnderWay = true;
      await go.receive();
      return "never";
    });
    await condition(() => isUnderWay);
    return leaves.continueAsNew(true);
  });
  await house.startWorker([leaves]);
  const run = await house.client.start(leaves, { input: false });
  await expect(run.update(add, 1)).rejects.toMatchObject({ code: "UPDATE_ABANDONED" });
  expect(await run.result()).toBe("second");
});

test("attributes and memo are carried over, as they were at the end", async () => {
  const house = openHouse();
  const told = workflow("told", async (round: number): Promise<unknown> => {
    const { attributes, memo } = workflowInfo();
    if (round === 2) return { attributes, memo };
    upsertAttributes(data({ rounds: round, ...(round === 1 && { customer: null }) }));
    upsertMemo({ at: new Date(round), note: round === 0 ? "first" : null });
    return told.continueAsNew(round + 1);
  });
  await house.startWorker([told]);
  const run = await house.client.start(told, { input: 0, id: "told", attributes: data({ customer: "c1" }) });
  expect(await run.result()).toEqual({ attributes: { rounds: 1 }, memo: { at: new Date(1) } });
  const { runs } = await house.client.list({ where: { workflowId: "told", attributes: data.where({ rounds: 1 }) } });
  expect(runs.map(({ status }) => status)).toEqual(["completed", "continuedAsNew"]);
  const last = house.client.get(told, "told", runs[0]?.runId);
  expect((await replay(told, await historyOf(last))).engine.broken?.message).toBeUndefined();
});

test("headers go on with the chain, and to children", async () => {
  const house = openHouse();
  const carries = workflow("carries", async (isFirst?: boolean): Promise<unknown> => {
    if (isFirst !== true) return workflowInfo().headers;
    return carries.continueAsNew(false);
  });
  const parent = workflow("parent", async () => executeChild(carries, { input: true }));
  await house.startWorker([carries, parent]);
  const headers = { tenant: "t1" };
  expect(await (await house.client.start(parent, { headers })).result()).toEqual(headers);
});

test("a run goes the old way of a patch to its end, and the run that continues it the new one", async () => {
  const house = openHouse();
  const main = async (isSecond: boolean, way: () => string): Promise<string> => {
    await step("before", () => {});
    await go.receive();
    return `${isSecond ? "second" : "first"} ${way()}`;
  };
  const old = workflow("changing", async (isSecond: boolean) => main(isSecond, () => "old"));
  const worker = await house.startWorker([old]);
  const run = await house.client.start(old, { input: false, id: "changing" });
  await eventually("it waits", async () => (await run.describe()).pending?.signals.includes("go") === true);
  await worker.stop();
  const ways: string[] = [];
  const changed = workflow("changing", async (isSecond: boolean): Promise<string> => {
    const isNew = patched("way");
    const way = await main(isSecond, () => (isNew ? "new" : "old"));
    ways.push(way);
    return isSecond ? way : changed.continueAsNew(true);
  });
  await house.startWorker([changed]);
  await run.signal(go);
  await eventually("the second waits", async () => (await typesOf(run)).includes("PatchMarked"));
  await run.signal(go);
  expect(await run.result()).toBe("second new");
  expect(new Set(ways)).toEqual(new Set(["first old", "second new"]));
});

test("a chain is kept while it has an open run; handles of a run that is gone say so", async () => {
  const house = openHouse();
  const brief = workflow("brief", async (rounds: number): Promise<string> => {
    await go.receive();
    return rounds === 0 ? "done" : brief.continueAsNew(rounds - 1);
  });
  const lone = workflow("lone", async () => {});
  await house.startWorker([brief, lone]);
  const run = await house.client.start(brief, { input: 1, id: "brief" });
  await run.signal(go, undefined, { signalId: "first" });
  await eventually("the second run is open", async () => (await run.describe()).runId !== run.runId);
  // A run that closes after the first of the chain did, and is no part of it.
  await (await house.client.start(lone)).result();
  await eventually("the lone run is deleted", async () => (await house.client.prune({ closedFor: "1ms" })).runs === 1);
  // Known as sent before, so it does not end the second run.
  await run.signal(go, undefined, { signalId: "first" });
  await run.signal(go);
  expect(await run.result()).toBe("done");
  await eventually(
    "both are deleted",
    async () => (await house.client.prune({ closedFor: "1ms", isDryRun: true })).runs === 2,
  );
  await house.client.prune({ closedFor: "1ms" });
  const gone = house.client.get(brief, "brief", run.runId);
  await expect(gone.result()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

const positive: StandardSchema<number> = {
  "~standard": {
    version: 1,
    vendor: "test",
    validate: (value) => (Number(value) > 0 ? { value: value as number } : { issues: [{ message: "not above zero" }] }),
  },
};

test("inputs of children and of runs that continue are held to the schema", async () => {
  const house = openHouse();
  const checked = workflow(
    "checked",
    async (n: number): Promise<string> => (n < 3 ? `${n}` : checked.continueAsNew(-n)),
    {
      input: positive,
    },
  );
  const parent = workflow("parent", async () => {
    const codes: string[] = [];
    const note = (error: { code: string }) => void codes.push(error.code);
    try {
      startChild(checked, { input: -1 });
    } catch (error) {
      note(error as { code: string });
    }
    await executeChild(checked, { input: -1 }).catch(note);
    await executeChild(checked, { input: 5 }).catch((error) => note({ code: error.cause.code }));
    return [
      ...codes,
      await executeChild(checked, { input: 2, attributes: data({ customer: "child" }), memo: { n: 2 } }),
    ];
  });
  await house.startWorker([checked, parent]);
  const run = await house.client.start(parent);
  expect(await run.result()).toEqual(["ARGUMENT_INVALID", "ARGUMENT_INVALID", "ARGUMENT_INVALID", "2"]);
  const { runs } = await house.client.list({ where: { attributes: data.where({ customer: "child" }) } });
  expect(runs).toMatchObject([{ workflow: "checked", memo: { n: 2 } }]);
});
