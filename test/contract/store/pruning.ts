// Runs that are kept no longer: found by the rules, deleted whole, and never an open one.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ExpiredRequest } from "../../../runtime/store/retention.ts";
import { encodeAttributes } from "../../../sdk/protocol/attributes.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { closingTurn, newId, newRunId, type Stage, startRequest, turnOf } from "./stage.ts";

const DAY_MS = 86_400_000;

export function pruningContract(stage: Stage): void {
  /** All pages, of a few runs each. */
  const expired = async (rules: ExpiredRequest["rules"]) => {
    const found: { runId: string; events: number }[] = [];
    let after: string | null = null;
    do {
      const page = await stage.store.findExpired({ rules, after, limit: 7 });
      found.push(...page.runs);
      after = page.next;
    } while (after !== null);
    return found;
  };

  describe("pruning", () => {
    test("closed runs expire by the rule of their workflow, open ones never", async () => {
      const [workflow, other] = [newId("workflow"), newId("workflow")];
      const first = await stage.closed("completed", { workflow });
      const open = await stage.owned({ workflow });
      const blocked = await stage.blocked({ workflow });
      const second = await stage.closed("failed", { workflow });
      const foreign = await stage.closed("completed", { workflow: other });
      const none = { workflow: other, retentionMs: DAY_MS };
      const both = [first.runId, second.runId].map((runId) => ({ runId, events: 2 }));
      await stage.becomes("both have expired", async () => {
        return (await expired([{ workflow, retentionMs: 1 }, none])).length === 2;
      });
      expect(await expired([{ workflow, retentionMs: 1 }, none])).toEqual(both);
      expect(await expired([{ workflow, retentionMs: DAY_MS }])).toEqual([]);
      const all = (await expired([{ workflow: null, retentionMs: 1 }])).map(({ runId }) => runId);
      expect(all).toEqual(expect.arrayContaining([first.runId, second.runId, foreign.runId]));
      expect(all).not.toContain(open.runId);
      expect(all).not.toContain(blocked.runId);
    });

    test("pages go through all runs once, and end where nothing can have expired", async () => {
      const workflow = newId("workflow");
      const ids: string[] = [];
      for (let n = 0; n < 9; n += 1) ids.push((await stage.closed("completed", { workflow })).runId);
      await stage.becomes("all have expired", async () => {
        return (await expired([{ workflow, retentionMs: 1 }])).length === 9;
      });
      expect((await expired([{ workflow, retentionMs: 1 }])).map(({ runId }) => runId)).toEqual(ids);
      const page = await stage.store.findExpired({
        rules: [{ workflow, retentionMs: DAY_MS }],
        after: ids[0] ?? null,
        limit: 1,
      });
      expect(page).toEqual({ runs: [], next: null });
    });

    test("a deleted run is gone with all that was kept of it, and its neighbours are untouched", async () => {
      const requestId = newId("request");
      const started = toRecord({
        type: "RunStarted",
        workflow: "order",
        input: null,
        seed: "seed",
        attributes: encodeAttributes({ customer: ["keyword", "gone"] }, "attributes"),
      });
      const run = await stage.owned({ requestId, started, carriesData: true });
      const neighbour = await stage.closed("completed", { queue: run.queue });
      await stage.send(run.runId, { mailId: "only" });
      const beat = { claim: run, command: 1, attempt: 1, details: "1", isProgress: true };
      await stage.store.saveHeartbeats([beat]);
      await stage.commit(closingTurn(run, "completed", { takenMail: 1 }));
      expect(await stage.store.deleteRuns([run.runId])).toEqual([run.runId]);

      expect(await stage.store.findRun({ runId: run.runId })).toBeNull();
      expect(await stage.store.findRun({ workflowId: run.workflowId })).toBeNull();
      expect(await stage.store.readHistory(run.runId, 0, 10)).toEqual([]);
      expect(await stage.store.loadHistories([run.runId])).toEqual([]);
      expect((await stage.store.readOutcomes([run.runId])).size).toBe(0);
      expect(await stage.store.readMail([{ runId: run.runId, after: 0 }], 10)).toEqual([]);
      expect(await stage.send(run.runId)).toMatchObject({ outcome: "notFound" });
      expect(await stage.store.terminateRun(run.runId, "enough")).toBe("notFound");
      expect((await stage.store.listRuns({ queue: run.queue, limit: 10 })).map(({ runId }) => runId)).toEqual([
        neighbour.runId,
      ]);
      expect(await stage.append(turnOf(run, { base: 2 }))).toBe(false);
      expect(await stage.store.deleteRuns([run.runId])).toEqual([]);
      // Neither its workflow id nor its request id stands in the way of another.
      const again = startRequest({ requestId, workflowId: run.workflowId, onReuse: "reject" });
      expect(await stage.startAs(again)).toMatchObject({ outcome: "started", runId: again.runId });
    });

    test("a run that is open, or unknown, is not deleted", async () => {
      const open = await stage.owned();
      const blocked = await stage.blocked();
      const closed = await stage.closed("canceled");
      const ids = [open.runId, newRunId(), blocked.runId, closed.runId, "nonsense"];
      expect(await stage.store.deleteRuns(ids)).toEqual([closed.runId]);
      expect(await stage.append(turnOf(open))).toBe(true);
      expect(await stage.store.findRun({ runId: blocked.runId })).toMatchObject({ status: "blocked", events: 1 });
    });

    test("of several who delete at once each run is one's", async () => {
      const queue = newId("queue");
      const requests = Array.from({ length: 20 }, () => startRequest({ queue }));
      await stage.store.startRuns(requests);
      const { claimed } = await stage.claim(queue, { workerId: randomUUID(), limit: 20 });
      await stage.store.appendTurns(claimed.map((run) => closingTurn(run, "completed")));
      const ids = claimed.map(({ runId }) => runId);
      const answers = await Promise.all([1, 2, 3].map(() => stage.store.deleteRuns(ids)));
      expect(answers.flat().sort()).toEqual([...ids].sort());
    });
  });
}
