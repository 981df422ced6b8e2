// Reading: what is told about runs to those who only watch.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { StoredSummary } from "../../../runtime/store/runs.ts";
import { EVENT_CODES } from "../../../sdk/protocol/event.ts";
import { closingTurn, newId, newRunId, type Stage, startRequest, stepCompleted, turnOf } from "./stage.ts";

export function readingContract(stage: Stage): void {
  describe("describing", () => {
    test("a waiting run is told in every detail", async () => {
      const request = startRequest({ delayMs: 60_000, timeoutMs: 90_000 });
      await stage.startAs(request);
      const { runId, workflowId, workflow, queue } = request;
      const run = await stage.store.findRun({ runId });
      if (run === null) throw new Error("The run was not found.");
      expect(run).toEqual({
        runId,
        workflowId,
        workflow,
        queue,
        version: null,
        status: "running",
        startedAt: run.startedAt,
        closedAt: null,
        paused: null,
        attempt: 1,
        forkedFrom: null,
        deadlineAt: run.startedAt + 90_000,
        events: 1,
        epoch: run.epoch,
        ownerId: null,
        wakeAt: run.startedAt + 60_000,
        awaitedLocks: 0,
        blocked: null,
        crashCount: 0,
        unreadMail: 0,
        data: { attributes: {}, memo: {} },
        now: run.now,
      });
      expect(run.now).toBeGreaterThanOrEqual(run.startedAt);
      expect(run.epoch).toBeTypeOf("number");
    });

    test("an owned run names its owner and counts its events and mail", async () => {
      const workerId = randomUUID();
      const run = await stage.owned({}, workerId);
      await stage.commit(turnOf(run));
      await stage.send(run.runId);
      await stage.send(run.runId);
      expect(await stage.store.findRun({ workflowId: run.workflowId })).toMatchObject({
        runId: run.runId,
        status: "running",
        events: 2,
        epoch: run.epoch,
        ownerId: workerId,
        wakeAt: null,
        crashCount: 0,
        unreadMail: 2,
      });
    });

    test("a workflow id stands for its open run, else the latest", async () => {
      const first = await stage.closed("completed");
      const { workflowId } = first;
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: first.runId, status: "completed" });
      const second = await stage.owned({ workflowId });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: second.runId, status: "running" });
      await stage.store.terminateRun(second.runId, "enough");
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: second.runId, status: "terminated" });
      expect(await stage.store.findRun({ runId: first.runId })).toMatchObject({ runId: first.runId });
    });

    test("nobody is nobody", async () => {
      expect(await stage.store.findRun({ runId: newRunId() })).toBeNull();
      expect(await stage.store.findRun({ workflowId: newId("order") })).toBeNull();
    });
  });

  describe("listing", () => {
    test("runs are listed newest first, page by page, each once", async () => {
      const queue = newId("queue");
      const started: string[] = [];
      for (let n = 0; n < 7; n += 1) {
        const request = startRequest({ queue });
        await stage.startAs(request);
        started.unshift(request.runId);
      }
      const listed: string[] = [];
      for (;;) {
        const before = listed.at(-1);
        const page = await stage.store.listRuns({ queue, limit: 3, ...(before === undefined ? {} : { before }) });
        expect(page.length).toBeLessThanOrEqual(3);
        listed.push(...page.map(({ runId }) => runId));
        if (page.length < 3) break;
      }
      expect(listed).toEqual(started);
    });

    test("runs of one batch are listed page by page, each once", async () => {
      const queue = newId("queue");
      const requests = Array.from({ length: 9 }, () => startRequest({ queue }));
      await stage.store.startRuns(requests);
      const first = await stage.store.listRuns({ queue, limit: 4 });
      const last = first.at(-1);
      if (last === undefined) throw new Error("Nothing was listed.");
      const rest = await stage.store.listRuns({ queue, limit: 200, before: last.runId });
      const listed = [...first, ...rest].map(({ runId }) => runId);
      expect(listed).toHaveLength(9);
      expect(new Set(listed)).toEqual(new Set(requests.map(({ runId }) => runId)));
    });

    test("a page may begin at an id that no run has: of runs between, or of one that is deleted", async () => {
      const queue = newId("queue");
      const [older, gone, newer] = [startRequest({ queue }), startRequest({ queue }), startRequest({ queue })];
      for (const request of [older, gone, newer]) await stage.startAs(request);
      await stage.store.terminateRun(gone.runId, "enough");
      expect(await stage.store.deleteRuns([gone.runId])).toEqual([gone.runId]);
      const idsFrom = async (before: string, isOldestFirst = false) =>
        (await stage.store.listRuns({ queue, limit: 10, before, isOldestFirst })).map(({ runId }) => runId);
      expect(await idsFrom(gone.runId)).toEqual([older.runId]);
      expect(await idsFrom(gone.runId, true)).toEqual([newer.runId]);
      expect(await idsFrom("7ZZZZZZZZZZZZZZZZZZZZZZZZZ")).toEqual([newer.runId, older.runId]);
      expect(await idsFrom("00000000000000000000000000")).toEqual([]);
    });

    test("a page is not shifted by runs that start while it is read", async () => {
      const queue = newId("queue");
      const requests = Array.from({ length: 4 }, () => startRequest({ queue }));
      for (const request of requests) await stage.startAs(request);
      const [newest] = await stage.store.listRuns({ queue, limit: 1 });
      await stage.start({ queue });
      const rest = await stage.store.listRuns({ queue, limit: 10, before: newest?.runId ?? "" });
      expect(rest.map(({ runId }) => runId)).toEqual(
        requests
          .slice(0, 3)
          .map(({ runId }) => runId)
          .toReversed(),
      );
    });

    test("a summary says what there is to say", async () => {
      const run = await stage.closed("failed", { timeoutMs: 60_000 });
      const { runId, workflowId, workflow, queue, startedAt } = run;
      const [summary] = await stage.store.listRuns({ workflowId, limit: 10 });
      expect(summary).toEqual({
        runId,
        workflowId,
        workflow,
        queue,
        version: null,
        status: "failed",
        startedAt,
        closedAt: summary?.closedAt,
        paused: null,
        attempt: 1,
        forkedFrom: null,
        deadlineAt: startedAt + 60_000,
        data: { attributes: {}, memo: {} },
      });
      expect(summary?.closedAt).toBeGreaterThanOrEqual(startedAt);
    });

    test("every filter leaves out what does not fit, and all hold together", async () => {
      const queue = newId("queue");
      const workflow = newId("workflow");
      const completed = await stage.closed("completed", { queue, workflow });
      const failed = await stage.closed("failed", { queue });
      const blocked = await stage.blocked({ workflow });
      const again = await stage.owned({ queue, workflow, workflowId: completed.workflowId });
      const idsOf = async (request: Omit<Parameters<typeof stage.store.listRuns>[0], "limit">) => {
        const runs = await stage.store.listRuns({ limit: 50, ...request });
        return runs.map(({ runId }) => runId);
      };
      expect(await idsOf({ queue })).toEqual([again.runId, failed.runId, completed.runId]);
      expect(await idsOf({ workflow })).toEqual([again.runId, blocked.runId, completed.runId]);
      expect(await idsOf({ workflowId: completed.workflowId })).toEqual([again.runId, completed.runId]);
      expect(await idsOf({ queue, workflow })).toEqual([again.runId, completed.runId]);
      expect(await idsOf({ workflow, status: ["blocked"] })).toEqual([blocked.runId]);
      expect(await idsOf({ workflow, status: ["running"] })).toEqual([again.runId]);
      expect(await idsOf({ queue, status: ["completed", "failed"] })).toEqual([failed.runId, completed.runId]);
      expect(await idsOf({ workflow, before: again.runId })).toEqual([blocked.runId, completed.runId]);
      expect(await idsOf({ workflow: newId("workflow") })).toEqual([]);
    });
  });

  describe("listing by other facts", () => {
    const listed = async (request: Omit<Parameters<typeof stage.store.listRuns>[0], "limit">, limit = 50) => {
      return (await stage.store.listRuns({ limit, ...request })).map(({ runId }) => runId);
    };

    test("workflow ids are found by how they begin, letter by letter", async () => {
      const queue = newId("queue");
      const ids = ["order-1", "order-1%", "order_1", "Order-1", "\u00e9t\u00e9", "e\u0301te\u0301"].map(
        (id) => `${queue}/${id}`,
      );
      const runs = ids.map((workflowId) => startRequest({ queue, workflowId }));
      for (const run of runs) await stage.startAs(run);
      const found = async (text: string) => {
        const runIds = await listed({ workflowIdPrefix: `${queue}/${text}` });
        return runs
          .filter(({ runId }) => runIds.includes(runId))
          .map(({ workflowId }) => workflowId.slice(queue.length + 1));
      };
      expect(await found("order-")).toEqual(["order-1", "order-1%"]);
      expect(await found("order-1%")).toEqual(["order-1%"]);
      expect(await found("order_")).toEqual(["order_1"]);
      expect(await found("e")).toEqual(["e\u0301te\u0301"]);
      expect(await listed({ queue, workflowIdPrefix: "" })).toHaveLength(6);
      expect(await listed({ queue, workflowIdPrefix: queue, status: ["running"], isPaused: false })).toHaveLength(6);
      const [{ count } = { count: -1 }] = await stage.store.countRuns({ workflowIdPrefix: queue, by: null, limit: 1 });
      expect(count).toBe(6);
    });

    test("by the time of closing they are read page by page, each once, also where several closed at one moment", async () => {
      const queue = newId("queue");
      const starts = Array.from({ length: 7 }, () => startRequest({ queue }));
      for (const start of starts) await stage.startAs(start);
      const order = [3, 0, 6, 1, 5, 2].map((nth) => starts[nth]?.runId ?? "");
      for (const runId of order) await stage.store.terminateRun(runId, "enough");
      for (const isDescending of [true, false]) {
        const read: StoredSummary[] = [];
        for (;;) {
          const last = read.at(-1);
          const after = last === undefined ? null : { number: last.closedAt ?? 0, text: "", runId: last.runId };
          const page = await stage.store.listRuns({ queue, limit: 2, byClosing: { isDescending, after } });
          read.push(...page);
          if (page.length < 2) break;
        }
        expect(new Set(read.map(({ runId }) => runId))).toEqual(new Set(order));
        expect(read).toHaveLength(order.length);
        const inOrder = read.toSorted((a, b) => {
          const first = (a.closedAt ?? 0) - (b.closedAt ?? 0) || (a.runId < b.runId ? -1 : 1);
          return isDescending ? -first : first;
        });
        expect(read).toEqual(inOrder);
      }
      const open = { queue, status: ["running" as const], byClosing: { isDescending: true, after: null } };
      expect(await listed(open)).toEqual([]);
    });
  });

  describe("reading", () => {
    test("a history is read page by page", async () => {
      const run = await stage.owned();
      for (let base = 1; base < 8; base += 1) await stage.commit(turnOf(run, { base }));
      const seqs = async (after: number, limit: number) => {
        return (await stage.store.readHistory(run.runId, after, limit)).map(({ seq }) => seq);
      };
      expect(await seqs(0, 3)).toEqual([1, 2, 3]);
      expect(await seqs(3, 3)).toEqual([4, 5, 6]);
      expect(await seqs(6, 3)).toEqual([7, 8]);
      expect(await seqs(8, 3)).toEqual([]);
      expect(await stage.store.readHistory(newRunId(), 0, 10)).toEqual([]);
    });

    test("the events of one type are read for many runs at once, in order, and no others", async () => {
      const mark = (name: string) => ({ type: "PatchMarked", name, since: 1, isDeprecated: false }) as const;
      const marked = await stage.owned();
      await stage.commit(turnOf(marked, {}, mark("a"), stepCompleted(1), mark("b")));
      const closed = await stage.owned();
      await stage.commit(turnOf(closed, {}, mark("c")));
      await stage.commit(closingTurn(closed, "completed", { base: 2 }));
      const plain = await stage.owned();
      await stage.commit(turnOf(plain));
      const code = EVENT_CODES.PatchMarked;
      const runIds = [plain.runId, closed.runId, newRunId(), marked.runId];
      const found = await stage.store.readEventsOfType(runIds, code);
      expect(new Set(found.keys())).toEqual(new Set([marked.runId, closed.runId]));
      for (const [runId, events] of found) {
        const all = await stage.store.readHistory(runId, 0, 10);
        expect(events).toEqual(all.filter(({ type }) => type === code));
      }
      expect(found.get(marked.runId)?.map(({ seq, name }) => [seq, name])).toEqual([
        [2, "a"],
        [4, "b"],
      ]);
      const last = await stage.store.readEventsOfType(runIds, code, 1);
      expect(last.get(marked.runId)?.map(({ seq }) => seq)).toEqual([4]);
      expect(last.get(closed.runId)).toEqual(found.get(closed.runId)?.slice(-1));
      expect((await stage.store.readEventsOfType([], code)).size).toBe(0);
    });

    test("the events of a step are read by its number or its name, in order, and no others", async () => {
      const run = await stage.owned();
      const deferred = (command: number, name: string) =>
        ({
          type: "StepDeferred",
          command,
          name,
          attempt: 1,
          verifier: "v",
          startedAt: 1,
          firstAttemptAt: 1,
          heartbeat: null,
          inputHash: null,
        }) as const;
      const timer = { type: "TimerStarted", command: 1, name: "ask", due: { afterMs: 1 } } as const;
      const report = { type: "StepReported", attempt: 1, reportId: "r", report: "ignored", details: null } as const;
      await stage.send(run.runId, { kind: "stepReport", mailId: "step:2.1:r" });
      await stage.commit(turnOf(run, {}, deferred(2, "ask"), deferred(3, "ask"), timer, deferred(4, "tell")));
      await stage.send(run.runId, { kind: "retryNow", mailId: "retryNow:r" });
      await stage.send(run.runId, { kind: "skipSleep", mailId: "skipSleep:r" });
      const request = { requestId: "r", name: "ask" } as const;
      await stage.commit(
        turnOf(
          run,
          { base: 5, takenMail: 3 },
          { ...report, command: 2, name: "ask", mail: 1 },
          { type: "StepRetried", ...request, command: 3, attempt: 2, mail: 2 },
          { type: "TimerSkipped", ...request, command: 1, mail: 3 },
        ),
      );
      const read = async (step: { command: number } | { name: string }, runId = run.runId) =>
        (await stage.store.readStepEvents(runId, step)).map(({ seq }) => seq);
      expect(await read({ command: 2 })).toEqual([2, 6]);
      expect(await read({ name: "ask" })).toEqual([2, 3, 6, 7]);
      expect(await read({ name: "none" })).toEqual([]);
      expect(await read({ command: 2 }, newRunId())).toEqual([]);
      expect(await read({ command: 2 }, "no run id")).toEqual([]);
    });

    test("outcomes are those of closed runs, with the event that ended them", async () => {
      const completed = await stage.closed("completed");
      const failed = await stage.closed("failed");
      const open = await stage.owned();
      const blocked = await stage.blocked();
      const runIds = [open.runId, completed.runId, newRunId(), failed.runId, blocked.runId];
      const outcomes = await stage.store.readOutcomes(runIds);
      expect(new Set(outcomes.keys())).toEqual(new Set([completed.runId, failed.runId]));
      for (const [runId, { status, event }] of outcomes) {
        expect(status).toBe(runId === completed.runId ? "completed" : "failed");
        expect([event]).toEqual(await stage.store.readHistory(runId, 1, 10));
      }
      expect((await stage.store.readOutcomes([])).size).toBe(0);
      const unknown = newRunId();
      expect(await stage.store.missingRuns([...runIds, unknown, "no run id"])).toHaveLength(3);
      expect(new Set(await stage.store.missingRuns([unknown, "no run id"]))).toEqual(new Set([unknown, "no run id"]));
      expect(await stage.store.missingRuns([])).toEqual([]);
    });
  });
}
