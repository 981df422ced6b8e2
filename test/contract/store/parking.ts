// Letting go of runs: parked, released, blocked or taken from a lost worker. Whoever lets go can write no more, and no
// run is let go of for ever.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import type { BlockedReason } from "../../../sdk/protocol/run.ts";
import {
  claimOf,
  newId,
  newRunId,
  only,
  type Stage,
  signalReceived,
  startRequest,
  stepCompleted,
  turnOf,
} from "./stage.ts";

export function parkingContract(stage: Stage): void {
  const parkOf = ({ events, takenMail, ...claim }: ClaimedRun, wakeAt: number | null) => {
    return { claim: claimOf(claim), events, takenMail, wakeAt, timer: null };
  };

  describe("parking", () => {
    test("a parked run has no owner and is due at its time", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      const wakeAt = await stage.inAnHour();
      expect([...(await stage.store.parkRuns([parkOf(run, wakeAt)]))]).toEqual([[run.runId, "parked"]]);
      const detail = await stage.store.findRun({ runId: run.runId });
      expect(detail).toMatchObject({ status: "running", ownerId: null, wakeAt, crashCount: 0 });
      expect(await stage.store.claimsOf(workerId)).toEqual([]);
      const { claimed, nextDueInMs } = await stage.claim(run.queue);
      expect(claimed).toEqual([]);
      expect(nextDueInMs).toBeGreaterThan(3_000_000);
    });

    test("a parked run is claimed when its time has come, never before", async () => {
      const run = await stage.owned();
      const wakeAt = (await stage.now()) + 150;
      await stage.park(run, wakeAt);
      const answer = await stage.becomes("the parked run is due", async () => {
        const claim = await stage.claim(run.queue);
        return claim.claimed.length > 0 ? claim : null;
      });
      expect(answer.now).toBeGreaterThanOrEqual(wakeAt);
      expect(only(answer.claimed)).toMatchObject({ runId: run.runId, crashCount: 1 });
    });

    test("a run parked until nothing but mail is not due", async () => {
      const run = await stage.owned();
      await stage.park(run, null);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ wakeAt: null, ownerId: null });
    });

    test("a run with mail is not parked, and stays with its owner", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "m" });
      expect([...(await stage.store.parkRuns([parkOf(run, null)]))]).toEqual([[run.runId, "mail"]]);
      expect(await stage.append(turnOf(run, { takenMail: 1 }, signalReceived(1, "m")))).toBe(true);
      const parked = await stage.store.parkRuns([parkOf({ ...run, events: 2, takenMail: 1 }, null)]);
      expect(parked.get(run.runId)).toBe("parked");
    });

    test("the one who has parked a run can write no more", async () => {
      const run = await stage.owned();
      await stage.park(run);
      expect(await stage.append(turnOf(run))).toBe(false);
      expect(only(await stage.store.resolveTurns([turnOf(run)]))).toMatchObject({ landed: false, owned: false });
    });

    test("parking again, or with a stale claim, is lost and changes nothing", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.park(run, null);
      expect((await stage.store.parkRuns([parkOf(run, 0)])).get(run.runId)).toBe("lost");
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [] });
      await stage.send(run.runId);
      const fresh = await stage.claimOne(run.queue);
      expect((await stage.store.parkRuns([parkOf(run, 0)])).get(run.runId)).toBe("lost");
      expect(await stage.append(turnOf(fresh))).toBe(true);
    });

    test("an owner that does not know all events of the run cannot park it", async () => {
      const run = await stage.owned();
      await stage.commit(turnOf(run));
      expect((await stage.store.parkRuns([parkOf(run, null)])).get(run.runId)).not.toBe("parked");
      expect(await stage.append(turnOf(run, { base: 2 }))).toBe(true);
    });

    test("many runs are parked in one call, each by itself", async () => {
      const [a, b, c] = [await stage.owned(), await stage.owned(), await stage.owned()];
      await stage.send(b.runId);
      await stage.store.terminateRun(c.runId, "enough");
      const nobody = parkOf({ ...a, runId: newRunId() }, null);
      const requests = [parkOf(c, null), parkOf(b, null), nobody, parkOf(a, null)];
      expect(new Map(await stage.store.parkRuns(requests))).toEqual(
        new Map([
          [a.runId, "parked"],
          [b.runId, "mail"],
          [c.runId, "lost"],
          [nobody.claim.runId, "lost"],
        ]),
      );
      expect((await stage.store.parkRuns([])).size).toBe(0);
    });

    test("mail that races with parking is never slept through", async () => {
      for (let round = 0; round < 10; round += 1) {
        const run = await stage.owned();
        const [outcomes] = await Promise.all([stage.store.parkRuns([parkOf(run, null)]), stage.send(run.runId)]);
        if (outcomes.get(run.runId) === "mail") expect(await stage.append(turnOf(run))).toBe(true);
        else expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, newestMail: 1 });
      }
    });
  });

  describe("a run that was parked for a timer", () => {
    const timer = { command: 7, name: "payday" };
    const fired = { type: "TimerFired", ...timer };
    const eventsOf = ({ history }: ClaimedRun) => (history ?? []).map((event) => fromRecord(event));

    test("is claimed with the timer fired, as its last event", async () => {
      const run = await stage.owned();
      const wakeAt = (await stage.now()) - 1_000;
      await stage.park(run, wakeAt, timer);
      const claimed = await stage.claimOne(run.queue);
      expect(claimed).toMatchObject({ events: 2, hasFired: true, crashCount: 1 });
      expect(eventsOf(claimed)).toMatchObject([
        { type: "RunStarted", seq: 1 },
        { ...fired, seq: 2 },
      ]);
      expect(claimed.history).toEqual(await stage.store.readHistory(run.runId, 0, 10));
      expect(claimed.history?.at(-1)?.at).toBeGreaterThanOrEqual(wakeAt);
      expect(await stage.append(turnOf(claimed))).toBe(true);
    });

    test("is not claimed before the timer is due", async () => {
      const run = await stage.owned();
      await stage.park(run, await stage.inAnHour(), timer);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [] });
      expect(await stage.store.readHistory(run.runId, 0, 10)).toHaveLength(1);
    });

    test("is woken by mail, which has the place before the timer, due or not", async () => {
      for (const wakeAt of [await stage.inAnHour(), (await stage.now()) - 1_000]) {
        const run = await stage.owned();
        await stage.park(run, wakeAt, timer);
        await stage.send(run.runId);
        expect(await stage.claimOne(run.queue)).toMatchObject({ events: 1, hasFired: false, newestMail: 1 });
      }
    });

    test("fires it once, also when its next owner is lost at once", async () => {
      const run = await stage.owned();
      const workerId = randomUUID();
      await stage.park(run, (await stage.now()) - 1_000, timer);
      await stage.claimOne(run.queue, { workerId });
      await stage.store.rescueRuns(workerId, 10);
      const again = await stage.claimOne(run.queue);
      // Nothing has come of it: whoever has the run now is the first.
      expect(again).toMatchObject({ events: 2, hasFired: true, crashCount: 2 });
      expect(eventsOf(again)).toMatchObject([{ type: "RunStarted" }, fired]);
      await stage.commit(turnOf(again));
      await stage.store.releaseRuns([claimOf(again)]);
      expect(await stage.claimOne(run.queue)).toMatchObject({ events: 3, hasFired: false });
    });

    test("keeps that nothing has come of it while it is blocked", async () => {
      const run = await stage.owned();
      await stage.park(run, (await stage.now()) - 1_000, timer);
      const claimed = await stage.claimOne(run.queue);
      await stage.store.blockRuns([{ claim: claimOf(claimed), reason: { kind: "divergence", message: "event 3" } }]);
      const again = only(await stage.store.claimBlocked(randomUUID(), randomUUID(), [run.runId]));
      expect(again).toMatchObject({ events: 2, hasFired: true });
    });

    test("does not fire it once another owner has had the run, who may have gone on without it", async () => {
      const run = await stage.owned();
      await stage.park(run, (await stage.now()) - 1_000, timer);
      await stage.send(run.runId);
      const next = await stage.claimOne(run.queue);
      await stage.commit(turnOf(next, { takenMail: 1 }, signalReceived(1, "m")));
      await stage.store.releaseRuns([claimOf(next)]);
      expect(await stage.claimOne(run.queue)).toMatchObject({ events: 2, hasFired: false });
    });

    test("parked again without one, has none", async () => {
      const run = await stage.owned();
      await stage.park(run, (await stage.now()) - 1_000, timer);
      const claimed = await stage.claimOne(run.queue);
      await stage.park(claimed, (await stage.now()) - 1_000);
      expect(await stage.claimOne(run.queue)).toMatchObject({ events: 2, hasFired: false });
    });

    test("is woken with others in one claim, each as it is", async () => {
      const queue = newId("queue");
      await stage.store.startRuns([0, 1, 2].map(() => startRequest({ queue })));
      const runs = (await stage.claim(queue)).claimed;
      const past = (await stage.now()) - 1_000;
      for (const [place, run] of runs.entries()) await stage.park(run, past + place, place === 1 ? null : timer);
      const { claimed } = await stage.claim(queue);
      expect(claimed.map(({ runId, hasFired, events }) => [runId, hasFired, events])).toEqual(
        runs.map(({ runId }, place) => [runId, place !== 1, place === 1 ? 1 : 2]),
      );
    });
  });

  describe("what a claim brings", () => {
    test("is a short history, whoever had the run", async () => {
      const run = await stage.owned();
      await stage.commit(turnOf(run));
      await stage.store.releaseRuns([claimOf(run)]);
      const claimed = await stage.claimOne(run.queue);
      expect(claimed.history).toEqual(await stage.store.readHistory(run.runId, 0, 10));
      expect(claimed.history).toHaveLength(2);
    });

    test("is no long one, and none of a run whose steps have left heartbeats", async () => {
      const [long, beating] = [await stage.owned(), await stage.owned()];
      await stage.commit(turnOf(long, {}, ...Array.from({ length: 40 }, (_, place) => stepCompleted(place + 2))));
      const beat = { claim: claimOf(beating), command: 1, attempt: 1, details: '"half"', isProgress: true };
      await stage.store.saveHeartbeats([beat]);
      for (const run of [long, beating]) {
        await stage.store.releaseRuns([claimOf(run)]);
        expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, history: null });
      }
    });
  });

  describe("releasing", () => {
    test("a released run is claimable at once, without blame", async () => {
      const { queue } = await stage.crashed(1);
      const workerId = randomUUID();
      const run = await stage.claimOne(queue, { workerId });
      await stage.store.releaseRuns([claimOf(run)]);
      expect(await stage.store.claimsOf(workerId)).toEqual([]);
      expect(await stage.append(turnOf(run))).toBe(false);
      expect(await stage.claimOne(queue)).toMatchObject({ runId: run.runId, crashCount: 1 });
    });

    test("a stale claim releases nothing", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      const fresh = await stage.claimOne(stale.queue);
      await stage.store.releaseRuns([claimOf(stale), { ...claimOf(fresh), claimId: randomUUID() }]);
      expect(await stage.claim(stale.queue)).toMatchObject({ claimed: [] });
      expect(await stage.append(turnOf(fresh))).toBe(true);
    });

    test("releasing nothing, a closed run, or none that is known does no harm", async () => {
      const closed = await stage.closed("completed");
      await stage.store.releaseRuns([]);
      await stage.store.releaseRuns([claimOf(closed), { ...claimOf(closed), runId: newRunId() }]);
      expect(await stage.store.findRun({ runId: closed.runId })).toMatchObject({ status: "completed" });
    });
  });

  describe("blocking", () => {
    const reason: BlockedReason = { kind: "unknownWorkflow", message: 'No workflow "order" here.' };

    test("a blocked run says why, has no owner and is not claimed", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.store.blockRuns([{ claim: claimOf(run), reason }]);
      const blocked = { status: "blocked", blocked: reason, ownerId: null, wakeAt: null, closedAt: null };
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject(blocked);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      expect(await stage.store.claimsOf(workerId)).toEqual([]);
      expect(await stage.append(turnOf(run))).toBe(false);
    });

    test("a stale claim blocks nothing", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      await stage.store.blockRuns([{ claim: claimOf(stale), reason }]);
      expect(await stage.claimOne(stale.queue)).toMatchObject({ runId: stale.runId });
    });

    test("blocked runs are found by their workflow", async () => {
      const workflow = newId("workflow");
      const other = newId("workflow");
      const runs = [await stage.blocked({ workflow }), await stage.blocked({ workflow }), await stage.blocked()];
      await stage.owned({ workflow });
      const queues = runs.map(({ queue }) => queue);
      const find = (workflows: string[], request: { queues?: string[]; after?: string; limit?: number } = {}) =>
        stage.store.findBlocked({ workflows, queues, after: null, limit: 10, ...request });
      const found = await find([workflow, other]);
      expect(found.map(({ runId }) => runId)).toEqual([runs[0]?.runId, runs[1]?.runId].sort());
      for (const { reason: said } of found) expect(said).toEqual({ kind: "divergence", message: "event 2 is a step" });
      const [first] = await find([workflow], { limit: 1 });
      expect(first?.runId).toBe(found[0]?.runId);
      expect(await find([workflow], { after: first?.runId ?? "" })).toEqual(found.slice(1));
      expect(await find([workflow], { queues: [newId("queue")] })).toEqual([]);
      expect(await find([other])).toEqual([]);
      expect(await find([])).toEqual([]);
    });

    test("claiming a blocked run sets it running under a new epoch", async () => {
      const run = await stage.blocked();
      const [workerId, claimId] = [randomUUID(), randomUUID()];
      const again = only(await stage.store.claimBlocked(workerId, claimId, [run.runId]));
      expect(again).toMatchObject({ runId: run.runId, claimId, events: 1, workflowId: run.workflowId });
      expect(again.epoch).toBeGreaterThan(run.epoch);
      const running = { status: "running", blocked: null, ownerId: workerId, wakeAt: null };
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject(running);
      expect(await stage.append(turnOf(again))).toBe(true);
    });

    test("only blocked runs are claimed as blocked, each once", async () => {
      const running = await stage.owned();
      const waiting = startRequest();
      await stage.startAs(waiting);
      const closed = await stage.closed("failed");
      const blocked = await stage.blocked();
      const runIds = [running.runId, waiting.runId, closed.runId, newRunId(), blocked.runId];
      const claim = () => stage.store.claimBlocked(randomUUID(), randomUUID(), runIds);
      expect((await Promise.all([claim(), claim(), claim()])).flat().map(({ runId }) => runId)).toEqual([
        blocked.runId,
      ]);
      expect(await stage.store.claimBlocked(randomUUID(), randomUUID(), [])).toEqual([]);
      expect(await stage.append(turnOf(running))).toBe(true);
    });

    test("a run set aside for ending its workers can be claimed as blocked", async () => {
      const { queue, runId } = await stage.crashed(5);
      await stage.claim(queue, { suspects: "only" });
      const again = only(await stage.store.claimBlocked(randomUUID(), randomUUID(), [runId]));
      expect(await stage.append(turnOf(again))).toBe(true);
      expect(await stage.store.findRun({ runId })).toMatchObject({ status: "running", crashCount: 0 });
    });
  });

  describe("rescuing", () => {
    test("the runs of a lost worker are claimable at once, and counted", async () => {
      const workerId = randomUUID();
      const [a, b] = [await stage.owned({}, workerId), await stage.owned({}, workerId)];
      const bystander = await stage.owned();
      const { count, queues } = await stage.store.rescueRuns(workerId, 10);
      expect(count).toBe(2);
      expect(new Set(queues)).toEqual(new Set([a.queue, b.queue]));
      const { claimed } = await stage.claim(a.queue, { queues: [a.queue, b.queue, bystander.queue] });
      expect(new Set(claimed.map(({ runId }) => runId))).toEqual(new Set([a.runId, b.runId]));
      for (const { crashCount } of claimed) expect(crashCount).toBe(2);
    });

    test("a limit leaves the rest for the next call", async () => {
      const workerId = randomUUID();
      const queue = newId("queue");
      await stage.store.startRuns(Array.from({ length: 5 }, () => startRequest({ queue })));
      await stage.claim(queue, { workerId });
      expect(await stage.store.rescueRuns(workerId, 3)).toEqual({ count: 3, queues: [queue] });
      expect(await stage.store.claimsOf(workerId)).toHaveLength(2);
      expect(await stage.store.rescueRuns(workerId, 3)).toEqual({ count: 2, queues: [queue] });
      expect(await stage.store.rescueRuns(workerId, 3)).toEqual({ count: 0, queues: [] });
    });

    test("a closed run is not brought back", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.store.terminateRun(run.runId, "enough");
      expect(await stage.store.rescueRuns(workerId, 10)).toEqual({ count: 0, queues: [] });
    });

    test("every worker that owns a run is known, and no other", async () => {
      const [owner, parker] = [randomUUID(), randomUUID()];
      await stage.owned({}, owner);
      await stage.owned({}, owner);
      await stage.park(await stage.owned({}, parker));
      const ownerIds = await stage.store.ownerIds();
      expect(ownerIds.filter((id) => id === owner)).toHaveLength(1);
      expect(ownerIds).not.toContain(parker);
      await stage.store.rescueRuns(owner, 10);
      expect(await stage.store.ownerIds()).not.toContain(owner);
    });
  });
}
