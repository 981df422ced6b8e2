// Appending: a turn is committed whole or refused without a trace, and only its run's owner of now may bring it.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import {
  claimOf,
  closingTurn,
  newId,
  only,
  type Stage,
  signalReceived,
  startRequest,
  stepCompleted,
  turnOf,
} from "./stage.ts";

export function appendingContract(stage: Stage): void {
  describe("appending", () => {
    /** The turn is refused, and nothing of the run shows that it was ever sent. */
    async function expectRefused(run: ClaimedRun, turn: ReturnType<typeof turnOf>): Promise<void> {
      const before = await stage.store.findRun({ runId: run.runId });
      const history = await stage.store.readHistory(run.runId, 0, 100);
      expect(await stage.append(turn)).toBe(false);
      const after = await stage.store.findRun({ runId: run.runId });
      expect({ ...after, now: 0 }).toEqual({ ...before, now: 0 });
      expect(await stage.store.readHistory(run.runId, 0, 100)).toEqual(history);
    }

    test("events follow those before them, at the time of the answer", async () => {
      const run = await stage.owned();
      const turn = turnOf(run, {}, stepCompleted(1, '"a"'), stepCompleted(2, '"b"'));
      const { at, committed } = await stage.store.appendTurns([turn]);
      expect([...committed]).toEqual([run.runId]);
      const events = await stage.store.readHistory(run.runId, 1, 10);
      expect(events).toEqual(turn.events.map((record, place) => ({ ...record, seq: 2 + place, at })));
      expect(at).toBeGreaterThanOrEqual(run.startedAt);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 3 });
    });

    test("an owner appends turn after turn", async () => {
      const run = await stage.owned();
      for (let base = 1; base <= 5; base += 1) await stage.commit(turnOf(run, { base }));
      const events = await stage.store.readHistory(run.runId, 0, 10);
      expect(events.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
    });

    test("an owner whose run was claimed by another is refused", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      const fresh = await stage.claimOne(stale.queue);
      await expectRefused(stale, turnOf(stale));
      expect(await stage.append(turnOf(fresh))).toBe(true);
    });

    test("an owner whose run was rescued is refused before anybody else claims it", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      await expectRefused(stale, turnOf(stale));
    });

    test("another epoch is refused", async () => {
      const run = await stage.owned();
      await expectRefused(run, turnOf({ ...run, epoch: run.epoch - 1 }));
      await expectRefused(run, turnOf({ ...run, epoch: run.epoch + 1 }));
    });

    test("another claim id is refused in the same epoch", async () => {
      const run = await stage.owned();
      await expectRefused(run, turnOf({ ...run, claimId: randomUUID() }));
    });

    test("another base is refused", async () => {
      const run = await stage.owned();
      await stage.commit(turnOf(run));
      await expectRefused(run, turnOf(run, { base: 1 }));
      await expectRefused(run, turnOf(run, { base: 3 }));
    });

    test("a run that does not exist refuses its turn alone", async () => {
      const run = await stage.owned();
      const nowhere = turnOf({ ...run, runId: startRequest().runId });
      const { committed } = await stage.store.appendTurns([nowhere, turnOf(run)]);
      expect([...committed]).toEqual([run.runId]);
    });

    test("of fifty turns in one call, the stale ones are refused alone", async () => {
      const queue = newId("queue");
      await stage.store.startRuns(Array.from({ length: 50 }, () => startRequest({ queue })));
      const { claimed } = await stage.claim(queue, { limit: 50 });
      expect(claimed).toHaveLength(50);
      const stale = new Set([claimed[7]?.runId, claimed[31]?.runId]);
      const turns = claimed.map((run) => turnOf(stale.has(run.runId) ? { ...run, claimId: randomUUID() } : run));
      const { committed } = await stage.store.appendTurns(turns);
      const sound = claimed.map(({ runId }) => runId).filter((runId) => !stale.has(runId));
      expect(new Set(committed)).toEqual(new Set(sound));
      const histories = await stage.store.loadHistories(claimed.map(({ runId }) => runId));
      for (const { runId, events } of histories) expect(events).toHaveLength(stale.has(runId) ? 1 : 2);
    });

    test("turns of very different sizes share a call", async () => {
      const [a, b, c] = [await stage.owned(), await stage.owned(), await stage.owned()];
      const many = Array.from({ length: 300 }, (_, place) => stepCompleted(place + 1, `${place}`));
      const { committed } = await stage.store.appendTurns([turnOf(a), turnOf(b, {}, ...many), turnOf(c)]);
      expect(committed.size).toBe(3);
      const events = await stage.store.readHistory(b.runId, 1, 1_000);
      expect(events.map(({ payload }) => payload)).toEqual(many.map((_, place) => `${place}`));
    });

    test("the same turn sent again is refused, and found to have landed", async () => {
      const run = await stage.owned();
      const turn = turnOf(run, {}, stepCompleted(1), stepCompleted(2));
      const { at } = await stage.store.appendTurns([turn]);
      await expectRefused(run, turn);
      const resolved = only(await stage.store.resolveTurns([turn]));
      expect(resolved).toMatchObject({ runId: run.runId, landed: true, at, owned: true, events: 3, newestMail: 0 });
    });

    test("the same turn sent twice at once is committed once", async () => {
      const run = await stage.owned();
      const turn = turnOf(run);
      const answers = await Promise.all(Array.from({ length: 6 }, () => stage.append(turn)));
      expect(answers.filter((isCommitted) => isCommitted)).toHaveLength(1);
      expect(await stage.store.readHistory(run.runId, 0, 10)).toHaveLength(2);
    });

    test("mail is taken with the events that tell of it", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "a" });
      await stage.send(run.runId, { mailId: "b" });
      await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "a")));
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ unreadMail: 1 });
      await stage.store.releaseRuns([claimOf(run)]);
      expect(await stage.claimOne(run.queue)).toMatchObject({ takenMail: 1, newestMail: 2, events: 2 });
    });

    test("a turn that may not be committed yet is refused until its time has come", async () => {
      const run = await stage.owned();
      await expectRefused(run, turnOf(run, { notBefore: await stage.inAnHour() }));
      const notBefore = (await stage.now()) + 200;
      const turn = turnOf(run, { notBefore });
      const at = await stage.becomes("the turn's time has come", async () => {
        const answer = await stage.store.appendTurns([turn]);
        return answer.committed.has(run.runId) ? { at: answer.at } : null;
      });
      expect(at.at).toBeGreaterThanOrEqual(notBefore);
      expect(only(await stage.store.readHistory(run.runId, 1, 10)).at).toBeGreaterThanOrEqual(notBefore);
    });

    test("events have the time at which they were seen, and so has the end of their run", async () => {
      const [alone, ended, one, other] = [
        await stage.owned(),
        await stage.owned(),
        await stage.owned(),
        await stage.owned(),
      ];
      const at = await stage.now();
      const result = toRecord({ type: "RunCompleted", result: null, unread: [] });
      const toEnd = turnOf(ended, { at, close: "completed" });
      await stage.commit(turnOf(alone, { at }));
      await stage.commit({ ...toEnd, events: [...toEnd.events, result] });
      const answer = await stage.store.appendTurns([turnOf(one, { at }), turnOf(other)]);
      expect(answer.committed.size).toBe(2);

      const timesOf = async ({ runId }: ClaimedRun) =>
        (await stage.store.readHistory(runId, 1, 10)).map((event) => event.at);
      expect(await timesOf(alone)).toEqual([at]);
      expect(await timesOf(ended)).toEqual([at, at]);
      expect(await timesOf(one)).toEqual([at]);
      expect(await timesOf(other)).toEqual([answer.at]);
      expect(answer.at).toBeGreaterThanOrEqual(at);
      expect(await stage.store.findRun({ runId: ended.runId })).toMatchObject({ status: "completed", closedAt: at });
    });

    test("a turn whose time has passed is committed", async () => {
      const run = await stage.owned();
      expect(await stage.append(turnOf(run, { notBefore: run.startedAt }))).toBe(true);
    });

    test.each(["completed", "failed", "canceled"] as const)("a closing turn makes the run %s", async (status) => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      const { at } = await stage.store.appendTurns([closingTurn(run, status)]);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({
        status,
        closedAt: at,
        events: 2,
        epoch: null,
        ownerId: null,
        wakeAt: null,
        blocked: null,
      });
      expect(await stage.store.claimsOf(workerId)).toEqual([]);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
    });

    test("no run closes past mail that its owner has not taken", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "late" });
      await expectRefused(run, closingTurn(run, "completed"));
      await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "late")));
      expect(await stage.append(closingTurn(run, "completed", { base: 2, takenMail: 1 }))).toBe(true);
    });

    test("a run takes its last mail and closes in one turn", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "last" });
      const result = { type: "RunCompleted", result: null, unread: [] } as const;
      const turn = turnOf(run, { takenMail: 1, close: "completed" }, signalReceived(1, "last"), result);
      expect(await stage.append(turn)).toBe(true);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "completed", events: 3 });
    });

    test("closed is final", async () => {
      const run = await stage.owned();
      const closing = await stage.commit(closingTurn(run, "completed"));
      await expectRefused(run, turnOf(run, { base: 2 }));
      await expectRefused(run, closingTurn(run, "failed", { base: 2 }));
      await expectRefused(run, closing);
      const resolved = only(await stage.store.resolveTurns([closing]));
      expect(resolved).toMatchObject({ landed: true, owned: false, events: 2 });
    });

    test("an empty call is an empty answer", async () => {
      expect((await stage.store.appendTurns([])).committed.size).toBe(0);
      expect(await stage.store.resolveTurns([])).toEqual([]);
    });
  });

  describe("resolving", () => {
    test("a turn that never arrived has not landed, and its owner may send it again", async () => {
      const run = await stage.owned();
      const turn = turnOf(run);
      const resolved = only(await stage.store.resolveTurns([turn]));
      expect(resolved).toMatchObject({ runId: run.runId, landed: false, at: null, owned: true, events: 1 });
      expect(await stage.append(turn)).toBe(true);
    });

    test("another turn at the same place is not mistaken for this one", async () => {
      const run = await stage.owned();
      const lost = turnOf(run);
      await stage.commit(turnOf(run));
      expect(only(await stage.store.resolveTurns([lost]))).toMatchObject({ landed: false, at: null, events: 2 });
    });

    test("a turn that landed before the run was taken over has landed, and is not owned", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      const turn = await stage.commit(turnOf(run));
      await stage.store.rescueRuns(workerId, 10);
      expect(only(await stage.store.resolveTurns([turn]))).toMatchObject({ landed: true, owned: false });
      await stage.claimOne(run.queue);
      expect(only(await stage.store.resolveTurns([turn]))).toMatchObject({ landed: true, owned: false, events: 2 });
    });

    test("a turn refused because of mail is told how much there is", async () => {
      const run = await stage.owned();
      await stage.send(run.runId);
      await stage.send(run.runId);
      const resolved = only(await stage.store.resolveTurns([closingTurn(run, "completed")]));
      expect(resolved).toMatchObject({ landed: false, owned: true, newestMail: 2 });
    });

    test("many turns are resolved in one call, each by itself", async () => {
      const [a, b, c] = [await stage.owned(), await stage.owned(), await stage.owned()];
      const turns = [turnOf(a), turnOf(b), turnOf(c)];
      await stage.store.appendTurns(turns.slice(1));
      await stage.store.releaseRuns([claimOf(c)]);
      const resolved = new Map((await stage.store.resolveTurns(turns)).map((turn) => [turn.runId, turn]));
      expect(resolved.get(a.runId)).toMatchObject({ landed: false, owned: true });
      expect(resolved.get(b.runId)).toMatchObject({ landed: true, owned: true });
      expect(resolved.get(c.runId)).toMatchObject({ landed: true, owned: false });
    });

    test("confirming may be done by any worker at any time", async () => {
      const workerId = randomUUID();
      await expect(stage.store.confirm(workerId)).resolves.toBeUndefined();
      await stage.owned({}, workerId);
      await expect(stage.store.confirm(workerId)).resolves.toBeUndefined();
      expect(await stage.store.claimsOf(workerId)).toHaveLength(1);
    });
  });
}
