// Runs that were started elsewhere.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { KeptMail } from "../../../runtime/store/mail.ts";
import type { ImportRequest } from "../../../runtime/store/starts.ts";
import { attributeConditions } from "../../../sdk/protocol/attribute-filter.ts";
import type { Event } from "../../../sdk/protocol/event.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { closingTurn, newId, newRunId, only, type Stage, stepCompleted, turnOf } from "./stage.ts";

const AT = Date.UTC(2024, 1, 29, 12, 30, 15, 123);

const started: Event = {
  type: "RunStarted",
  workflow: "order",
  input: '{"total":12}',
  seed: "0123456789abcdef",
  attributes: '{"customer":["keyword","c1"],"total":["double",12]}',
  memo: '{"note":"kept"}',
};
const upserted: Event = {
  type: "AttributesUpserted",
  command: 2,
  name: "attributes",
  changes: '{"customer":null,"total":["double",13]}',
};

/** An open run with three events, by default. */
export function importRequest(
  request: Partial<ImportRequest> = {},
  ...events: readonly (Event & { at?: number })[]
): ImportRequest {
  const told = events.length > 0 ? events : [started, stepCompleted(1), upserted];
  return {
    runId: newRunId(),
    workflowId: newId("order"),
    workflow: "order",
    queue: newId("queue"),
    attempt: 1,
    startedAt: AT,
    deadlineAt: null,
    closed: null,
    events: told.map((event, index) => ({ ...toRecord(event), seq: index + 1, at: AT + index })),
    mail: [],
    takenMail: 0,
    tag: randomUUID(),
    ...request,
  };
}

const ended: Event = { type: "RunCompleted", result: '"shipped"', unread: [] };

function closedRequest(request: Partial<ImportRequest> = {}): ImportRequest {
  const closed = { status: "completed", at: AT + 5_000 } as const;
  return importRequest({ closed, ...request }, started, stepCompleted(1), upserted, ended);
}

const signal = (mail: number, mailId = newId("mail")): KeptMail => {
  return { mail, kind: "signal", mailId, name: "approve", payload: '{"by":"ann"}' };
};

