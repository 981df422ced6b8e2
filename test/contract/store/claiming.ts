// Claiming: which runs a worker gets, in which order, and what becomes of those that end their workers.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { claimOf, newId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function claimingContract(stage: Stage): void {
  describe("claiming", () => {
    test("a claim tells all about the run and names its new owner", async () => {
      const workerId = randomUUID();
      const claimId = randomUUID();
      const request = startRequest({ timeoutMs: 60_000 });
      await stage.startAs(request);
      const { runId, workflowId, workflow, queue } = request;
      const run = await stage.claimOne(queue, { workerId, claimId });
      expect(run).toEqual({
        runId,
        workflowId,
        workflow,
        queue,
        version: null,
        epoch: run.epoch,
        claimId,
        startedAt: run.startedAt,
        deadlineAt: run.startedAt + 60_000,
        events: 1,
        takenMail: 0,
        newestMail: 0,
        crashCount: 1,
        history: await stage.store.readHistory(runId, 0, 1),
        hasFired: false,
      });
      expect(await stage.store.findRun({ runId })).toMatchObject({ ownerId: workerId, epoch: run.epoch, wakeAt: null });
      expect(await stage.store.claimsOf(workerId)).toEqual([{ runId, epoch: run.epoch, claimId }]);
    });

    test("an owned run is not claimed again", async () => {
      const { queue } = await stage.owned();
      expect(await stage.claim(queue)).toMatchObject({ claimed: [], quarantined: [], nextDueInMs: null });
    });

    test("the run due first is claimed first", async () => {
      const queue = newId("queue");
      await stage.store.startRuns([0, 1, 2].map(() => startRequest({ queue })));
      const [a, b, c] = (await stage.claim(queue)).claimed;
      if (a === undefined || b === undefined || c === undefined) throw new Error("Not all runs were claimed.");
      const now = await stage.now();
      await stage.park(a, now - 2_000);
      await stage.park(b, now - 3_000);
      await stage.park(c, now - 1_000);
      const order: string[] = [];
      for (let n = 0; n < 3; n += 1) order.push((await stage.claimOne(queue, { limit: 1 })).runId);
      expect(order).toEqual([b.runId, a.runId, c.runId]);
    });

    test("a limit leaves the rest due", async () => {
      const queue = newId("queue");
      await stage.store.startRuns(Array.from({ length: 7 }, () => startRequest({ queue })));
      const first = await stage.claim(queue, { limit: 5 });
      expect(first.claimed).toHaveLength(5);
      expect(first.nextDueInMs).toBe(0);
      const second = await stage.claim(queue, { limit: 5 });
      expect(second.claimed).toHaveLength(2);
      expect(second.nextDueInMs).toBeNull();
    });

    test("only the named queues are looked at", async () => {
      const here = startRequest();
      const there = startRequest();
      const elsewhere = startRequest();
      await stage.store.startRuns([here, there, elsewhere]);
      const { claimed, nextDueInMs } = await stage.claim(here.queue, { queues: [here.queue, there.queue] });
      expect(new Set(claimed.map(({ runId }) => runId))).toEqual(new Set([here.runId, there.runId]));
      expect(nextDueInMs).toBeNull();
    });

    test("across queues, too, the run due first is claimed first", async () => {
      const a = await stage.owned();
      const b = await stage.owned();
      const now = await stage.now();
      await stage.park(a, now - 1_000);
      await stage.park(b, now - 2_000);
      expect(await stage.claimOne(a.queue, { queues: [a.queue, b.queue], limit: 1 })).toMatchObject({ runId: b.runId });
    });

    test("a delayed run is not due, and the answer tells how long", async () => {
      const { queue } = startRequest();
      await stage.start({ queue, delayMs: 600_000 });
      await stage.start({ queue, delayMs: 900_000 });
      const { claimed, nextDueInMs } = await stage.claim(queue);
      expect(claimed).toEqual([]);
      expect(nextDueInMs).toBeLessThanOrEqual(600_000);
      expect(nextDueInMs).toBeGreaterThan(500_000);
    });

    test("a delayed run becomes due, never before its time", async () => {
      const { queue } = startRequest();
      await stage.start({ queue, delayMs: 150 });
      const run = await stage.becomes("the delayed run is due", async () => {
        const { claimed, now } = await stage.claim(queue);
        return claimed[0] === undefined ? null : { ...claimed[0], claimedAt: now };
      });
      expect(run.claimedAt).toBeGreaterThanOrEqual(run.startedAt + 150);
    });

    test("every claim raises the epoch", async () => {
      const first = await stage.owned();
      await stage.store.releaseRuns([claimOf(first)]);
      const second = await stage.claimOne(first.queue);
      expect(second.epoch).toBeGreaterThan(first.epoch);
      expect(second.claimId).not.toBe(first.claimId);
    });

    test("many claims at once never give one run to two", async () => {
      const queue = newId("queue");
      await stage.store.startRuns(Array.from({ length: 40 }, () => startRequest({ queue })));
      const taken = new Set<string>();
      await stage.becomes("all runs are claimed", async () => {
        const answers = await Promise.all(Array.from({ length: 8 }, () => stage.claim(queue, { limit: 7 })));
        for (const { runId } of answers.flatMap(({ claimed }) => claimed)) {
          if (taken.has(runId)) throw new TwiceClaimed(runId);
          taken.add(runId);
        }
        return taken.size === 40;
      });
    });

    test("claims without progress are counted over their owners", async () => {
      const { queue, runId } = await stage.crashed(1);
      expect(await stage.claimOne(queue)).toMatchObject({ runId, crashCount: 2 });
      expect(await stage.store.findRun({ runId })).toMatchObject({ crashCount: 2 });
    });

    test("an append clears the count", async () => {
      const { queue } = await stage.crashed(1);
      const workerId = randomUUID();
      const run = await stage.claimOne(queue, { workerId });
      await stage.commit(turnOf(run));
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ crashCount: 0 });
      await stage.store.rescueRuns(workerId, 10);
      expect(await stage.claimOne(queue)).toMatchObject({ crashCount: 1 });
    });

    test("a run claimed twice without progress is a suspect: claimed only where suspects are asked for", async () => {
      const { queue, runId } = await stage.crashed(2);
      const sound = startRequest({ queue });
      await stage.startAs(sound);
      expect(await stage.claimOne(queue, { suspects: "exclude" })).toMatchObject({ runId: sound.runId });
      expect(await stage.claimOne(queue, { suspects: "only" })).toMatchObject({ runId, crashCount: 3 });
    });

    test("asking for suspects takes nothing else", async () => {
      const request = startRequest();
      await stage.startAs(request);
      expect(await stage.claim(request.queue, { suspects: "only" })).toMatchObject({ claimed: [], nextDueInMs: null });
    });

    test("a due suspect does not make the others' next claim look due", async () => {
      const { queue } = await stage.crashed(2);
      expect(await stage.claim(queue, { suspects: "exclude" })).toMatchObject({ claimed: [], nextDueInMs: null });
    });

    test("a run that has ended five workers is set aside instead of claimed", async () => {
      const { queue, runId } = await stage.crashed(5);
      const answer = await stage.claim(queue, { suspects: "only" });
      expect(answer).toMatchObject({ claimed: [], quarantined: [runId], nextDueInMs: null });
      const run = await stage.store.findRun({ runId });
      expect(run).toMatchObject({ status: "blocked", ownerId: null, wakeAt: null, blocked: { kind: "quarantine" } });
      expect(run?.crashCount).toBeGreaterThanOrEqual(5);
      expect(await stage.claim(queue, { suspects: "only" })).toMatchObject({ claimed: [], quarantined: [] });
    });

    test("a fifth claim is still given", async () => {
      const { queue, runId } = await stage.crashed(4);
      expect(await stage.claimOne(queue, { suspects: "only" })).toMatchObject({ runId, crashCount: 5 });
    });

    test("claiming lists no closed run", async () => {
      const request = startRequest();
      await stage.startAs(request);
      await stage.store.terminateRun(request.runId, "enough");
      expect(await stage.claim(request.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
    });

    test("a worker's claims are all of its own, whichever call made them", async () => {
      const workerId = randomUUID();
      const runs = [await stage.owned({}, workerId), await stage.owned({}, workerId)];
      await stage.owned();
      const claims = await stage.store.claimsOf(workerId);
      expect(new Set(claims.map((claim) => claim.runId))).toEqual(new Set(runs.map(({ runId }) => runId)));
      for (const claim of claims)
        expect(claim).toEqual(claimOf(only(runs.filter(({ runId }) => runId === claim.runId))));
    });

    test("a worker that never claimed has no claims", async () => {
      expect(await stage.store.claimsOf(randomUUID())).toEqual([]);
    });
  });
}

/** Ends the waiting at once: asking again cannot make it untrue. */
class TwiceClaimed extends Error {
  readonly isFinal = true;

  constructor(runId: string) {
    super(`Run ${runId} was claimed twice.`);
  }
}
