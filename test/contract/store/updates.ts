// Updates: told by the events after they were sent, or by the refusal that is kept with their mail and nowhere else.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { Event } from "../../../sdk/protocol/event.ts";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import type { UpdateRefusal } from "../../../sdk/protocol/update-refusal.ts";
import { closingTurn, newRunId, only, type Stage, signalReceived, startRequest, turnOf } from "./stage.ts";

const failure = { kind: "application", message: "no 'stock'\n", type: "OutOfStock", retryable: true } as const;
const refusal: UpdateRefusal = { code: "UPDATE_REJECTED", message: "no \u0000 stock", failure };

export function updatesContract(stage: Stage): void {
  describe("updates", () => {
    const sent = (runId: string, updateId: string) =>
      stage.send(runId, { kind: "update", mailId: `update:${updateId}`, name: "add", payload: "1" });
    const trace = async (runId: string, updateId: string, after = 0) => {
      const look = { runId, mailId: `update:${updateId}`, after };
      const { events, runId: holderId, ...rest } = only(await stage.store.readUpdates([look]));
      expect(holderId).toBe(runId);
      return { ...rest, events: events.map((event) => fromRecord(event)) };
    };
    const accepted = (mail: number, updateId: string): Event => {
      return { type: "UpdateAccepted", name: "add", updateId, mail, input: "1" };
    };
    const completed = (updateId: string, result: string): Event => {
      return { type: "UpdateCompleted", name: "add", updateId, result, failure: null };
    };
    const refusing = (run: ClaimedRun, mail: number, base = run.events) => {
      return { ...turnOf(run, { base, takenMail: mail, refusals: [{ mail, refusal }] }), events: [] };
    };
    const boxOf = (runId: string) => stage.store.readMail([{ runId, after: 0 }], 100);

    test("mail tells how many events the run had when it was accepted", async () => {
      const run = await stage.owned();
      await stage.commit(turnOf(run));
      expect(await sent(run.runId, "u")).toMatchObject({ outcome: "accepted", events: 2 });
      expect(await sent(run.runId, "u")).toMatchObject({ outcome: "duplicate", events: 0 });
      expect((await boxOf(run.runId)).map(({ kind, mailId }) => [kind, mailId])).toEqual([["update", "update:u"]]);
    });

    test("an update comes with the start, and to the existing run that a start takes", async () => {
      const mail = { kind: "update", mailId: "update:u", name: "add", payload: "1" } as const;
      const request = startRequest({ mail });
      await stage.startAs(request);
      await stage.start({
        workflowId: request.workflowId,
        onConflict: "useExisting",
        mail: { ...mail, mailId: "update:v" },
      });
      expect((await boxOf(request.runId)).map(({ kind, mailId }) => [kind, mailId])).toEqual([
        ["update", "update:u"],
        ["update", "update:v"],
      ]);
    });

    test("what became of an update is told by the events after those that were seen", async () => {
      const run = await stage.owned();
      const { runId } = run;
      await sent(runId, "u");
      await sent(runId, "v");
      expect(await trace(runId, "u")).toEqual({ mail: 1, refusal: null, events: [], seen: 1, closed: null });
      await stage.commit(turnOf(run, { takenMail: 2 }, accepted(1, "u"), accepted(2, "v"), completed("v", "2")));
      await stage.commit(turnOf(run, { base: 4, takenMail: 2 }, completed("u", "3")));
      expect(await trace(runId, "u")).toMatchObject({
        events: [
          { type: "UpdateAccepted", seq: 2, updateId: "u" },
          { type: "UpdateCompleted", seq: 5, result: "3" },
        ],
        seen: 5,
      });
      expect((await trace(runId, "u", 2)).events).toMatchObject([{ type: "UpdateCompleted", seq: 5 }]);
      expect((await trace(runId, "v", 2)).events).toMatchObject([{ updateId: "v" }, { updateId: "v", result: "2" }]);
      expect(await trace(runId, "u", 5)).toMatchObject({ mail: 1, events: [], seen: 5 });
    });

    test("many looks are answered in their order, also for what is not there", async () => {
      const run = await stage.owned();
      await sent(run.runId, "u");
      const nobody = newRunId();
      const looks = [
        { runId: nobody, mailId: "update:u", after: 0 },
        { runId: run.runId, mailId: "update:u", after: 0 },
        { runId: run.runId, mailId: "update:v", after: 0 },
        { runId: "no run id at all", mailId: "update:v", after: 0 },
      ];
      expect(await stage.store.readUpdates(looks)).toEqual([
        { runId: nobody, mail: null, refusal: null, events: [], seen: 0, closed: null },
        { runId: run.runId, mail: 1, refusal: null, events: [], seen: 1, closed: null },
        { runId: run.runId, mail: null, refusal: null, events: [], seen: 1, closed: null },
        { runId: "no run id at all", mail: null, refusal: null, events: [], seen: 0, closed: null },
      ]);
      expect(await stage.store.readUpdates([])).toEqual([]);
    });

    test("a refused update is out of the mailbox without an event, and keeps why", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await sent(run.runId, "u");
      expect(await stage.store.runsWithMail(workerId)).toEqual([run.runId]);
      await stage.commit(refusing(run, 1));
      expect(await stage.store.runsWithMail(workerId)).toEqual([]);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 1, unreadMail: 0 });
      expect(await trace(run.runId, "u")).toEqual({ mail: 1, refusal, events: [], seen: 1, closed: null });
      expect(await sent(run.runId, "u")).toMatchObject({ outcome: "duplicate" });
    });

    test("a turn that only refuses may be sent again: it changes nothing, and a look for it finds nothing", async () => {
      const run = await stage.owned();
      await sent(run.runId, "u");
      const turn = await stage.commit(refusing(run, 1));
      expect(only(await stage.store.resolveTurns([turn]))).toMatchObject({ landed: false, owned: true, events: 1 });
      expect(await stage.append(turn)).toBe(true);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 1, unreadMail: 0 });
    });

    test("a turn that only refuses and arrives once more behind a later one moves the mailbox not back", async () => {
      const run = await stage.owned();
      await sent(run.runId, "u");
      await sent(run.runId, "v");
      const first = await stage.commit(refusing(run, 1));
      await stage.commit(refusing(run, 2));
      expect(await stage.append(first)).toBe(true);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 1, unreadMail: 0 });
    });

    test("events and refusals go in together", async () => {
      const run = await stage.owned();
      await sent(run.runId, "u");
      await stage.send(run.runId, { mailId: "s" });
      await stage.commit(turnOf(run, { takenMail: 2, refusals: [{ mail: 1, refusal }] }, signalReceived(2, "s")));
      expect(await trace(run.runId, "u")).toMatchObject({ refusal, seen: 2 });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 2, unreadMail: 0 });
    });

    test("an owner who lost the run refuses nothing", async () => {
      const run = await stage.owned();
      await sent(run.runId, "u");
      await stage.store.releaseRuns([run]);
      const next = await stage.claimOne(run.queue);
      expect(await stage.append(refusing(run, 1))).toBe(false);
      expect(await trace(run.runId, "u")).toMatchObject({ mail: 1, refusal: null });
      expect(next).toMatchObject({ takenMail: 0, newestMail: 1 });
      expect(await stage.append(refusing(next, 1))).toBe(true);
    });

    test("one call appends turns that refuse beside turns that do not", async () => {
      const [a, b, c] = [await stage.owned(), await stage.owned(), await stage.owned()];
      for (const { runId } of [b, c]) await sent(runId, "u");
      const { committed } = await stage.store.appendTurns([turnOf(a), refusing(b, 1), refusing(c, 1, 7)]);
      expect([a, b, c].map(({ runId }) => committed.has(runId))).toEqual([true, true, false]);
      expect(await trace(b.runId, "u")).toMatchObject({ refusal });
      expect(await trace(c.runId, "u")).toMatchObject({ refusal: null });
    });

    test("a turn that brings nothing is a mistake", async () => {
      const run = await stage.owned();
      await expect(stage.append({ ...turnOf(run), events: [] })).rejects.toMatchObject({ code: "INVARIANT_BROKEN" });
    });

    test("after the close it is known how the run ended and what became of its updates", async () => {
      const run = await stage.owned();
      for (const id of ["u", "v"]) await sent(run.runId, id);
      await stage.commit(turnOf(run, { takenMail: 2, refusals: [{ mail: 2, refusal }] }, accepted(1, "u")));
      await stage.commit(closingTurn(run, "completed", { base: 2, takenMail: 2 }));
      expect(await trace(run.runId, "u")).toMatchObject({
        events: [{ type: "UpdateAccepted" }],
        seen: 3,
        closed: "completed",
      });
      expect(await trace(run.runId, "v", 3)).toMatchObject({ refusal, events: [], closed: "completed" });
      const terminated = await stage.owned();
      await sent(terminated.runId, "u");
      await stage.store.terminateRun(terminated.runId, "enough");
      expect(await trace(terminated.runId, "u")).toMatchObject({ mail: 1, refusal: null, closed: "terminated" });
    });
  });
}
