// Runs made of the first events of others: what is shared is shared to the letter, what the source has is left alone, and a
// fork in the place of its source begins in the very moment in which that ends.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { continuingTurn } from "./continuing.ts";
import {
  forkRequest,
  newRunId,
  only,
  type Stage,
  signalReceived,
  startRequest,
  stepCompleted,
  turnOf,
} from "./stage.ts";

export function forkingContract(stage: Stage): void {
  const historyOf = async (runId: string): Promise<readonly StoredEvent[]> =>
    only(await stage.store.loadHistories([runId])).events;
  /** Three events, the second of which has taken mail. */
  const worked = async (more: Parameters<Stage["owned"]>[0] = {}) => {
    const run = await stage.owned(more);
    await stage.send(run.runId, { mailId: "first" });
    await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "first"), stepCompleted(1)));
    return { ...run, events: 3, takenMail: 1 };
  };

  const mailIdsOf = async (runId: string) =>
    (await stage.store.readMail([{ runId, after: 0 }], 10)).map(({ mailId }) => mailId);

  describe("forking", () => {
    test("a fork has the shared events as they are, one that says so, and is due", async () => {
      const run = await worked({ workflow: "invoice", timeoutMs: 600_000 });
      await stage.commit(turnOf(run, {}, stepCompleted(2)));
      const request = forkRequest(run, { at: 3, takenMail: 1, timeoutMs: 600_000 });
      expect(await stage.store.forkRun(request)).toEqual({ outcome: "forked", runId: request.runId });
      const [source, fork] = [await historyOf(run.runId), await historyOf(request.runId)];
      expect(fork.slice(0, 3)).toEqual(source.slice(0, 3));
      expect(fork).toHaveLength(4);
      expect(fork[3]).toMatchObject({ seq: 4, type: request.forked.type, data: request.forked.data });
      const detail = await stage.store.findRun({ workflowId: request.workflowId });
      expect(detail).toMatchObject({
        workflow: "invoice",
        queue: run.queue,
        status: "running",
        events: 4,
        ownerId: null,
        forkedFrom: { runId: run.runId, event: 3 },
        unreadMail: 0,
      });
      expect(detail?.deadlineAt).toBe((detail?.startedAt ?? 0) + 600_000);
      expect(await stage.claimOne(run.queue)).toMatchObject({
        runId: request.runId,
        events: 4,
        takenMail: 1,
        epoch: 1,
      });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 4, forkedFrom: null });
    });

    test("the owner of a run that is forked writes on", async () => {
      const run = await worked();
      await stage.store.forkRun(forkRequest(run, { at: 3, takenMail: 1 }));
      expect(await stage.append(turnOf(run))).toBe(true);
    });

    test("the last shared event may be another", async () => {
      const run = await worked();
      const edited = toRecord(stepCompleted(1, '"other"'));
      const request = forkRequest(run, { at: 3, takenMail: 1, edited });
      await stage.store.forkRun(request);
      const [source, fork] = [await historyOf(run.runId), await historyOf(request.runId)];
      expect(fork.slice(0, 2)).toEqual(source.slice(0, 2));
      expect(fork[2]).toEqual({ ...source[2], payload: '"other"' });
    });

    test("mail that was taken comes along as taken, later signals as mail, and nothing else", async () => {
      const run = await worked();
      await stage.send(run.runId, { mailId: "cancel", kind: "cancel" });
      await stage.send(run.runId, { mailId: "late" });
      await stage.store.controlRun({ runId: run.runId, kind: "pause", mailId: "pause", reason: "" });
      await stage.send(run.runId, { mailId: "later" });
      const [keeping, dropping] = [true, false].map((keepsSignals) =>
        forkRequest(run, { at: 3, takenMail: 1, keepsSignals }),
      ) as [ReturnType<typeof forkRequest>, ReturnType<typeof forkRequest>];
      await stage.store.forkRun(keeping);
      await stage.store.forkRun(dropping);
      const mailOf = async (runId: string) =>
        (await stage.store.readMail([{ runId, after: 0 }], 10)).map(({ mail, mailId }) => [mail, mailId]);
      expect(await mailOf(keeping.runId)).toEqual([
        [1, "first"],
        [2, "late"],
        [3, "later"],
      ]);
      expect(await mailOf(dropping.runId)).toEqual([[1, "first"]]);
      expect(await stage.store.findRun({ runId: keeping.runId })).toMatchObject({ unreadMail: 2, paused: null });
      expect(await stage.send(keeping.runId, { mailId: "first" })).toMatchObject({ outcome: "duplicate" });
      expect(await stage.send(dropping.runId, { mailId: "late" })).toMatchObject({ outcome: "accepted", mail: 2 });
    });

    test("signals that whoever asks has not seen stay with the source", async () => {
      const run = await worked();
      for (const mailId of ["seen", "unseen"]) await stage.send(run.runId, { mailId });
      const request = forkRequest(run, { at: 3, takenMail: 1, seenMail: 2 });
      expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
      expect(await mailIdsOf(request.runId)).toEqual(["first", "seen"]);
      expect(await stage.store.findRun({ runId: request.runId })).toMatchObject({ unreadMail: 1 });
      expect(await mailIdsOf(run.runId)).toEqual(["first", "seen", "unseen"]);
    });

    test("a fork of a run that has passed mail on is without it, and all else is at its place", async () => {
      const run = await stage.owned();
      for (const mailId of ["unused", "used"]) await stage.send(run.runId, { mailId });
      const taken = [signalReceived(1, "unused"), signalReceived(2, "used")];
      await stage.commit(turnOf(run, { takenMail: 2 }, ...taken));
      await stage.commitWithEffects(continuingTurn({ ...run, events: 3, takenMail: 2 }, { passedOn: [1] }));
      const request = forkRequest(run, { at: 3, takenMail: 2 });
      expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
      expect(await stage.store.readMail([{ runId: request.runId, after: 0 }], 9)).toMatchObject([
        { mail: 2, mailId: "used" },
      ]);
      expect(await stage.send(request.runId, { mailId: "new" })).toMatchObject({ outcome: "accepted", mail: 3 });
    });

    test("a fork is found by what its events make of attributes", async () => {
      const run = await worked();
      const row = { place: 0, type: 1, number: Number.POSITIVE_INFINITY, text: "c1" };
      const request = forkRequest(run, { data: [{ kind: 1, name: "customer", rows: [row] }] });
      await stage.store.forkRun(request);
      expect((await stage.store.findRun({ runId: request.runId }))?.data.attributes).toHaveProperty("customer");
    });

    test("a fork in the place of its source ends it, and has its workflow id", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      const { workflowId } = run;
      const request = forkRequest(run, { workflowId, terminates: "again" });
      expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
      expect(await stage.append(turnOf(run))).toBe(false);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "terminated", events: 2 });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: request.runId, status: "running" });
      const again = forkRequest(run, { workflowId, terminates: "again" });
      expect(await stage.store.forkRun(again)).toEqual({ outcome: "refused", runId: request.runId });
    });

    test("a workflow id that has an open run is not given to a fork, and then nothing has changed", async () => {
      const run = await worked();
      const other = startRequest();
      await stage.startAs(other);
      const request = forkRequest(run, { workflowId: other.workflowId, terminates: "again" });
      expect(await stage.store.forkRun(request)).toEqual({ outcome: "refused", runId: other.runId });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "running", events: 3 });
      expect(await stage.append(turnOf(run))).toBe(true);
      expect(await stage.store.findRun({ runId: request.runId })).toBeNull();
      expect(await stage.store.forkRun(forkRequest(run, { workflowId: run.workflowId }))).toEqual({
        outcome: "refused",
        runId: run.runId,
      });
    });

    test("a closed run is forked under its own workflow id", async () => {
      const run = await stage.closed("failed");
      const request = forkRequest(run, { workflowId: run.workflowId, terminates: "again" });
      expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "failed", events: 2 });
      expect(await historyOf(request.runId)).toHaveLength(2);
    });

    test("the same fork asked for again is the one there is, and nothing is forked from nothing", async () => {
      const run = await worked();
      const request = forkRequest(run, { terminates: "again" });
      await stage.store.forkRun(request);
      expect(await stage.store.forkRun(request)).toEqual({ outcome: "forked", runId: request.runId });
      expect(await historyOf(request.runId)).toHaveLength(2);
      expect(await stage.store.forkRun(forkRequest({ runId: newRunId() }))).toMatchObject({ outcome: "notFound" });
      expect(await stage.store.forkRun(forkRequest({ runId: "no run" }))).toMatchObject({ outcome: "notFound" });
    });

    test("of forks of one id that race, one is made", async () => {
      for (let round = 0; round < 5; round += 1) {
        const run = await stage.closed("failed");
        const requests = [0, 1, 2].map(() => forkRequest(run, { workflowId: run.workflowId }));
        const outcomes = await Promise.all(requests.map((request) => stage.store.forkRun(request)));
        const made = outcomes.filter(({ outcome }) => outcome === "forked");
        expect(made).toHaveLength(1);
        expect(new Set(outcomes.map(({ runId }) => runId))).toEqual(new Set([only(made).runId]));
      }
    });
  });
}
