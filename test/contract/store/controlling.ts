// Runs paused, resumed and unblocked from outside: what may be claimed changes at once, and what the owner of a run knows of
// its history stays right.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { actedBy } from "../../../runtime/store/acted-by.ts";
import type { ControlKind, ControlOutcome } from "../../../runtime/store/mail.ts";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import { newRunId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function controllingContract(stage: Stage): void {
  const control = (runId: string, kind: ControlKind, mailId: string = randomUUID()): Promise<ControlOutcome> =>
    stage.store.controlRun({ runId, kind, mailId, reason: kind === "pause" ? "out of 'stock'" : "" });
  const mailOf = async (runId: string) =>
    (await stage.store.readMail([{ runId, after: 0 }], 10)).map(({ mail, kind, name }) => ({ mail, kind, name }));

  describe("who does it", () => {
    test("is kept with the mail, the pause and the termination; without a name nothing is", async () => {
      const actor = `Zoë "O'Hara" \u2028`;
      const start = startRequest();
      await stage.startAs(start);
      const { runId } = start;
      for (const by of [{ actor }, {}]) {
        await stage.store.controlRun({ runId, kind: "pause", mailId: randomUUID(), reason: "later", ...by });
        const detail = await stage.store.findRun({ runId });
        expect(detail?.paused).toEqual({ reason: "later", at: detail?.paused?.at, ...by });
        await stage.store.controlRun({ runId, kind: "resume", mailId: randomUUID(), reason: "", ...by });
        await stage.store.moveRun({ runId, mailId: randomUUID(), version: "actor" in by ? "1.0.0" : null, ...by });
      }
      const mail = await stage.store.readMail([{ runId, after: 0 }], 10);
      expect(mail.map(({ kind, payload }) => [kind, actedBy(payload)])).toEqual([
        ["pause", { actor }],
        ["resume", { actor }],
        ["move", { actor }],
        ["pause", {}],
        ["resume", {}],
        ["move", {}],
      ]);
      expect(mail.slice(3).map(({ payload }) => payload)).toEqual([null, null, null]);
      await stage.store.terminateRun(runId, "enough", actor);
      const outcome = (await stage.store.readOutcomes([runId])).get(runId);
      expect(outcome && fromRecord(outcome.event)).toMatchObject({ type: "RunTerminated", reason: "enough", actor });
    });
  });

  describe("pausing", () => {
    test("a due run that is paused is not claimed, and says since when and why", async () => {
      const start = startRequest();
      await stage.startAs(start);
      const before = await stage.now();
      expect(await control(start.runId, "pause")).toEqual({ outcome: "changed", queue: start.queue, ownerId: null });
      expect(await stage.claim(start.queue)).toMatchObject({ claimed: [], nextDueInMs: null, hasDueSuspects: false });
      const detail = await stage.store.findRun({ runId: start.runId });
      expect(detail).toMatchObject({
        status: "running",
        paused: { reason: "out of 'stock'" },
        events: 1,
        unreadMail: 1,
      });
      expect(detail?.paused?.at).toBeGreaterThanOrEqual(before);
      const listed = (isPaused: boolean) => stage.store.listRuns({ queue: start.queue, isPaused, limit: 10 });
      expect((await listed(true)).map(({ paused }) => paused?.reason)).toEqual(["out of 'stock'"]);
      expect(await listed(false)).toEqual([]);
    });

    test("a resumed run is due at once, with mail that tells of both", async () => {
      const parked = await stage.owned();
      await stage.park(parked, await stage.inAnHour());
      await control(parked.runId, "pause");
      expect(await control(parked.runId, "resume")).toMatchObject({ outcome: "changed" });
      const again = await stage.claimOne(parked.queue);
      expect(again).toMatchObject({ runId: parked.runId, newestMail: 2, takenMail: 0, events: parked.events });
      expect(await mailOf(parked.runId)).toEqual([
        { mail: 1, kind: "pause", name: "out of 'stock'" },
        { mail: 2, kind: "resume", name: "" },
      ]);
      expect(await stage.store.findRun({ runId: parked.runId })).toMatchObject({ paused: null });
    });

    test("an owner keeps the right to write, and what it lets go of is claimed by nobody", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      expect(await control(run.runId, "pause")).toMatchObject({ outcome: "changed", ownerId: workerId });
      expect(await stage.store.runsWithMail(workerId)).toEqual([run.runId]);
      expect(await stage.append(turnOf(run))).toBe(true);
      const left = { claim: run, events: 2, takenMail: 0, wakeAt: 0, timer: null };
      expect([...(await stage.store.parkRuns([left])).values()]).toEqual(["mail"]);
      await stage.store.releaseRuns([run]);
      await stage.send(run.runId);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      await control(run.runId, "resume");
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, events: 2, newestMail: 3 });
    });

    test("a run whose worker is lost stays paused, however often it has crashed", async () => {
      const start = await stage.crashed(3);
      const workerId = randomUUID();
      await stage.claimOne(start.queue, { workerId, suspects: "only" });
      await control(start.runId, "pause");
      await stage.store.rescueRuns(workerId, 10);
      expect(await stage.claim(start.queue)).toMatchObject({ claimed: [], hasDueSuspects: false });
      expect(await stage.claim(start.queue, { suspects: "only" })).toMatchObject({ claimed: [], nextDueInMs: null });
      await control(start.runId, "resume");
      expect(await stage.claimOne(start.queue, { suspects: "only" })).toMatchObject({ crashCount: 5 });
    });

    test("a blocked run that is paused is not tried, and is blocked still when it is resumed", async () => {
      const run = await stage.blocked();
      const request = { workflows: ["order"], queues: [run.queue], after: null, limit: 10 };
      await control(run.runId, "pause");
      expect(await stage.store.findBlocked(request)).toEqual([]);
      expect(await stage.store.claimBlocked(randomUUID(), randomUUID(), [run.runId])).toEqual([]);
      await control(run.runId, "resume");
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "blocked", wakeAt: null });
      expect(await stage.store.findBlocked(request)).toHaveLength(1);
    });

    test("what is asked for again, or does not apply, changes nothing", async () => {
      const run = await stage.owned();
      expect(await control(run.runId, "resume")).toMatchObject({ outcome: "unchanged" });
      expect(await control(run.runId, "pause", "p")).toMatchObject({ outcome: "changed" });
      expect(await control(run.runId, "pause")).toMatchObject({ outcome: "unchanged" });
      await control(run.runId, "resume");
      expect(await control(run.runId, "pause", "p")).toMatchObject({ outcome: "unchanged" });
      expect(await mailOf(run.runId)).toHaveLength(2);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ paused: null });
    });

    test("a closed run is not paused, and there is no run of an unknown id", async () => {
      const run = await stage.closed("completed");
      expect(await control(run.runId, "pause")).toMatchObject({ outcome: "closed" });
      expect(await control(newRunId(), "pause")).toMatchObject({ outcome: "notFound" });
      expect(await control("no run id", "pause")).toMatchObject({ outcome: "notFound" });
    });

    test("a paused run can be terminated, and is not paused any more", async () => {
      const run = await stage.owned();
      await control(run.runId, "pause");
      expect(await stage.store.terminateRun(run.runId, "enough")).toBe("terminated");
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "terminated", paused: null });
    });

    test("a pause that races with a claim: the run is not claimed, or its owner is told", async () => {
      for (let round = 0; round < 10; round += 1) {
        const start = startRequest();
        await stage.startAs(start);
        const workerId = randomUUID();
        const [{ claimed }] = await Promise.all([
          stage.claim(start.queue, { workerId }),
          control(start.runId, "pause"),
        ]);
        if (claimed.length === 0) expect(await stage.claim(start.queue)).toMatchObject({ claimed: [] });
        else expect(await stage.store.runsWithMail(workerId)).toEqual([start.runId]);
      }
    });
  });

  describe("unblocking", () => {
    test("a quarantined run is claimable again, without blame and with mail that says what for", async () => {
      const start = await stage.crashed(5);
      expect((await stage.claim(start.queue, { suspects: "only" })).quarantined).toEqual([start.runId]);
      expect(await control(start.runId, "unblock")).toMatchObject({ outcome: "changed" });
      expect(await stage.claimOne(start.queue)).toMatchObject({ runId: start.runId, crashCount: 1, newestMail: 1 });
      expect(await mailOf(start.runId)).toEqual([{ mail: 1, kind: "unblock", name: "quarantine" }]);
    });

    test("a run that is not blocked stays as it is", async () => {
      const run = await stage.owned();
      expect(await control(run.runId, "unblock")).toMatchObject({ outcome: "unchanged" });
      expect(await mailOf(run.runId)).toEqual([]);
      expect(only(await stage.store.loadHistories([run.runId])).events).toHaveLength(1);
    });
  });
}
