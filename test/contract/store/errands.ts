// Errands: what a committed turn wants done to other runs is done once, and whoever waits hears of it.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { ClosePolicy, Errand } from "../../../runtime/store/errands.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import { encodeAttributes } from "../../../sdk/protocol/attributes.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { encodeMemo } from "../../../sdk/protocol/memo.ts";
import { continuingTurn } from "./continuing.ts";
import { closingTurn, newRunId, only, type Stage, startRequest, stepCompleted, turnOf } from "./stage.ts";

const COMMAND = 7;

export function errandsContract(stage: Stage): void {
  describe("errands", () => {
    const startErrand = (parent: ClaimedRun, child: StartRequest, policy: ClosePolicy = "terminate"): Errand => {
      const { runId, workflowId, workflow, queue, started, carriesData = false, onReuse, timeoutMs } = child;
      const asker = { runId: parent.runId, command: COMMAND, name: workflow };
      const made = { runId, workflowId, workflow, queue, started, carriesData, onReuse, timeoutMs };
      return { do: "start", asker, child: made, policy };
    };
    const mailErrand = (from: ClaimedRun, to: (Errand & { do: "mail" })["to"], mailId: string): Errand => ({
      do: "mail",
      to,
      mail: { kind: "signal", mailId, name: "approve", payload: '"hi"' },
      asker: { runId: from.runId, command: COMMAND, name: "signal approve" },
    });
    const withErrands = (run: ClaimedRun, ...errands: Errand[]) =>
      turnOf(run, { effects: { errands, successor: null } }, stepCompleted(1));
    /** A parent and its open child. */
    const family = async (policy: ClosePolicy = "terminate", request: Partial<StartRequest> = {}) => {
      const parent = await stage.owned();
      const child = startRequest(request);
      await stage.commitWithEffects(withErrands(parent, startErrand(parent, child, policy)));
      await stage.doErrands();
      return { parent, child };
    };
    /** The close of a run with kin. */
    const ending = (run: ClaimedRun, base: number, takenMail: number) =>
      closingTurn(run, "completed", { base, takenMail, effects: { errands: [], successor: null } });

    test("a child has the attributes and the memo that it is started with", async () => {
      const started = toRecord({
        type: "RunStarted",
        workflow: "order",
        input: null,
        seed: "s",
        attributes: encodeAttributes({ customer: ["keyword", "child"] }, "attributes"),
        memo: encodeMemo({ note: 1 }, "memo"),
      });
      const { child } = await family("terminate", { started, carriesData: true });
      expect((await stage.store.findRun({ runId: child.runId }))?.data).toEqual({
        attributes: { customer: ["keyword", "child"] },
        memo: { note: "1" },
      });
    });

    test("a child is started when its request is committed, and the parent is told and woken", async () => {
      const { parent, child } = await family();
      expect(await stage.store.findRun({ runId: child.runId })).toMatchObject({
        status: "running",
        workflowId: child.workflowId,
        queue: child.queue,
      });
      const started = { type: "ChildStarted", command: COMMAND, name: child.workflow };
      expect(await stage.answersTo(parent.runId)).toEqual([{ ...started, mail: 0 }]);
      expect(await stage.claimOne(child.queue)).toMatchObject({ runId: child.runId });
    });

    test("an errand is answered with whom to wake", async () => {
      const workerId = randomUUID();
      const parent = await stage.owned({}, workerId);
      const child = startRequest();
      await stage.commitWithEffects(withErrands(parent, startErrand(parent, child)));
      const { queues, ownerIds } = await stage.store.runErrands(1_000);
      expect(queues).toContain(child.queue);
      expect(ownerIds).toContain(workerId);
    });

    test("the errands of a refused turn are not done", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      const child = startRequest();
      const turn = withErrands(stale, startErrand(stale, child));
      expect((await stage.store.appendWithEffects([turn])).committed.size).toBe(0);
      await stage.doErrands();
      expect(await stage.store.findRun({ runId: child.runId })).toBeNull();
    });

    test("a child whose workflow id is taken is not started, and the parent is told by whom", async () => {
      const { workflowId, runId } = startRequest();
      await stage.start({ workflowId, runId });
      const { parent, child } = await family("terminate", { workflowId });
      expect(await stage.store.findRun({ runId: child.runId })).toBeNull();
      const [answer] = await stage.answersTo(parent.runId);
      expect(answer).toMatchObject({ type: "ChildStartFailed", command: COMMAND });
      expect(JSON.stringify(answer)).toContain(runId);
    });

    test("of two children with one workflow id in one turn, one is started", async () => {
      const parent = await stage.owned();
      const { workflowId } = startRequest();
      const children = [startRequest({ workflowId }), startRequest({ workflowId })];
      await stage.commitWithEffects(withErrands(parent, ...children.map((child) => startErrand(parent, child))));
      await stage.doErrands();
      const found = await Promise.all(children.map(({ runId }) => stage.store.findRun({ runId })));
      expect(found.filter((run) => run !== null)).toHaveLength(1);
    });

    test.each(["allowIfFailed", "reject"] as const)("onReuse %s is honoured", async (onReuse) => {
      const { workflowId } = await stage.closed("completed");
      const { parent } = await family("terminate", { workflowId, onReuse });
      expect(await stage.answersTo(parent.runId)).toMatchObject([{ type: "ChildStartFailed" }]);
    });

    test("the end of a child is told once: by itself, terminated, or out of time", async () => {
      const own = await family();
      const child = await stage.claimOne(own.child.queue);
      await stage.commitWithEffects(ending(child, 1, 0));
      const terminated = await family();
      await stage.store.terminateRun(terminated.child.runId, "enough");
      const late = await family("terminate", { timeoutMs: 1 });
      await stage.becomes("the child is out of time", async () => {
        await stage.store.closeOverdue(100);
        return (await stage.statusOf(late.child.runId)) === "timedOut";
      });
      await stage.doErrands();
      const ends = await Promise.all([own, terminated, late].map(({ parent }) => stage.answersTo(parent.runId)));
      expect(ends.map((answers) => answers.slice(1))).toMatchObject([
        [{ type: "ChildEnded", command: COMMAND, result: '"shipped"', failure: null }],
        [{ type: "ChildEnded", failure: { kind: "terminated", message: "enough" } }],
        [{ type: "ChildEnded", failure: { kind: "timeout", timeout: "run" } }],
      ]);
    });

    test("a child that continues as new has not ended", async () => {
      const { parent, child } = await family();
      const first = await stage.claimOne(child.queue);
      await stage.commitWithEffects(continuingTurn(first));
      const second = await stage.claimOne(child.queue);
      await stage.doErrands();
      expect(await stage.answersTo(parent.runId)).toHaveLength(1);
      await stage.commitWithEffects(ending(second, 1, 0));
      await stage.doErrands();
      expect((await stage.answersTo(parent.runId)).at(-1)).toMatchObject({ type: "ChildEnded", result: '"shipped"' });
    });

    test.each([
      ["terminate", "terminated"],
      ["cancel", "running"],
      ["abandon", "running"],
    ] as const)("a parent that ends deals with its child: %s", async (policy, status) => {
      const { parent, child } = await family(policy);
      await stage.commitWithEffects(ending(parent, 2, 1));
      await stage.doErrands();
      expect(await stage.statusOf(child.runId)).toBe(status);
      const mail = await stage.store.readMail([{ runId: child.runId, after: 0 }], 10);
      expect(mail.map(({ kind }) => kind)).toEqual(policy === "cancel" ? ["cancel"] : []);
    });

    test("so does one that is terminated, out of time, replaced, or goes on as new", async () => {
      const families = await Promise.all([family(), family(), family()]);
      const [terminated, replaced, continued] = families;
      if (terminated === undefined || replaced === undefined || continued === undefined) throw new Error("three");
      await stage.store.terminateRun(terminated.parent.runId, "enough");
      await stage.start({ workflowId: replaced.parent.workflowId, onConflict: "terminateExisting" });
      await stage.commitWithEffects(continuingTurn(continued.parent, {}, { base: 2, takenMail: 0 }));
      await stage.doErrands();
      for (const { child } of families) expect(await stage.statusOf(child.runId)).toBe("terminated");
    });

    test("the child of a chain is dealt with in its latest run", async () => {
      const { parent, child } = await family();
      const successor = continuingTurn(await stage.claimOne(child.queue));
      await stage.commitWithEffects(successor);
      await stage.store.terminateRun(parent.runId, "enough");
      await stage.doErrands();
      expect(await stage.statusOf(successor.effects?.successor?.runId ?? "")).toBe("terminated");
    });

    test("a child is not started for a parent that is closed already, unless it is to be abandoned", async () => {
      const parent = await stage.owned();
      const [wanted, abandoned] = [startRequest(), startRequest()];
      const errands = [startErrand(parent, wanted), startErrand(parent, abandoned, "abandon")];
      await stage.commitWithEffects(withErrands(parent, ...errands));
      await stage.store.terminateRun(parent.runId, "enough");
      await stage.doErrands();
      expect(await stage.store.findRun({ runId: wanted.runId })).toBeNull();
      expect(await stage.statusOf(abandoned.runId)).toBe("running");
    });

    test("a parent's end that races with its child's start leaves no orphan", async () => {
      for (let round = 0; round < 10; round += 1) {
        const parent = await stage.owned();
        const child = startRequest();
        await stage.commitWithEffects(withErrands(parent, startErrand(parent, child)));
        await Promise.all([
          stage.store.terminateRun(parent.runId, "enough"),
          stage.store.runErrands(50),
          stage.doErrands(),
        ]);
        await stage.doErrands();
        expect(["terminated", undefined]).toContain(await stage.statusOf(child.runId));
      }
    });

    test("mail is accepted in the order it was asked for, and its sender is told", async () => {
      const from = await stage.owned();
      const to = await stage.owned();
      const ids = ["a", "b", "c"];
      await stage.commitWithEffects(
        withErrands(from, ...ids.map((id) => mailErrand(from, { workflowId: to.workflowId }, id))),
      );
      await Promise.all([stage.doErrands(), stage.doErrands()]);
      const mail = await stage.store.readMail([{ runId: to.runId, after: 0 }], 10);
      expect(mail.map(({ mailId }) => mailId)).toEqual(ids);
      expect(await stage.answersTo(from.runId)).toMatchObject([{ type: "ExternalDelivered", command: COMMAND }]);
    });

    test("mail that reaches nobody, or a closed run, is answered so", async () => {
      const closed = await stage.closed("completed");
      for (const [to, code] of [
        [{ workflowId: "nobody at all" }, "RUN_NOT_FOUND"],
        [{ chainOf: newRunId() }, "RUN_NOT_FOUND"],
        [{ workflowId: closed.workflowId }, "RUN_CLOSED"],
      ] as const) {
        const from = await stage.owned();
        await stage.commitWithEffects(withErrands(from, mailErrand(from, to, "a")));
        await stage.doErrands();
        expect(await stage.answersTo(from.runId)).toMatchObject([{ type: "ExternalFailed", failure: { code } }]);
      }
    });

    test("mail races with runs that continue as new, and arrives once, in order", async () => {
      const from = await stage.owned();
      let to = await stage.owned();
      const ids = Array.from({ length: 20 }, (_, n) => `mail ${n}`);
      await stage.commitWithEffects(
        withErrands(from, ...ids.map((id) => mailErrand(from, { workflowId: to.workflowId }, id))),
      );
      const continuing = (async () => {
        for (let round = 0; round < 5; round += 1) {
          await stage.commitWithEffects(continuingTurn(to));
          // Whoever delivers mail to it may have it locked for a moment.
          const { queue } = to;
          to = await stage.becomes(
            "the next run is claimed",
            async () => (await stage.claim(queue)).claimed[0] ?? null,
          );
        }
      })();
      const doing = (async () => {
        for (let round = 0; round < 10; round += 1) await stage.store.runErrands(4);
      })();
      await Promise.all([continuing, doing]);
      await stage.doErrands();
      const mail = await stage.store.readMail([{ runId: to.runId, after: 0 }], 100);
      expect(mail.map(({ mailId }) => mailId)).toEqual(ids);
    });

    test("answers do not pass on to the run that continues the one that asked", async () => {
      const { parent } = await family("abandon");
      const turn = continuingTurn(parent, {}, { base: 2, takenMail: 0 });
      await stage.commitWithEffects(turn);
      const nextId = turn.effects?.successor?.runId ?? "";
      expect(await stage.store.readMail([{ runId: nextId, after: 0 }], 10)).toEqual([]);
      expect(await stage.answersTo(parent.runId)).toHaveLength(1);
    });

    test("many at once do each errand once", async () => {
      const parents = await Promise.all(Array.from({ length: 10 }, () => stage.owned()));
      const children = parents.map(() => startRequest());
      await stage.commitWithEffects(
        ...parents.map((parent, n) => withErrands(parent, startErrand(parent, children[n] ?? startRequest()))),
      );
      await Promise.all(Array.from({ length: 5 }, () => stage.doErrands()));
      for (const [n, parent] of parents.entries()) {
        expect(await stage.answersTo(parent.runId)).toHaveLength(1);
        expect(only(await stage.store.listRuns({ workflowId: children[n]?.workflowId ?? "", limit: 5 }))).toMatchObject(
          {
            status: "running",
          },
        );
      }
    });
  });
}
