// Starting runs: who gets the workflow id, what a repeated request answers, and what comes with a start.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { closingTurn, mailRequest, newId, only, type Stage, startRequest, turnOf } from "./stage.ts";

export function startingContract(stage: Stage): void {
  describe("starting", () => {
    test("a start makes an open run whose history is its first event", async () => {
      const request = startRequest();
      const outcome = await stage.startAs(request);
      expect(outcome).toEqual({
        outcome: "started",
        runId: request.runId,
        status: "running",
        ownerId: null,
        claimed: null,
      });
      const event = only(await stage.store.readHistory(request.runId, 0, 10));
      expect(event).toEqual({ ...request.started, seq: 1, at: event.at });
      const run = await stage.store.findRun({ runId: request.runId });
      expect(run).toMatchObject({ startedAt: event.at, closedAt: null, deadlineAt: null });
    });

    test("an open run with the workflow id is in the way of another", async () => {
      const workerId = randomUUID();
      const first = await stage.owned({}, workerId);
      const { workflowId } = first;
      const second = await stage.start({ workflowId, onConflict: "fail" });
      expect(second).toEqual({
        outcome: "refused",
        runId: first.runId,
        status: "running",
        ownerId: workerId,
        claimed: null,
      });
      expect(await stage.store.listRuns({ workflowId, limit: 10 })).toHaveLength(1);
    });

    test("a blocked run is open: it too is in the way", async () => {
      const { runId, workflowId } = await stage.blocked();
      expect(await stage.start({ workflowId })).toEqual({
        outcome: "refused",
        runId,
        status: "blocked",
        ownerId: null,
        claimed: null,
      });
    });

    test("a start that takes an existing run answers with that run and its owner", async () => {
      const workerId = randomUUID();
      const first = await stage.owned({}, workerId);
      const second = await stage.start({ workflowId: first.workflowId, onConflict: "useExisting" });
      expect(second).toEqual({
        outcome: "existing",
        runId: first.runId,
        status: "running",
        ownerId: workerId,
        claimed: null,
      });
    });

    test("a start can end the run in its way and take its place", async () => {
      const first = await stage.owned();
      const { workflowId } = first;
      const request = startRequest({ workflowId, onConflict: "terminateExisting", onReuse: "reject" });
      expect(await stage.startAs(request)).toMatchObject({ outcome: "started", runId: request.runId });
      expect(await stage.store.findRun({ runId: first.runId })).toMatchObject({ status: "terminated", events: 2 });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: request.runId, status: "running" });
    });

    test.each([
      ["allow", "completed", "started"],
      ["allow", "failed", "started"],
      ["allowIfFailed", "completed", "refused"],
      ["allowIfFailed", "failed", "started"],
      ["allowIfFailed", "canceled", "started"],
      ["reject", "completed", "refused"],
      ["reject", "failed", "refused"],
    ] as const)("reuse %s after a run that %s: %s", async (onReuse, status, outcome) => {
      const { workflowId, runId } = await stage.closed(status);
      const request = startRequest({ workflowId, onReuse });
      const answer = await stage.startAs(request);
      if (outcome === "refused") expect(answer).toEqual({ outcome, runId, status, ownerId: null, claimed: null });
      else expect(answer).toEqual({ outcome, runId: request.runId, status: "running", ownerId: null, claimed: null });
    });

    test("allowIfFailed looks at the latest run only", async () => {
      const { workflowId } = await stage.closed("completed");
      const { runId } = await stage.closed("failed", { workflowId, onReuse: "allow" });
      const third = startRequest({ workflowId, onReuse: "allowIfFailed" });
      expect(runId).not.toBe(third.runId);
      expect(await stage.startAs(third)).toMatchObject({ outcome: "started", runId: third.runId });
    });

    test("taking an existing run starts one when there is none open", async () => {
      const { workflowId } = await stage.closed("completed");
      const request = startRequest({ workflowId, onConflict: "useExisting" });
      expect(await stage.startAs(request)).toMatchObject({ outcome: "started", runId: request.runId });
    });

    test("repeating a request answers with the same run, whatever became of it", async () => {
      const request = startRequest({ requestId: newId("request") });
      const again = () => startRequest({ ...request, runId: startRequest().runId });
      await stage.startAs(request);
      const runId = request.runId;
      expect(await stage.startAs(again())).toEqual({
        outcome: "started",
        runId,
        status: "running",
        ownerId: null,
        claimed: null,
      });
      await stage.store.terminateRun(runId, "enough");
      expect(await stage.startAs(again())).toEqual({
        outcome: "started",
        runId,
        status: "terminated",
        ownerId: null,
        claimed: null,
      });
      expect(await stage.store.listRuns({ workflowId: request.workflowId, limit: 10 })).toHaveLength(1);
    });

    test("repeating a request does not end the run that it started", async () => {
      const request = startRequest({ requestId: newId("request"), onConflict: "terminateExisting" });
      await stage.startAs(request);
      await stage.startAs(startRequest({ ...request, runId: startRequest().runId }));
      expect(await stage.store.findRun({ runId: request.runId })).toMatchObject({ status: "running" });
    });

    test("repeating a request does not send its signal twice", async () => {
      const mail = { kind: "signal" as const, mailId: newId("mail"), name: "approve", payload: null };
      const request = startRequest({ requestId: newId("request"), mail });
      await stage.startAs(request);
      await stage.startAs(startRequest({ ...request, runId: startRequest().runId }));
      expect(await stage.claimOne(request.queue)).toMatchObject({ newestMail: 1, takenMail: 0 });
    });

    test("repeating a request that took an existing run answers with that run, whatever became of it", async () => {
      const { runId, workflowId } = await stage.owned();
      const mail = { kind: "signal" as const, mailId: newId("mail"), name: "approve", payload: null };
      const request = { workflowId, requestId: newId("request"), onConflict: "useExisting", mail } as const;
      expect(await stage.start(request)).toMatchObject({ outcome: "existing", runId });
      await stage.store.terminateRun(runId, "enough");
      expect(await stage.start(request)).toEqual({
        outcome: "started",
        runId,
        status: "terminated",
        ownerId: null,
        claimed: null,
      });
      expect(await stage.store.listRuns({ workflowId, limit: 10 })).toHaveLength(1);
    });

    test("a refused request may be repeated once nothing is in its way", async () => {
      const { runId, workflowId } = await stage.owned();
      const request = { workflowId, requestId: newId("request") };
      expect(await stage.start(request)).toMatchObject({ outcome: "refused", runId });
      await stage.store.terminateRun(runId, "enough");
      const again = startRequest(request);
      expect(await stage.startAs(again)).toMatchObject({ outcome: "started", runId: again.runId });
    });

    test("repeating a start with its own run id answers with that run", async () => {
      const request = startRequest({ onConflict: "terminateExisting" });
      const started = { outcome: "started", runId: request.runId, ownerId: null, claimed: null };
      await stage.startAs(request);
      expect(await stage.startAs(request)).toEqual({ ...started, status: "running" });
      await stage.store.terminateRun(request.runId, "enough");
      expect(await stage.startAs(request)).toEqual({ ...started, status: "terminated" });
      expect(await stage.store.readHistory(request.runId, 0, 10)).toHaveLength(2);
    });

    test("a start that brings a claim makes its worker the owner, as if it had claimed the run at once", async () => {
      const claim = { workerId: randomUUID(), claimId: randomUUID() };
      const mail = { kind: "signal", mailId: newId("mail"), name: "approve", payload: null } as const;
      const request = startRequest({ claim, timeoutMs: 60_000, mail });
      const { claimed, ...outcome } = await stage.startAs(request);
      const { runId, queue } = request;
      expect(outcome).toEqual({ outcome: "started", runId, status: "running", ownerId: claim.workerId });
      const run = await stage.store.findRun({ runId });
      expect(run).toMatchObject({ ownerId: claim.workerId, epoch: 1, crashCount: 1, unreadMail: 1 });
      expect(claimed).toEqual({ at: run?.startedAt, deadlineAt: run?.deadlineAt });
      expect((await stage.claim(queue)).claimed).toEqual([]);
      expect(await stage.store.claimsOf(claim.workerId)).toEqual([{ runId, epoch: 1, claimId: claim.claimId }]);

      expect(await stage.store.rescueRuns(claim.workerId, 10)).toMatchObject({ count: 1 });
      expect(await stage.claimOne(queue)).toMatchObject({ runId, epoch: 2, crashCount: 2 });
    });

    test("starts of one call that bring claims are each answered with their own times", async () => {
      const newClaim = () => ({ workerId: randomUUID(), claimId: randomUUID() });
      const limits = [60_000, null, 90_000, 1_000_000_000_000];
      const requests = [
        ...limits.map((timeoutMs) => startRequest({ claim: newClaim(), timeoutMs })),
        startRequest({ timeoutMs: 5_000 }),
      ];
      const outcomes = await stage.store.startRuns(requests);
      for (const [place, { runId, claim, timeoutMs }] of requests.entries()) {
        const run = await stage.store.findRun({ runId });
        expect(run?.deadlineAt).toBe(timeoutMs === null ? null : (run?.startedAt ?? 0) + timeoutMs);
        expect(outcomes[place]).toEqual({
          outcome: "started",
          runId,
          status: "running",
          ownerId: claim?.workerId ?? null,
          claimed: claim === null ? null : { at: run?.startedAt, deadlineAt: run?.deadlineAt },
        });
      }
    });

    test("whoever owns a run from its start writes it like any owner", async () => {
      const claim = { workerId: randomUUID(), claimId: randomUUID() };
      const { runId } = await stage.start({ claim });
      const run = { runId, epoch: 1, claimId: claim.claimId, events: 1, takenMail: 0 } as ClaimedRun;
      expect(await stage.append(turnOf({ ...run, claimId: randomUUID() }))).toBe(false);
      expect(await stage.append(turnOf(run))).toBe(true);
      expect(await stage.append(closingTurn({ ...run, events: 2 }, "completed"))).toBe(true);
    });

    test.each(["allow", "reject"] as const)(
      "a claim is given once, and only with a new run: onReuse %s",
      async (onReuse) => {
        const claim = { workerId: randomUUID(), claimId: randomUUID() };
        const request = startRequest({ claim, onReuse, onConflict: "useExisting", requestId: newId("request") });
        expect(await stage.startAs(request)).toMatchObject({ outcome: "started", claimed: { deadlineAt: null } });
        expect(await stage.startAs(request)).toMatchObject({ outcome: "started", claimed: null });
        const { workflowId } = request;
        const late = { workerId: randomUUID(), claimId: randomUUID() };
        const second = await stage.start({ workflowId, onConflict: "useExisting", claim: late });
        expect(second).toMatchObject({
          outcome: "existing",
          runId: request.runId,
          ownerId: claim.workerId,
          claimed: null,
        });
        expect(await stage.store.claimsOf(late.workerId)).toEqual([]);
      },
    );

    test("a batch is decided one by one, in order", async () => {
      const workflowId = newId("order");
      const requestId = newId("request");
      const queue = newId("queue");
      const first = startRequest({ workflowId, requestId, queue });
      const repeated = startRequest({ workflowId, requestId, queue });
      const refused = startRequest({ workflowId, queue });
      const existing = startRequest({ workflowId, queue, onConflict: "useExisting" });
      const other = startRequest({ queue });
      const answers = await stage.store.startRuns([first, repeated, refused, existing, other]);
      expect(answers.map(({ outcome, runId }) => [outcome, runId])).toEqual([
        ["started", first.runId],
        ["started", first.runId],
        ["refused", first.runId],
        ["existing", first.runId],
        ["started", other.runId],
      ]);
      expect((await stage.claim(queue)).claimed).toHaveLength(2);
    });

    test("a batch can end a run that it has just started", async () => {
      const workflowId = newId("order");
      const first = startRequest({ workflowId });
      const second = startRequest({ workflowId, onConflict: "terminateExisting" });
      const answers = await stage.store.startRuns([first, second]);
      expect(answers.map(({ outcome, runId }) => [outcome, runId])).toEqual([
        ["started", first.runId],
        ["started", second.runId],
      ]);
      expect(await stage.store.findRun({ runId: first.runId })).toMatchObject({ status: "terminated", events: 2 });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: second.runId, status: "running" });
    });

    test("of many starts at once with one workflow id, one makes a run", async () => {
      const workflowId = newId("order");
      const answers = await Promise.all(Array.from({ length: 20 }, () => stage.start({ workflowId })));
      const started = only(answers.filter(({ outcome }) => outcome === "started"));
      expect(answers.filter(({ outcome }) => outcome === "refused")).toHaveLength(19);
      expect(new Set(answers.map(({ runId }) => runId))).toEqual(new Set([started.runId]));
    });

    test("of many equal requests at once, one makes a run and all name it", async () => {
      const same = { workflowId: newId("order"), requestId: newId("request") };
      const answers = await Promise.all(Array.from({ length: 20 }, () => stage.start(same)));
      expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(["started"]));
      expect(new Set(answers.map(({ runId }) => runId)).size).toBe(1);
    });

    test("large batches at once that name the same workflow ids in opposite orders all get answers", async () => {
      const workflowIds = Array.from({ length: 30 }, () => newId("order"));
      const batch = (ids: readonly string[]) =>
        stage.store.startRuns(ids.map((workflowId) => startRequest({ workflowId })));
      const batches = [workflowIds, workflowIds.toReversed(), workflowIds, workflowIds.toReversed()];
      const answers = (await Promise.all(batches.map(batch))).flat();
      expect(answers.filter(({ outcome }) => outcome === "started")).toHaveLength(30);
      expect(answers.filter(({ outcome }) => outcome === "refused")).toHaveLength(90);
    });

    test("a signal comes with the start", async () => {
      const mail = { kind: "signal" as const, mailId: newId("mail"), name: "approve", payload: '{"by":"ann"}' };
      const request = startRequest({ mail });
      await stage.startAs(request);
      expect(await stage.claimOne(request.queue)).toMatchObject({ newestMail: 1, takenMail: 0 });
      const read = await stage.store.readMail([{ runId: request.runId, after: 0 }], 10);
      expect(read).toEqual([{ runId: request.runId, ...mail, mail: 1 }]);
    });

    test("a signal goes to the existing run that a start takes, once", async () => {
      const { runId, workflowId } = await stage.owned();
      const mail = { kind: "signal" as const, mailId: newId("mail"), name: "approve", payload: null };
      await stage.start({ workflowId, onConflict: "useExisting", mail });
      await stage.start({ workflowId, onConflict: "useExisting", mail });
      expect(await stage.store.readMail([{ runId, after: 0 }], 10)).toEqual([{ runId, ...mail, mail: 1 }]);
    });

    test("a start that takes a parked run wakes it with its signal", async () => {
      const run = await stage.owned();
      await stage.park(run);
      const { mailId, name, payload } = mailRequest({ to: { runId: run.runId } });
      const mail = { kind: "signal" as const, mailId, name, payload };
      await stage.start({ workflowId: run.workflowId, onConflict: "useExisting", mail });
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, newestMail: 1 });
    });

    test("a refused start leaves its signal nowhere", async () => {
      const { runId, workflowId } = await stage.owned();
      await stage.start({
        workflowId,
        mail: { kind: "signal", mailId: newId("mail"), name: "approve", payload: null },
      });
      expect(await stage.store.readMail([{ runId, after: 0 }], 10)).toEqual([]);
    });

    test("a start with a timeout has a deadline that far ahead", async () => {
      const { runId, startedAt, deadlineAt } = await stage.owned({ timeoutMs: 90_000 });
      expect(deadlineAt).toBe(startedAt + 90_000);
      expect(await stage.store.findRun({ runId })).toMatchObject({ startedAt, deadlineAt });
    });

    test("an empty batch is an empty answer", async () => {
      expect(await stage.store.startRuns([])).toEqual([]);
    });
  });
}
