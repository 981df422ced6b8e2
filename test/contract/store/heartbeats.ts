// Heartbeats: what a step under way last said. It outlives the worker, counts as progress, and only the owner says it.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { claimOf, newRunId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function heartbeatsContract(stage: Stage): void {
  describe("heartbeats", () => {
    const beatsOf = async (runId: string) => {
      const { heartbeats } = only(await stage.store.loadHistories([runId]));
      return heartbeats.toSorted((a, b) => a.command - b.command);
    };

    test("the latest details of each step come with the history", async () => {
      const run = await stage.owned();
      const claim = claimOf(run);
      await stage.store.saveHeartbeats([
        { claim, command: 1, attempt: 1, details: '{"page":1}', isProgress: true },
        { claim, command: 2, attempt: 3, details: null, isProgress: true },
      ]);
      await stage.store.saveHeartbeats([{ claim, command: 1, attempt: 2, details: '{"page":2}', isProgress: true }]);
      expect(await beatsOf(run.runId)).toEqual([
        { command: 1, attempt: 2, details: '{"page":2}' },
        { command: 2, attempt: 3, details: null },
      ]);
    });

    test("details outlive the worker", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.store.saveHeartbeats([
        { claim: claimOf(run), command: 1, attempt: 1, details: '"half"', isProgress: true },
      ]);
      await stage.store.rescueRuns(workerId, 10);
      await stage.claimOne(run.queue);
      expect(await beatsOf(run.runId)).toEqual([{ command: 1, attempt: 1, details: '"half"' }]);
    });

    test("a heartbeat counts as progress", async () => {
      const { queue } = await stage.crashed(1);
      const workerId = randomUUID();
      const run = await stage.claimOne(queue, { workerId });
      await stage.store.saveHeartbeats([
        { claim: claimOf(run), command: 1, attempt: 1, details: null, isProgress: true },
      ]);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ crashCount: 0 });
      await stage.store.rescueRuns(workerId, 10);
      expect(await stage.claimOne(queue)).toMatchObject({ crashCount: 1 });
    });

    test("a heartbeat of an attempt that has not lived long keeps the count of claims without progress", async () => {
      const { queue } = await stage.crashed(1);
      const run = await stage.claimOne(queue);
      const beat = { claim: claimOf(run), command: 1, attempt: 1, details: '"soon"', isProgress: false };
      expect([...(await stage.store.saveHeartbeats([beat]))]).toEqual([run.runId]);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ crashCount: 2 });
    });

    test("the answer names the runs whose claim holds, and only their details are kept", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.saveHeartbeats([
        { claim: claimOf(stale), command: 1, attempt: 1, details: '"mine"', isProgress: true },
      ]);
      await stage.store.rescueRuns(workerId, 10);
      const fresh = await stage.owned();
      const closed = await stage.closed("completed");
      const kept = { command: 1, attempt: 1, details: '"late"' };
      const beat = { ...kept, isProgress: true };
      const held = await stage.store.saveHeartbeats([
        { claim: claimOf(stale), ...beat },
        { claim: claimOf(closed), ...beat },
        { claim: { ...claimOf(fresh), runId: newRunId() }, ...beat },
        { claim: claimOf(fresh), ...beat },
      ]);
      expect([...held]).toEqual([fresh.runId]);
      expect(await beatsOf(stale.runId)).toEqual([{ command: 1, attempt: 1, details: '"mine"' }]);
      expect(await beatsOf(fresh.runId)).toEqual([kept]);
      expect(await beatsOf(closed.runId)).toEqual([]);
      expect(await stage.store.findRun({ runId: stale.runId })).toMatchObject({ crashCount: 0, ownerId: null });
      expect((await stage.store.saveHeartbeats([])).size).toBe(0);
    });

    test("leftovers of closed runs are forgotten, those of open runs are not", async () => {
      const [closed, open] = [await stage.owned(), await stage.owned()];
      const kept = { command: 1, attempt: 1, details: '"half"' };
      const beat = { ...kept, isProgress: true };
      await stage.store.saveHeartbeats([closed, open].map((run) => ({ claim: claimOf(run), ...beat })));
      await stage.commit(turnOf(open));
      await stage.store.terminateRun(closed.runId, "enough");
      await stage.store.forgetLeftovers();
      expect(await beatsOf(closed.runId)).toEqual([]);
      expect(await beatsOf(open.runId)).toContainEqual(kept);
    });

    test("forgetting leaves runs and their histories as they are", async () => {
      const request = startRequest();
      await stage.startAs(request);
      const { runId } = await stage.closed("completed");
      await stage.store.forgetLeftovers();
      expect(await stage.store.readHistory(runId, 0, 10)).toHaveLength(2);
      expect(await stage.claimOne(request.queue)).toMatchObject({ runId: request.runId });
    });
  });
}
