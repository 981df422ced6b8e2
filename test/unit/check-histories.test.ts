// The gate before a deploy: many histories held to the code at hand.

import { defineSignal, patched, step, workflow } from "everstep";
import { type CheckedHistory, checkHistories, checkRuns, collectHistory } from "everstep/testing";
import { expect, test } from "vitest";
import { eventually } from "../support/eventually.ts";
import { openHouse } from "../support/local-worker.ts";

const go = defineSignal("go");
const noop = () => {};

const order = (second: string, isPatched = false) =>
  workflow("order", async () => {
    await step("reserve", noop);
    await step(isPatched && patched("two") ? "another" : second, noop);
    await go.receive();
  });
const other = workflow("other", async () => step("a", noop));

async function collect(checked: AsyncIterable<CheckedHistory>): Promise<CheckedHistory[]> {
  const all: CheckedHistory[] = [];
  for await (const one of checked) all.push(one);
  return all;
}

/** A house with `open` runs of order that wait for their signal, and `closed` ones that are through. */
async function houseWith({ open, closed }: { open: number; closed: number }) {
  const house = openHouse();
  await house.startWorker([order("charge"), other]);
  const finished = await house.client.startMany(order("charge"), Array(closed).fill({}));
  for (const run of finished) await run.signal(go);
  for (const run of finished) await run.result();
  const waiting = await house.client.startMany(order("charge"), Array(open).fill({}));
  for (const run of waiting) {
    await eventually("it waits for its signal", async () => (await collectHistory(run)).events.length === 3);
  }
  return { ...house, waiting, finished };
}

test("code that fits every open run is let through", async () => {
  const { client, waiting } = await houseWith({ open: 3, closed: 2 });
  const checked = await collect(checkRuns(client, [order("charge")]));
  expect(checked.map(({ runId }) => runId).sort()).toEqual(waiting.map(({ runId }) => runId).sort());
  for (const one of checked) {
    expect(one).toMatchObject({ workflow: "order", events: 3, verdict: "fits", difference: null });
  }
});

test("code that would block open runs is told for each of them, with both sides and the place", async () => {
  const { client } = await houseWith({ open: 2, closed: 0 });
  const checked = await collect(checkRuns(client, [order("debit")]));
  expect(checked.map(({ verdict }) => verdict)).toEqual(["differs", "differs"]);
  for (const { workflowId, difference } of checked) {
    expect(difference).toMatchObject({ code: "DIVERGENCE" });
    expect(difference?.message).toContain(
      `Run ${workflowId} replayed differently. Event 3 is StepCompleted("charge") for command 2; ` +
        'the code asked for RunStep("debit") as command 2 (at ',
    );
    expect(difference?.message).toContain("check-histories.test.ts");
  }
});

test("a change behind patched() is let through", async () => {
  const { client } = await houseWith({ open: 2, closed: 2 });
  const checked = await collect(checkRuns(client, [order("charge", true)], { closed: 10 }));
  expect(checked.map(({ verdict }) => verdict)).toEqual(Array(4).fill("fits"));
});

test("closed runs are checked when asked for, the newest of each workflow", async () => {
  const { client, finished } = await houseWith({ open: 0, closed: 5 });
  expect(await collect(checkRuns(client, [order("charge")]))).toEqual([]);
  const checked = await collect(checkRuns(client, [order("debit"), other], { closed: 2 }));
  const newest = finished.slice(-2).map(({ runId }) => runId);
  expect(checked.map(({ runId, verdict }) => [runId, verdict])).toEqual([
    [newest[1], "differs"],
    [newest[0], "differs"],
  ]);
});

test("a closed run that is deleted meanwhile is passed over", async () => {
  const { client } = await houseWith({ open: 0, closed: 3 });
  const checked = checkRuns(client, [order("charge")], { closed: 10 });
  expect((await checked.next()).value).toMatchObject({ verdict: "fits" });
  await eventually("they are deleted", async () => (await client.prune({ closedFor: 1 })).runs === 3);
  expect(await collect(checked)).toEqual([]);
});

