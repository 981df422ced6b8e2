// Attributes and memo of a run, as its code sets them: made at once, recorded in order, and compared at replay.

import { expect, test } from "vitest";
import {
  condition,
  defineAttributes,
  defineQuery,
  defineSignal,
  sleep,
  step,
  upsertAttributes,
  upsertMemo,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal("go");
const orders = defineAttributes({
  customer: "keyword",
  amount: "double",
  count: "int",
  isPaid: "bool",
  dueAt: "datetime",
  tags: "keywordList",
});

const main = workflow("order", async () => {
  upsertAttributes(orders({ customer: "c1", amount: 12.5 }));
  await step("charge", noop);
  upsertMemo({ note: "paid", at: new Date(5) });
  upsertAttributes(orders({ customer: null, isPaid: true }));
  await step("ship", noop);
  return [orders.of(workflowInfo()), workflowInfo().memo];
});

test("an upsert is seen at once, waits for nothing, and is recorded in the order of asking", async () => {
  const run = await runWorkflow(main);
  expect(run.engine.info.attributes).toEqual({ customer: "c1", amount: 12.5 });
  await run.completes("charge");
  await run.completes("ship");
  expect(run.history.map(({ type }) => type)).toEqual([
    "RunStarted",
    "AttributesUpserted",
    "StepCompleted",
    "MemoUpserted",
    "AttributesUpserted",
    "StepCompleted",
  ]);
  expect(run.result).toEqual([
    { amount: 12.5, isPaid: true },
    { note: "paid", at: new Date(5) },
  ]);
});

test("every prefix of a history leads to the same attributes and memo, and on to the same end", async () => {
  const run = await runWorkflow(main);
  await run.completes("charge");
  await run.completes("ship");
  for (let length = 1; length <= run.history.length; length++) {
    const again = await replay(main, run.history.slice(0, length));
    await again.redeliver(run.history.slice(length));
    expect(again.engine.broken).toBeUndefined();
    expect(again.result).toEqual(run.result);
    expect([...again.engine.data.entries]).toEqual([]);
  }
});

test("what a run was started with is there before its first line", async () => {
  const house = openHouse();
  const told = workflow("told", async () => [workflowInfo().attributes, workflowInfo().memo]);
  const dueAt = new Date("2026-02-03T04:05:06.789Z");
  const options = { attributes: orders({ dueAt, tags: ["a", "b"] }), memo: { by: "ann" } };
  const run = await house.client.start(told, options);
  expect(await run.describe()).toMatchObject({ attributes: { dueAt, tags: ["a", "b"] }, memo: { by: "ann" } });
  await house.startWorker([told]);
  expect(await run.result()).toEqual([{ dueAt, tags: ["a", "b"] }, { by: "ann" }]);
});

test("upserts right before the end are recorded before it, and replay fits", async () => {
  const house = openHouse();
  const last = workflow("last", async () => {
    await step("a", noop);
    upsertMemo({ outcome: "fine" });
    upsertAttributes(orders({ count: 3 }));
    return "done";
  });
  await house.startWorker([last]);
  const run = await house.client.start(last, { memo: { outcome: "none yet" } });
  expect(await run.result()).toBe("done");
  expect(await typesOf(run)).toEqual([
    "RunStarted",
    "StepCompleted",
    "MemoUpserted",
    "AttributesUpserted",
    "RunCompleted",
  ]);
  expect(await run.describe()).toMatchObject({ memo: { outcome: "fine" }, attributes: { count: 3 } });
  expect((await replay(last, await historyOf(run))).engine.broken).toBeUndefined();
});

test("an upsert after the last wait is recorded by whoever takes the run up", async () => {
  const house = openHouse();
  let isChanged = false;
  const waiting = workflow("waiting", async () => {
    await step("a", noop);
    if (isChanged) upsertAttributes(orders({ customer: "late" }));
    await go.receive();
    return orders.of(workflowInfo());
  });
  const first = await house.startWorker([waiting]);
  const run = await house.client.start(waiting);
  await eventually("the step is recorded", async () => (await typesOf(run)).length === 2);
  await first.stop(0);
  isChanged = true;
  await house.startWorker([waiting]);
  await run.signal(go);
  expect(await run.result()).toEqual({ customer: "late" });
  expect((await run.describe()).attributes).toEqual({ customer: "late" });
});

test("runs are listed, sorted and counted by what their code says of them", async () => {
  const house = openHouse();
  const priced = workflow("priced", async (amount: number) => {
    upsertAttributes(orders({ amount, customer: amount > 5 ? "big" : "small" }));
    await go.receive();
  });
  await house.startWorker([priced]);
  const amounts = [3, 9, 7, 1];
  await house.client.startMany(
    priced,
    amounts.map((input) => ({ id: `order-${input}`, input })),
  );
  const where = { workflow: "priced", attributes: orders.where({ amount: { gte: 3 } }) };
  const orderBy = { by: { attribute: "amount" }, direction: "asc" } as const;
  const list = (after?: string) =>
    house.client.list({ where, orderBy, limit: 2, ...(after === undefined ? {} : { after }) });
  await eventually("all upserts are in", async () => (await house.client.count({ where })) === 3);
  const first = await list();
  expect(first.runs.map(({ workflowId }) => workflowId)).toEqual(["order-3", "order-7"]);
  const second = await list(first.next ?? "");
  expect(second.runs.map(({ attributes }) => attributes)).toEqual([{ amount: 9, customer: "big" }]);
  expect(second.next).toBeNull();
  expect(await house.client.countBy({ attribute: "customer" }, { where })).toEqual([
    { value: "big", count: 2 },
    { value: "small", count: 1 },
  ]);
  expect(await house.client.list({ status: "running", where: { attributes: { customer: "big" } } })).toMatchObject({
    runs: [{ workflowId: "order-7" }, { workflowId: "order-9" }],
  });
  await expect(list("nonsense")).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});

test("runs are found by how their ids begin and by attempt, and sorted by when they closed", async () => {
  const house = openHouse();
  const failing = workflow("failing", async (times: number) => {
    if (workflowInfo().attempt <= times) throw new Error("again");
  });
  await house.startWorker([failing]);
  const retry = { initialInterval: 1, maxAttempts: 3 } as const;
  for (const [id, input] of [
    ["eu-1", 0],
    ["us-1", 2],
    ["eu-2", 1],
  ] as const) {
    await (await house.client.start(failing, { id, input, retry })).result();
  }
  const idsOf = async (options: Parameters<typeof house.client.list>[0]) =>
    (await house.client.list(options)).runs.map(({ workflowId, attempt }) => `${workflowId} ${attempt}`);
  expect(await idsOf({ workflowId: { startsWith: "eu-" } })).toEqual(["eu-2 2", "eu-2 1", "eu-1 1"]);
  expect(await idsOf({ where: { attempt: { gte: 2 } } })).toEqual(["eu-2 2", "us-1 3", "us-1 2"]);
  expect(await idsOf({ where: { attempt: 3 } })).toEqual(["us-1 3"]);
  expect(await house.client.count({ where: { workflowId: { startsWith: "us" } } })).toBe(3);

  const oldest = await house.client.start(failing, { id: "still open", input: 0, delay: "1 day" });
  const orderBy = { by: "closedAt", direction: "asc" } as const;
  const read: string[] = [];
  for (let after: string | undefined; ; ) {
    const page = await house.client.list({ orderBy, limit: 4, ...(after === undefined ? {} : { after }) });
    read.push(...page.runs.map(({ closedAt, runId }) => `${closedAt} ${runId}`));
    if (page.next === null) break;
    after = page.next;
  }
  expect(read).toHaveLength(6);
  expect(read).toEqual(read.toSorted());
  expect(read.join()).not.toContain(oldest.runId);
  const patched = await house.client.listPatches({ where: { workflowId: { startsWith: "still" } } });
  expect(patched.runs.map(({ workflowId }) => workflowId)).toEqual(["still open"]);
  expect((await house.client.listPatches({ where: { status: "completed" } })).runs).toHaveLength(3);
});

test.each([
  [{ workflowId: { startsWith: 1 } }, "workflowId is a text, or { startsWith: text }."],
  [{ workflowId: { startsWith: "a", contains: "b" } }, "workflowId is a text, or { startsWith: text }."],
  [{ attempt: { gte: 1.5 } }, "attempt is a whole number, or takes gt, gte, lt and lte"],
  [{ attempt: { min: 1 } }, "attempt is a whole number, or takes gt, gte, lt and lte"],
])("a filter that means nothing is refused: %j", async (where, message) => {
  const { client } = openHouse();
  await expect(client.list({ where: where as never })).rejects.toThrow(message);
  await expect(client.list({ orderBy: { by: "endedAt" as never } })).rejects.toThrow(
    'by is "startedAt", "closedAt" or',
  );
});

const recorded = async () => {
  await step("a", noop);
  upsertAttributes(orders({ customer: "c1" }));
  await step("b", noop);
};

const changed: Record<string, { readonly main: () => Promise<unknown>; readonly says: string }> = {
  "another value": {
    main: async () => {
      await step("a", noop);
      upsertAttributes(orders({ customer: "c2" }));
      await step("b", noop);
    },
    says: 'Event 3 is AttributesUpserted("attributes") for command 2; the code asked for UpsertAttributes with other values as command 2',
  },
  "another kind": {
    main: async () => {
      await step("a", noop);
      upsertMemo({ customer: "c1" });
      await step("b", noop);
    },
    says: 'Event 3 is AttributesUpserted("attributes") for command 2; the code asked for UpsertMemo("memo") as command 2',
  },
  "a removed upsert": {
    main: async () => {
      await step("a", noop);
      await step("b", noop);
    },
    says: 'Event 3 is AttributesUpserted("attributes") for command 2; the code asked for RunStep("b") as command 2',
  },
  "an added upsert": {
    main: async () => {
      await step("a", noop);
      upsertAttributes(orders({ customer: "c1" }));
      upsertMemo({ more: 1 });
      await step("b", noop);
    },
    says: 'Event 4 is StepCompleted("b") for command 3; the code asked for UpsertMemo("memo") as command 3',
  },
};

test.each(Object.entries(changed))("%s is a divergence that says both sides", async (_, { main: other, says }) => {
  const run = await runWorkflow(workflow("order", recorded));
  await run.completes("a");
  await run.completes("b");
  const again = await replay(workflow("order", other), run.history);
  expect(again.engine.broken).toMatchObject({ code: "DIVERGENCE" });
  expect(again.engine.broken?.message).toContain(says);
});

test("an upsert that a closed history lacks is a divergence", async () => {
  const ended: readonly HistoryEvent[] = [
    { type: "RunStarted", workflow: "order", input: null, seed: "s", seq: 1, at: 1 },
    { type: "RunCompleted", result: null, unread: [], seq: 2, at: 2 },
  ];
  const again = await replay(
    workflow("order", async () => upsertMemo({ more: 1 })),
    ended,
  );
  expect(again.engine.broken?.message).toContain("the code asked for UpsertMemo before it ended");
});

test("what would be too much is refused at the call, and changes nothing", async () => {
  const keys = Object.fromEntries(Array.from({ length: 101 }, (_, n) => [`key-${n}`, n]));
  const whole = workflow("whole", async () => {
    const refusals: string[] = [];
    const attempt = (change: () => void) => {
      try {
        change();
      } catch (error) {
        refusals.push(error instanceof Error ? error.message : "");
      }
    };
    attempt(() => upsertMemo(keys));
    attempt(() => upsertMemo({ text: "x".repeat(41_000) }));
    attempt(() => upsertAttributes(orders({ customer: "x".repeat(2_049) })));
    attempt(() => upsertAttributes({ customer: "c1" } as never));
    for (let n = 0; n < 21; n++) {
      const { tag } = { tag: `tag${n}` };
      attempt(() => upsertAttributes(defineAttributes({ [tag]: "text" })({ [tag]: "x".repeat(2_000) })));
    }
    return { refusals, kept: Object.keys(workflowInfo().attributes).length, memo: workflowInfo().memo };
  });
  const run = await runWorkflow(whole);
  expect(run.result).toMatchObject({ kept: 20, memo: {} });
  expect((run.result as { refusals: string[] }).refusals).toEqual([
    "upsertMemo() would leave the run with 101 keys of its memo; at most 100 are kept.",
    expect.stringMatching(/would leave the run with 41006 bytes of its memo; at most 40960 are kept/),
    'An attribute set takes at most 2048 bytes per attribute; "customer" has 2049.',
    expect.stringMatching(/takes what an attribute set makes/),
    expect.stringMatching(/bytes of its attributes; at most 40960 are kept/),
  ]);
});

test("a query and a condition may only look", async () => {
  const ask = defineQuery<unknown>("ask");
  const looking = workflow("looking", async () => {
    ask.handle(() => upsertMemo({ seen: true }));
    await condition(() => false);
  });
  const run = await runWorkflow(looking);
  expect(() => run.engine.query("ask", null)).toThrow(/upsertMemo\(\) was called in a query handler/);
  expect(run.engine.info.memo).toEqual({});
});

test("a canceled run may still say how it ended", async () => {
  const cleaning = workflow("cleaning", async () => {
    try {
      await sleep("1h");
    } finally {
      upsertMemo({ outcome: "canceled" });
    }
  });
  const run = await runWorkflow(cleaning);
  await run.cancels();
  expect(run.history.at(-1)).toMatchObject({ type: "MemoUpserted", changes: '{"outcome":"canceled"}' });
  expect(run.outcome?.type).toBe("canceled");
});

test("an upsert is nothing that a run can wait for", async () => {
  const lost = workflow("lost", async () => {
    upsertMemo({ a: 1 });
    await new Promise(() => {});
  });
  const run = await runWorkflow(lost);
  expect(run.engine.broken?.code).toBe("FOREIGN_WAIT");
});
