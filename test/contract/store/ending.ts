// Ends that come from outside: terminated by a person, or closed when the time is up. Whoever owned the run finds its
// claim gone.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import { closingTurn, newId, newRunId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function endingContract(stage: Stage): void {
  describe("terminating", () => {
    const endOf = async (runId: string) => {
      const outcome = (await stage.store.readOutcomes([runId])).get(runId);
      return outcome === undefined ? undefined : { status: outcome.status, event: fromRecord(outcome.event) };
    };

    test("a terminated run ends with the reason, and its owner can write no more", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.commit(turnOf(run));
      expect(await stage.store.terminateRun(run.runId, "out of 'stock'")).toBe("terminated");
      expect(await endOf(run.runId)).toMatchObject({
        status: "terminated",
        event: { type: "RunTerminated", reason: "out of 'stock'", seq: 3 },
      });
      expect(await stage.append(turnOf(run, { base: 2 }))).toBe(false);
      expect(await stage.append(turnOf(run, { base: 3 }))).toBe(false);
      expect(only(await stage.store.resolveTurns([turnOf(run)]))).toMatchObject({ owned: false, events: 3 });
      expect(await stage.store.claimsOf(workerId)).toEqual([]);
    });

    test("waiting, parked and blocked runs are terminated too", async () => {
      const waiting = startRequest({ delayMs: 600_000 });
      await stage.startAs(waiting);
      const parked = await stage.owned();
      await stage.park(parked);
      const blocked = await stage.blocked();
      for (const { runId, queue } of [waiting, parked, blocked]) {
        expect(await stage.store.terminateRun(runId, "enough")).toBe("terminated");
        expect(await stage.store.findRun({ runId })).toMatchObject({ status: "terminated", events: 2, blocked: null });
        expect(await stage.claim(queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      }
    });

    test("a run is terminated once, and only if it is there and open", async () => {
      const { runId } = await stage.owned();
      expect(await stage.store.terminateRun(runId, "first")).toBe("terminated");
      expect(await stage.store.terminateRun(runId, "second")).toBe("closed");
      expect(await endOf(runId)).toMatchObject({ event: { reason: "first", seq: 2 } });
      const completed = await stage.closed("completed");
      expect(await stage.store.terminateRun(completed.runId, "late")).toBe("closed");
      expect(await endOf(completed.runId)).toMatchObject({ status: "completed", event: { seq: 2 } });
      expect(await stage.store.terminateRun(newRunId(), "nobody")).toBe("notFound");
    });

    test("a termination that races with a close: one of them ends the run, and both are told", async () => {
      for (let round = 0; round < 10; round += 1) {
        const run = await stage.owned();
        const [isClosed, answer] = await Promise.all([
          stage.append(closingTurn(run, "completed")),
          stage.store.terminateRun(run.runId, "enough"),
        ]);
        expect(answer).toBe(isClosed ? "closed" : "terminated");
        expect(await endOf(run.runId)).toMatchObject({
          status: isClosed ? "completed" : "terminated",
          event: { seq: 2 },
        });
      }
    });

    test("a workflow id is free again after a termination", async () => {
      const { runId, workflowId } = await stage.owned();
      await stage.store.terminateRun(runId, "enough");
      expect(await stage.start({ workflowId })).toMatchObject({ outcome: "started" });
    });
  });

  describe("running out of time", () => {
    const isTimedOut = async (runId: string) => {
      await stage.store.closeOverdue(100);
      return (await stage.store.findRun({ runId }))?.status === "timedOut";
    };

    test("a run past its deadline is closed as timed out, whoever owns it", async () => {
      const owned = await stage.owned({ timeoutMs: 150 });
      const blocked = await stage.blocked({ timeoutMs: 150 });
      const parked = await stage.owned({ timeoutMs: 150 });
      await stage.park(parked);
      for (const { runId, deadlineAt } of [owned, blocked, parked]) {
        await stage.becomes("the run is timed out", () => isTimedOut(runId));
        const outcome = (await stage.store.readOutcomes([runId])).get(runId);
        expect(outcome?.event.at).toBeGreaterThanOrEqual(deadlineAt ?? Number.POSITIVE_INFINITY);
        expect(outcome === undefined ? undefined : fromRecord(outcome.event)).toMatchObject({
          type: "RunTimedOut",
          timeoutMs: 150,
          seq: 2,
        });
      }
      expect(await stage.append(turnOf(owned))).toBe(false);
      expect(await stage.append(turnOf(owned, { base: 2 }))).toBe(false);
      expect(await stage.send(owned.runId)).toMatchObject({ outcome: "closed" });
    });

    test("the ids of the closed are answered once, up to a limit", async () => {
      const queue = newId("queue");
      const requests = Array.from({ length: 4 }, () => startRequest({ queue, timeoutMs: 1 }));
      await stage.store.startRuns(requests);
      const answered: string[] = [];
      await stage.becomes("all are closed", async () => {
        const closed = await stage.store.closeOverdue(3);
        expect(closed.length).toBeLessThanOrEqual(3);
        answered.push(...closed);
        return requests.every(({ runId }) => answered.includes(runId));
      });
      expect(new Set(answered).size).toBe(answered.length);
    });

    test("a run before its deadline, without one, or closed already is left alone", async () => {
      const early = await stage.owned({ timeoutMs: 3_600_000 });
      const endless = await stage.owned();
      const closed = await stage.closed("completed", { timeoutMs: 1 });
      const late = startRequest({ timeoutMs: 1 });
      await stage.startAs(late);
      await stage.becomes("a run that started later is timed out", () => isTimedOut(late.runId));
      expect(await stage.store.findRun({ runId: early.runId })).toMatchObject({ status: "running" });
      expect(await stage.store.findRun({ runId: endless.runId })).toMatchObject({ status: "running" });
      expect(await stage.store.findRun({ runId: closed.runId })).toMatchObject({ status: "completed", events: 2 });
    });
  });
}