test("so is one whose events are deleted by the time they are read", async () => {
  const { client } = await houseWith({ open: 0, closed: 1 });
  const emptied = {
    list: client.list.bind(client),
    countBy: client.countBy.bind(client),
    getUntyped: () => ({ async *history() {} }),
  };
  expect(await collect(checkRuns(emptied as unknown as typeof client, [order("charge")], { closed: 1 }))).toEqual([]);
});

test("more runs than fit into a page are all checked, each once", async () => {
  const house = openHouse();
  const count = 450;
  await house.client.startMany(order("charge"), Array(count).fill({}));
  const checked = await collect(checkRuns(house.client, [order("charge")]));
  expect(new Set(checked.map(({ runId }) => runId)).size).toBe(count);
  expect(checked).toHaveLength(count);
});

test("a queue can be checked by itself", async () => {
  const house = openHouse();
  await house.client.startMany(order("charge"), [{ queue: "a" }, { queue: "b" }, { queue: "b" }]);
  expect(await collect(checkRuns(house.client, [order("charge")], { queue: "b" }))).toHaveLength(2);
});

test("open runs of a workflow that is not given are told of, and closed ones need nobody", async () => {
  const { client, waiting } = await houseWith({ open: 2, closed: 2 });
  const checked = await collect(checkRuns(client, [other], { closed: 10 }));
  expect(checked.map(({ workflowId }) => workflowId).sort()).toEqual(
    waiting.map(({ workflowId }) => workflowId).sort(),
  );
  for (const one of checked) {
    expect(one).toMatchObject({
      workflow: "order",
      version: null,
      events: 0,
      verdict: "unknownWorkflow",
      difference: null,
    });
  }
});

test("what is elsewhere is not told of: by name, or all that is not given", async () => {
  const { client } = await houseWith({ open: 2, closed: 0 });
  await client.start(
    workflow("dropped", async () => {}),
    { id: "left" },
  );
  const toldWith = async (elsewhere: readonly string[] | "others") =>
    (await collect(checkRuns(client, [other], { elsewhere }))).map(({ workflowId }) => workflowId);
  expect(await toldWith(["order"])).toEqual(["left"]);
  expect(await toldWith(["order", "dropped", "never there"])).toEqual([]);
  expect(await toldWith("others")).toEqual([]);
  await expect(toldWith(["other"])).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
    message: expect.stringContaining('Workflow "other" is given to be checked, and said to be elsewhere'),
  });
});

test("of another queue nothing is told, and of more workflows than one count tells of each is", async () => {
  const house = openHouse();
  const names = Array.from({ length: 203 }, (_, index) => `dropped-${index}`);
  for (const name of names)
    await house.client.start(
      workflow(name, async () => {}),
      { id: name },
    );
  await house.client.start(
    workflow("aside", async () => {}),
    { id: "aside", queue: "aside" },
  );
  const told = await collect(checkRuns(house.client, [other], { queue: "default", elsewhere: ["dropped-7"] }));
  const expected = names.filter((name) => name !== "dropped-7");
  expect(told.map(({ workflowId }) => workflowId).sort()).toEqual(expected.sort());
});

test("histories from elsewhere are checked one at a time, those of other workflows are told as that", async () => {
  const { client, waiting } = await houseWith({ open: 2, closed: 0 });
  const run = await client.start(other);
  await run.result();
  const kept = await Promise.all([...waiting, run].map(collectHistory));
  const taken: number[] = [];
  function* oneByOne() {
    for (const [index, history] of kept.entries()) {
      taken.push(index);
      yield JSON.stringify(history);
    }
  }
  const verdicts: string[] = [];
  for await (const { verdict, workflow } of checkHistories([order("debit")], oneByOne())) {
    verdicts.push(`${workflow} ${verdict}`);
    expect(taken).toHaveLength(verdicts.length);
  }
  expect(verdicts).toEqual(["order differs", "order differs", "other unknownWorkflow"]);
});

test("what is no history is an error, not a difference", async () => {
  await expect(collect(checkHistories([other], ["{}"]))).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});