export function importingContract(stage: Stage): void {
  describe("importing", () => {
    test("a closed run comes in as it was, and is nobody's to claim", async () => {
      const { store } = stage;
      const request = closedRequest({ deadlineAt: AT + 60_000, mail: [signal(1)], takenMail: 1 });
      expect(await store.importRun(request)).toBe("imported");
      const { runId, workflowId, queue, startedAt, deadlineAt, events } = request;
      expect(await store.findRun({ workflowId })).toMatchObject({
        runId,
        workflowId,
        workflow: "order",
        queue,
        status: "completed",
        startedAt,
        closedAt: AT + 5_000,
        deadlineAt,
        events: 4,
        epoch: null,
        ownerId: null,
        data: { attributes: { total: ["double", 13] }, memo: { note: '"kept"' } },
      });
      expect(await store.readHistory(runId, 0, 10)).toEqual(events);
      expect((await store.readOutcomes([runId])).get(runId)).toEqual({ status: "completed", event: events.at(-1) });
      expect((await stage.claim(queue)).claimed).toEqual([]);
      expect(await store.closeOverdue(10_000)).not.toContain(runId);
      expect((await stage.send(runId)).outcome).toBe("closed");
    });

    test("an open run is due at once, and its history goes on behind what it brought", async () => {
      const { store } = stage;
      const request = importRequest();
      await store.importRun(request);
      const run = await stage.claimOne(request.queue);
      expect(run).toMatchObject({ runId: request.runId, epoch: 1, events: 3, takenMail: 0, newestMail: 0 });
      expect(run.history).toEqual(request.events);
      expect(only(await store.loadHistories([run.runId])).events).toEqual(request.events);
      await stage.commit(turnOf(run, {}, stepCompleted(3)));
      await stage.commit(closingTurn({ ...run, events: 4 }, "completed"));
      const history = await store.readHistory(run.runId, 0, 10);
      expect(history.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
      expect(await store.findRun({ runId: run.runId })).toMatchObject({ status: "completed", startedAt: AT });
    });

    test("a run that has but its first event is claimed with it or loaded, never without", async () => {
      const { store } = stage;
      const request = importRequest({}, started);
      await store.importRun(request);
      const run = await stage.claimOne(request.queue);
      expect(run.history ?? only(await store.loadHistories([run.runId])).events).toEqual(request.events);
    });

    test("mail that was taken is known, that which was not is read, and new mail follows it", async () => {
      const { store } = stage;
      // The second was an update that was refused: no event tells of it.
      const mail = [signal(1, "first"), signal(3, "third"), signal(4, "fourth")];
      const request = importRequest({ mail, takenMail: 3 });
      const { runId } = request;
      await store.importRun(request);
      expect(await store.readMail([{ runId, after: 3 }], 10)).toEqual([{ runId, ...mail[2] }]);
      expect(await store.readMail([{ runId, after: 0 }], 2)).toEqual([
        { runId, ...mail[0] },
        { runId, ...mail[1] },
      ]);
      for (const mailId of ["first", "third", "fourth"]) {
        expect((await stage.send(runId, { mailId })).outcome).toBe("duplicate");
      }
      expect(await stage.send(runId, { mailId: "new" })).toMatchObject({ outcome: "accepted", mail: 5, events: 3 });
      const run = await stage.claimOne(request.queue);
      expect(run).toMatchObject({ takenMail: 3, newestMail: 5 });
      expect(await stage.append(closingTurn(run, "completed"))).toBe(false);
      const [update] = await store.readUpdates([{ runId, mailId: "update:none", after: 0 }]);
      expect(update).toMatchObject({ mail: null, seen: 3, closed: null });
    });

    test("new mail follows what was taken, also where nothing of that is kept", async () => {
      const request = importRequest({ mail: [signal(1)], takenMail: 3 });
      await stage.store.importRun(request);
      expect(await stage.send(request.runId)).toMatchObject({ outcome: "accepted", mail: 4 });
      expect(await stage.claimOne(request.queue)).toMatchObject({ takenMail: 3, newestMail: 4 });
    });

    test("a run is imported once: repeated it is answered the same, by others it is refused", async () => {
      const { store } = stage;
      for (const request of [importRequest(), closedRequest()]) {
        expect(await store.importRun(request)).toBe("imported");
        expect(await store.importRun(request)).toBe("imported");
        expect(await store.importRun({ ...request, tag: randomUUID() })).toBe("runExists");
        expect(await store.readHistory(request.runId, 0, 10)).toEqual(request.events);
      }
      const here = await stage.owned();
      expect(await store.importRun(importRequest({ runId: here.runId }))).toBe("runExists");
      expect(await store.findRun({ runId: here.runId })).toMatchObject({ workflowId: here.workflowId, events: 1 });
    });

    test("beside an open run with the workflow id, a closed one comes in and an open one leaves no trace", async () => {
      const { store } = stage;
      const before = newRunId();
      const here = await stage.owned();
      const { workflowId } = here;
      const refused = importRequest({ workflowId, mail: [signal(1)] });
      expect(await store.importRun(refused)).toBe("workflowIdOpen");
      expect(await store.findRun({ runId: refused.runId })).toBeNull();
      expect(await store.readHistory(refused.runId, 0, 10)).toEqual([]);
      expect(await store.readMail([{ runId: refused.runId, after: 0 }], 10)).toEqual([]);
      const after = newRunId();
      expect(await store.importRun(closedRequest({ workflowId, runId: before }))).toBe("imported");
      expect(await store.importRun(closedRequest({ workflowId, runId: after }))).toBe("imported");
      expect((await store.findRun({ workflowId }))?.runId).toBe(here.runId);
      const listed = await store.listRuns({ workflowId, limit: 10 });
      expect(listed.map(({ runId }) => runId)).toEqual([after, here.runId, before]);
      const next = await store.listRuns({ workflowId, limit: 10, before: after });
      expect(next.map(({ runId }) => runId)).toEqual([here.runId, before]);
      await stage.commit(closingTurn(here, "completed"));
      expect((await store.findRun({ workflowId }))?.runId).toBe(after);
      expect(await store.importRun({ ...refused, tag: randomUUID() })).toBe("imported");
      expect((await store.findRun({ workflowId }))?.runId).toBe(refused.runId);
    });

    test("of many who import runs with one workflow id at once, one has an open run", async () => {
      const { store } = stage;
      const workflowId = newId("order");
      const outcomes = await Promise.all(
        Array.from({ length: 8 }, () => store.importRun(importRequest({ workflowId }))),
      );
      expect(outcomes.toSorted()).toEqual(["imported", ...Array.from({ length: 7 }, () => "workflowIdOpen")]);
      expect(await store.listRuns({ workflowId, limit: 10 })).toHaveLength(1);
      expect((await stage.start({ workflowId })).outcome).toBe("refused");
    });

    test("a history of thousands of events and mail comes in whole", async () => {
      const { store } = stage;
      const payload = JSON.stringify("x".repeat(3_000));
      const events = [started, ...Array.from({ length: 2_500 }, (_, n) => stepCompleted(n + 1, payload))];
      const mail = Array.from({ length: 1_200 }, (_, n) => signal(n + 1));
      const request = importRequest({ mail }, ...events);
      await store.importRun(request);
      const loaded = only(await store.loadHistories([request.runId]));
      expect(loaded.events).toEqual(request.events);
      expect(await store.readMail([{ runId: request.runId, after: 1_000 }], 500)).toHaveLength(200);
      expect(await stage.claimOne(request.queue)).toMatchObject({ events: 2_501, newestMail: 1_200 });
    });

    test("a deadline that has passed meanwhile closes the run, one that has not is kept", async () => {
      const { store } = stage;
      const inAnHour = await stage.inAnHour();
      const overdue = importRequest({ deadlineAt: AT + 1_000 });
      const later = importRequest({ deadlineAt: inAnHour });
      await store.importRun(overdue);
      await store.importRun(later);
      await stage.becomes("the deadline is noticed", async () => {
        await store.closeOverdue(1_000);
        return (await store.findRun({ runId: overdue.runId }))?.status === "timedOut";
      });
      expect(await store.findRun({ runId: later.runId })).toMatchObject({ status: "running", deadlineAt: inAnHour });
    });

    test("an imported run is found by its attributes, and deleted like any other", async () => {
      const { store } = stage;
      const request = closedRequest();
      await store.importRun(request);
      const { queue, runId } = request;
      const found = async (total: number) => {
        const runs = await store.listRuns({ queue, limit: 5, attributes: attributeConditions({ total }) });
        return runs.map((run) => run.runId);
      };
      expect([await found(13), await found(12)]).toEqual([[runId], []]);
      expect(await store.deleteRuns([request.runId])).toEqual([request.runId]);
      expect(await store.findRun({ runId: request.runId })).toBeNull();
      expect(await store.importRun(request)).toBe("imported");
    });
  });
}
