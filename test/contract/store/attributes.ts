// Attributes and memos: kept in the same stroke as the event that says so, and found by.

import { describe, expect, test } from "vitest";
import type { ListRequest } from "../../../runtime/store/runs.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import { type AttributeFilters, attributeConditions } from "../../../sdk/protocol/attribute-filter.ts";
import {
  type AttributeChanges,
  type AttributeType,
  encodeAttributes,
  type StoredAttribute,
  storedAttribute,
} from "../../../sdk/protocol/attributes.ts";
import type { Event } from "../../../sdk/protocol/event.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { encodeMemo } from "../../../sdk/protocol/memo.ts";
import { closingTurn, newId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function attributesContract(stage: Stage): void {
  const found = async (queue: string, request: Partial<ListRequest> = {}): Promise<string[]> => {
    const runs = await stage.store.listRuns({ queue, limit: 50, ...request });
    return runs.map(({ workflowId }) => workflowId);
  };
  const foundBy = (queue: string, filters: AttributeFilters) =>
    found(queue, { attributes: attributeConditions(filters) });

  describe("attributes and memo", () => {
    test("a run has what it was started with, and what its turns make of it", async () => {
      const start = startWith({ customer: ["keyword", "c1"], total: ["int", 3] }, { note: "vip", n: 1 });
      await stage.startAs(start);
      expect((await stage.store.findRun({ runId: start.runId }))?.data).toEqual({
        attributes: { customer: ["keyword", "c1"], total: ["int", 3] },
        memo: { note: '"vip"', n: "1" },
      });
      const run = await stage.claimOne(start.queue);
      const turn = turnOf(
        run,
        {},
        upserted({ total: ["double", 4.5], tags: ["keywordList", ["a", "b", "c"]] }),
        upserted({ customer: null, tags: ["keywordList", ["z"]] }),
        noted({ note: null, more: { deep: [1, null] } }),
      );
      await stage.commit(turn);
      const data = {
        attributes: { total: ["double", 4.5], tags: ["keywordList", ["z"]] },
        memo: { n: "1", more: '{"deep":[1,null]}' },
      };
      expect((await stage.store.findRun({ runId: start.runId }))?.data).toEqual(data);
      expect(only(await stage.store.listRuns({ queue: start.queue, limit: 5 })).data).toEqual(data);
      expect(await foundBy(start.queue, { tags: "b" })).toEqual([]);
      expect(await foundBy(start.queue, { tags: "z" })).toEqual([start.workflowId]);
      await stage.commit(closingTurn(run, "completed", { base: run.events + turn.events.length }));
      expect((await stage.store.findRun({ runId: start.runId }))?.data).toEqual(data);
    });

    test("a summary is kept with the run, details are not, and neither is found by", async () => {
      const { store } = stage;
      const started = (said: object) =>
        toRecord({ type: "RunStarted", workflow: "order", input: null, seed: "s", ...said });
      const summary = "a lamp\u0000\nfor Ann";
      const both = startRequest({ started: started({ summary, details: "long" }), carriesData: true });
      const only = startRequest({ started: started({ details: "long" }), carriesData: true });
      await store.startRuns([both, only]);
      const dataOf = async ({ runId }: { runId: string }) => (await store.findRun({ runId }))?.data;
      expect(await dataOf(both)).toEqual({ attributes: {}, memo: {}, summary });
      expect(await dataOf(only)).toEqual({ attributes: {}, memo: {}, summary: "" });
      const [listed] = await store.listRuns({ limit: 1, workflowId: both.workflowId });
      expect(listed?.data.summary).toBe(summary);
      const asAttribute = { workflowId: both.workflowId, by: { attribute: "summary" }, limit: 5 };
      expect(await store.countRuns(asAttribute)).toEqual([{ value: null, count: 1 }]);
    });

    test("a refused turn changes nothing, and its neighbours in the call are unaffected", async () => {
      const [one, other] = [await stage.owned(), await stage.owned()];
      const turns = [
        turnOf({ ...one, epoch: one.epoch - 1 }, {}, upserted({ customer: ["keyword", "stale"] })),
        turnOf(other, {}, upserted({ customer: ["keyword", "fresh"] })),
      ];
      expect([...(await stage.store.appendTurns(turns)).committed]).toEqual([other.runId]);
      expect((await stage.store.findRun({ runId: one.runId }))?.data.attributes).toEqual({});
      expect((await stage.store.findRun({ runId: other.runId }))?.data.attributes).toEqual({
        customer: ["keyword", "fresh"],
      });
    });

    test("a refused start keeps nothing, and a repeated one keeps what the first had", async () => {
      const first = startWith({ customer: ["keyword", "first"] });
      await stage.startAs(first);
      const second = startWith({ customer: ["keyword", "second"] }, {}, { workflowId: first.workflowId });
      expect((await stage.startAs(second)).outcome).toBe("refused");
      expect((await stage.startAs(first)).outcome).toBe("started");
      expect((await stage.store.findRun({ workflowId: first.workflowId }))?.data.attributes).toEqual({
        customer: ["keyword", "first"],
      });
      expect(await foundBy(second.queue, { customer: "second" })).toEqual([]);
    });

    test("starts with and without data go in one call, whatever decides about them", async () => {
      const queue = newId("queue");
      const requests = [
        startWith({ customer: ["keyword", "c1"] }, {}, { queue }),
        startRequest({ queue }),
        startWith({ customer: ["keyword", "c2"] }, {}, { queue, requestId: newId("request"), onReuse: "reject" }),
      ];
      await stage.store.startRuns(requests);
      const [one, , two] = requests.map(({ workflowId }) => workflowId);
      expect(await foundBy(queue, { customer: "c1" })).toEqual([one]);
      expect(await foundBy(queue, { customer: "c2" })).toEqual([two]);
    });

    test("the largest name and value that may be asked for can be kept and found", async () => {
      const name = "ä".repeat(32);
      // Text that does not compress: an index keeps it as it is.
      const value = Array.from({ length: 2_048 }, (_, n) => String.fromCharCode(33 + ((n * 7_919 + n * n) % 90))).join(
        "",
      );
      const start = startWith({ [name]: stored("text", value) });
      await stage.startAs(start);
      expect(await foundBy(start.queue, { [name]: value })).toEqual([start.workflowId]);
    });

    test("filters compare values of one kind, and nothing else", async () => {
      const queue = newId("queue");
      const start = async (changes: AttributeChanges) => {
        const request = startWith(changes, {}, { queue });
        await stage.startAs(request);
        return request.workflowId;
      };
      const when = new Date("2026-03-01T00:00:00Z");
      const word = await start({ v: ["keyword", "1"], tags: ["keywordList", ["red", "blue"]] });
      const whole = await start({ v: ["int", 1] });
      const broken = await start({ v: ["double", 1.5] });
      const yes = await start({ v: ["bool", true] });
      const time = await start({ v: stored("datetime", when) });
      const none = await start({});
      expect(await foundBy(queue, { v: "1" })).toEqual([word]);
      expect(await foundBy(queue, { v: 1 })).toEqual([whole]);
      expect(await foundBy(queue, { v: { gte: 1 } })).toEqual([broken, whole]);
      expect(await foundBy(queue, { v: { gt: 1, lt: 2 } })).toEqual([broken]);
      expect(await foundBy(queue, { v: true })).toEqual([yes]);
      expect(await foundBy(queue, { v: { lte: when } })).toEqual([time]);
      expect(await foundBy(queue, { v: { lt: when } })).toEqual([]);
      expect(await foundBy(queue, { v: null })).toEqual([none]);
      expect(await foundBy(queue, { v: { not: null } })).toEqual([time, yes, broken, whole, word]);
      expect(await foundBy(queue, { v: { not: 1 } })).toEqual([none, time, yes, broken, word]);
      expect(await foundBy(queue, { v: { oneOf: [1, 1.5] } })).toEqual([broken, whole]);
      expect(await foundBy(queue, { v: { oneOf: [] } })).toEqual([]);
      expect(await foundBy(queue, { tags: "blue" })).toEqual([word]);
      expect(await foundBy(queue, { tags: { startsWith: "bl" }, v: "1" })).toEqual([word]);
      expect(await foundBy(queue, { tags: { contains: "LU" } })).toEqual([]);
      expect(await found(queue, { attributes: attributeConditions({ v: 1 }), status: ["running"] })).toEqual([whole]);
      expect(await found(queue, { attributes: attributeConditions({ v: 1 }), status: ["completed"] })).toEqual([]);
    });

    test("lists go along the values of an attribute, page by page, each run once", async () => {
      const queue = newId("queue");
      const values: StoredAttribute[] = [
        ["keyword", "b"],
        ["int", 10],
        ["keyword", "\u{1F600}"],
        ["double", -0.5],
        ["keyword", "\uFF01"],
        ["int", 10],
        ["keywordList", ["a", "z"]],
      ];
      const starts = values.map((value) => startWith({ v: value }, {}, { queue }));
      await stage.store.startRuns([...starts, startRequest({ queue })]);
      // Equal values in the order of run ids; texts after numbers, by their UTF-8.
      const inOrder = [3, 1, 5, 6, 0, 4, 2].map((n) => starts[n]?.runId ?? "");
      for (const isDescending of [false, true]) {
        const listed: string[] = [];
        for (let page = 0; page < 4; page += 1) {
          const last = listed.at(-1);
          const place = starts.findIndex(({ runId }) => runId === last);
          const after = last === undefined ? null : { ...placeOf(values[place]), runId: last };
          const runs = await stage.store.listRuns({ queue, limit: 2, byAttribute: { name: "v", isDescending, after } });
          listed.push(...runs.map(({ runId }) => runId));
        }
        expect(listed).toEqual(isDescending ? inOrder.toReversed() : inOrder);
      }
    });

    test("lists go from the oldest, and between times of starting and closing", async () => {
      const queue = newId("queue");
      const open = startRequest({ queue });
      await stage.startAs(open);
      const run = await stage.claimOne(queue);
      const later = startRequest({ queue });
      await stage.startAs(later);
      expect(await found(queue, { isOldestFirst: true })).toEqual([open.workflowId, later.workflowId]);
      expect(await found(queue, { isOldestFirst: true, before: open.runId })).toEqual([later.workflowId]);
      await stage.commit(closingTurn(run, "completed"));
      const { closedAt, startedAt } = only(await stage.store.listRuns({ workflowId: open.workflowId, limit: 1 }));
      if (closedAt === null) throw new Error("The run is not closed.");
      expect(await found(queue, { closedAt: { gte: closedAt } })).toEqual([open.workflowId]);
      expect(await found(queue, { closedAt: { gt: closedAt } })).toEqual([]);
      expect(await found(queue, { startedAt: { lt: startedAt } })).toEqual([]);
      expect(await found(queue, { startedAt: { gte: startedAt, lte: Number.MAX_SAFE_INTEGER } })).toHaveLength(2);
    });

    test("counts are by group, the largest first, and of all", async () => {
      const queue = newId("queue");
      const lists: (string[] | null)[] = [["red", "blue"], ["red"], null];
      const starts = lists.map((tags) =>
        startWith({ tags: tags === null ? null : ["keywordList", tags] }, {}, { queue }),
      );
      await stage.store.startRuns(starts);
      const count = (request: Partial<Parameters<typeof stage.store.countRuns>[0]>) =>
        stage.store.countRuns({ queue, by: null, limit: 10, ...request });
      expect(await count({})).toEqual([{ value: null, count: 3 }]);
      expect(await count({ by: { attribute: "tags" } })).toEqual([
        { value: ["keyword", "red"], count: 2 },
        { value: ["keyword", "blue"], count: 1 },
        { value: null, count: 1 },
      ]);
      expect(await count({ by: { attribute: "tags" }, limit: 1 })).toHaveLength(1);
      await stage.store.terminateRun(starts[0]?.runId ?? "", "enough");
      expect(await count({ by: "status" })).toEqual([
        { value: ["keyword", "running"], count: 2 },
        { value: ["keyword", "terminated"], count: 1 },
      ]);
      expect(await count({ by: "queue" })).toEqual([{ value: ["keyword", queue], count: 3 }]);
      expect(await count({ by: "workflow", attributes: attributeConditions({ tags: "red" }) })).toEqual([
        { value: ["keyword", "order"], count: 2 },
      ]);
      expect(await count({ status: ["failed"] })).toEqual([]);
    });
  });
}

function startWith(
  attributes: AttributeChanges,
  memo: Readonly<Record<string, unknown>> = {},
  request: Partial<StartRequest> = {},
): StartRequest {
  const started: Event = {
    type: "RunStarted",
    workflow: "order",
    input: null,
    seed: "seed",
    attributes: encodeAttributes(attributes, "attributes"),
    memo: encodeMemo(memo, "memo"),
  };
  return startRequest({ started: toRecord(started), carriesData: true, ...request });
}

function upserted(changes: AttributeChanges): Event {
  return { type: "AttributesUpserted", command: 1, name: "attributes", changes: encodeAttributes(changes, "changes") };
}

function noted(changes: Readonly<Record<string, unknown>>): Event {
  return { type: "MemoUpserted", command: 2, name: "memo", changes: encodeMemo(changes, "changes") };
}

function stored(type: AttributeType, value: unknown): StoredAttribute | null {
  return storedAttribute("value", type, value, "test");
}

function placeOf(value: StoredAttribute | undefined): { number: number; text: string } {
  const first = Array.isArray(value?.[1]) ? value[1][0] : value?.[1];
  if (typeof first === "string") return { number: Number.POSITIVE_INFINITY, text: first };
  return { number: Number(first), text: "" };
}
