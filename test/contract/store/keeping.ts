// Keeping: what went in comes back exactly, letter by letter, and nobody who reads it can change what is kept.

import { describe, expect, test } from "vitest";
import type { EventRecord } from "../../../sdk/protocol/event-record.ts";
import { claimOf, newId, only, type Stage, startRequest, turnOf } from "./stage.ts";

const AWKWARD = 'naïve 東京 🦉 \u2028 "quoted" \\back\\ \'single\' {curly,"braces"} $1 %s \ttab\nline\r\n\u0000 end\\';

export function keepingContract(stage: Stage): void {
  describe("keeping", () => {
    const step = (part: Partial<EventRecord>): EventRecord => {
      return { type: 2, command: 1, name: "charge", payload: null, data: null, ...part };
    };

    async function roundTrip(records: readonly EventRecord[]): Promise<readonly EventRecord[]> {
      const run = await stage.owned();
      await stage.commit(turnOf(run, { events: records }));
      const { events } = only(await stage.store.loadHistories([run.runId]));
      expect(await stage.store.readHistory(run.runId, 0, 1_000)).toEqual(events);
      return events.slice(1).map(({ type, command, name, payload, data }) => ({ type, command, name, payload, data }));
    }

    test.each([
      ["no payload", null],
      ["the payload null", "null"],
      ["an empty text", '""'],
      ["letters of every kind, quotes, line ends", JSON.stringify(AWKWARD)],
      ["nested JSON with spaces, kept as written", '{ "b": 1,  "a": [1.0, 1e21, -0, "\\u00e9"] }'],
      ["the same key twice, kept as written", '{"a":1,"a":2}'],
      ["a lone surrogate", JSON.stringify("\ud83d alone")],
      ["what looks like an array of the database", '"{NULL,null,\\"\\"}"'],
      ["a number with more digits than a double holds", "123456789012345678901234567890.123456789"],
    ])("%s comes back as it was", async (_, payload) => {
      const records = [step({ payload }), step({ payload: "1", data: payload }), step({ payload })];
      expect(await roundTrip(records)).toEqual(records);
    });

    test.each([
      ["a name of every kind of letter", AWKWARD.replaceAll("\u0000", "")],
      ["an empty name", ""],
      ["a name that says null", "NULL"],
    ])("%s comes back as it was", async (_, name) => {
      const records = [step({ name }), step({ name: null, command: null }), step({ name })];
      expect(await roundTrip(records)).toEqual(records);
    });

    test("large payloads come back as they were", async () => {
      const large = JSON.stringify(AWKWARD.repeat(10_000));
      const records = [step({ payload: large }), step({ payload: "1" }), step({ payload: large, data: large })];
      expect(await roundTrip(records)).toEqual(records);
    });

    test("commands of any number come back as they were", async () => {
      const records = [0, 1, 65_536, 2_147_483_647].map((command) => step({ command }));
      expect(await roundTrip(records)).toEqual(records);
    });

    test("mail comes back as it was sent", async () => {
      const { runId } = await stage.owned();
      const name = AWKWARD.replaceAll("\u0000", "");
      const sent = [
        { mailId: `${newId("mail")} ${name}`, kind: "signal", name, payload: JSON.stringify(AWKWARD) },
        { mailId: newId("mail"), kind: "signal", name: "approve", payload: null },
        { mailId: newId("mail"), kind: "signal", name: "approve", payload: "null" },
        { mailId: newId("mail"), kind: "cancel", name: "", payload: null },
      ] as const;
      for (const item of sent) await stage.send(runId, item);
      const mail = await stage.store.readMail([{ runId, after: 0 }], 10);
      expect(mail).toEqual(sent.map((item, place) => ({ runId, mail: place + 1, ...item })));
    });

    test("the names a caller gives to a run come back as they were", async () => {
      const odd = AWKWARD.replaceAll("\u0000", "");
      const request = startRequest({
        workflowId: `${newId("order")} ${odd}`,
        workflow: `order ${odd}`,
        queue: `${newId("queue")} ${odd}`,
        requestId: `${newId("request")} ${odd}`,
      });
      await stage.startAs(request);
      expect(await stage.startAs(startRequest({ ...request, runId: startRequest().runId }))).toMatchObject({
        runId: request.runId,
      });
      const { runId, workflowId, workflow, queue } = request;
      expect(await stage.claimOne(queue)).toMatchObject({ runId, workflowId, workflow, queue });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId, workflowId, workflow, queue });
    });

    test("histories of many runs are loaded in one call, each whole and in order", async () => {
      const [a, b] = [await stage.owned(), await stage.owned()];
      for (let base = 1; base < 30; base += 1) {
        await stage.store.appendTurns([turnOf(a, { base }), turnOf(b, { base })]);
      }
      const histories = await stage.store.loadHistories([b.runId, startRequest().runId, a.runId]);
      expect(new Set(histories.map(({ runId }) => runId))).toEqual(new Set([a.runId, b.runId]));
      for (const { events, heartbeats } of histories) {
        expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: 30 }, (_, place) => place + 1));
        expect(heartbeats).toEqual([]);
      }
      expect(await stage.store.loadHistories([])).toEqual([]);
    });

    test("the history of a closed run is kept", async () => {
      const { runId } = await stage.closed("completed");
      expect(only(await stage.store.loadHistories([runId])).events.map(({ seq }) => seq)).toEqual([1, 2]);
    });

    test("what a reader does to its answer changes nothing", async () => {
      const run = await stage.owned();
      const turn = turnOf(run, { events: [step({ payload: '"kept"' })] });
      await stage.commit(turn);
      const { events } = only(await stage.store.loadHistories([run.runId]));
      Reflect.set(events, "length", 0);
      const again = only(await stage.store.loadHistories([run.runId])).events;
      expect(again).toHaveLength(2);
      const [, event] = again;
      if (event !== undefined) Reflect.set(event, "payload", '"changed"');
      expect(only(await stage.store.readHistory(run.runId, 1, 10)).payload).toBe('"kept"');
    });

    test("what a writer does to its turn afterwards changes nothing", async () => {
      const run = await stage.owned();
      const record = step({ payload: '"kept"' });
      const claim = claimOf(run);
      await stage.commit(turnOf(run, { claim, events: [record] }));
      Reflect.set(record, "payload", '"changed"');
      expect(only(await stage.store.readHistory(run.runId, 1, 10)).payload).toBe('"kept"');
    });
  });
}
