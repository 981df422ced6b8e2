// Forks of runs that have kin: what passes to a fork in the place of its source, what a fork that asks for a child again is told,
// and which run is meant by the line of another.

import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { AskedAgain, ClosePolicy, Errand } from "../../../runtime/store/errands.ts";
import type { ForkRequest } from "../../../runtime/store/forks.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import { continuingTurn } from "./continuing.ts";
import {
  closingTurn,
  forkRequest,
  mailRequest,
  newRunId,
  only,
  type Stage,
  startRequest,
  stepCompleted,
  turnOf,
} from "./stage.ts";

const COMMAND = 7;

export function forkingKinContract(stage: Stage): void {
  describe("forks and kin", () => {
    const requests = async (
      parent: ClaimedRun,
      child: StartRequest,
      { policy = "terminate", again }: { policy?: ClosePolicy; again?: AskedAgain } = {},
    ): Promise<void> => {
      const { runId, workflowId, workflow, queue, started, onReuse, onConflict, timeoutMs } = child;
      const asker = { runId: parent.runId, command: COMMAND, name: workflow };
      const made = { runId, workflowId, workflow, queue, started, carriesData: false, onReuse, onConflict, timeoutMs };
      const errand: Errand = { do: "start", asker, child: made, policy, ...(again && { again }) };
      await stage.commitWithEffects(
        turnOf(parent, { effects: { errands: [errand], successor: null } }, stepCompleted(1)),
      );
    };
    const asks = async (...request: Parameters<typeof requests>): Promise<void> => {
      await requests(...request);
      await stage.doErrands();
    };
    /** A parent and its open child. */
    const family = async (policy: ClosePolicy = "terminate", request: Partial<StartRequest> = {}) => {
      const parent = await stage.owned();
      const child = startRequest(request);
      await asks(parent, child, { policy });
      return { parent, child };
    };
    const replace = (run: { runId: string; workflowId: string }, more: Partial<ForkRequest> = {}) =>
      forkRequest(run, { workflowId: run.workflowId, terminates: "again", ...more });
    const forked = async (request: ForkRequest): Promise<ForkRequest> => {
      expect(await stage.store.forkRun(request)).toEqual({ outcome: "forked", runId: request.runId });
      return request;
    };
    const kept = (child: StartRequest, isStarted = true) => [{ command: COMMAND, runId: child.runId, isStarted }];
    const terminate = async (runId: string) => {
      await stage.store.terminateRun(runId, "enough");
      await stage.doErrands();
    };
    const typesTold = async (runId: string) => (await stage.answersTo(runId)).map(({ type }) => type);
    const adoptionsOf = async (runId: string) =>
      (await stage.store.readMail([{ runId, after: 0 }], 100))
        .filter(({ kind }) => kind === "adopt")
        .map(({ name }) => name);

    describe("the children of the source", () => {
      test.each(["terminate", "cancel", "abandon"] as const)(
        "they are the fork's, and the end of the source is nothing to them: %s",
        async (policy) => {
          const { parent, child } = await family(policy);
          const fork = await forked(replace(parent, { children: kept(child) }));
          await stage.doErrands();
          expect(await stage.statusOf(child.runId)).toBe("running");
          expect(await stage.store.readMail([{ runId: child.runId, after: 0 }], 10)).toEqual([]);
          await terminate(fork.runId);
          expect(await stage.statusOf(child.runId)).toBe(policy === "terminate" ? "terminated" : "running");
          expect(await stage.store.findRun({ runId: child.runId })).toMatchObject({
            unreadMail: policy === "cancel" ? 1 : 0,
          });
        },
      );

      test("their ends are told to the fork", async () => {
        const { parent, child } = await family();
        const fork = await forked(replace(parent, { children: kept(child) }));
        await terminate(child.runId);
        expect(await typesTold(fork.runId)).toEqual(["ChildEnded"]);
      });

      test("those that the fork does not keep are dealt with by the end of the source", async () => {
        const { parent, child } = await family();
        await forked(replace(parent));
        await stage.doErrands();
        expect(await stage.statusOf(child.runId)).toBe("terminated");
      });

      test("one that the shared events do not know to be started is kept if it is the one that was asked for", async () => {
        const { parent, child } = await family();
        await forked(replace(parent, { children: kept(child, false) }));
        const other = await family();
        await forked(replace(other.parent, { children: kept(startRequest(), false) }));
        await stage.doErrands();
        expect(await stage.statusOf(child.runId)).toBe("running");
        expect(await stage.statusOf(other.child.runId)).toBe("terminated");
      });

      test("one that was reset meanwhile is kept, whatever the shared events know of it", async () => {
        for (const isStarted of [true, false]) {
          const { parent, child } = await family();
          const later = await forked(replace(child));
          await forked(replace(parent, { children: kept(child, isStarted) }));
          await stage.doErrands();
          expect(await stage.statusOf(later.runId)).toBe("running");
        }
      });

      test("a fork beside the source takes none of them", async () => {
        const { parent, child } = await family();
        const fork = await forked(forkRequest(parent, { children: kept(child) }));
        await terminate(fork.runId);
        expect(await stage.statusOf(child.runId)).toBe("running");
        await terminate(parent.runId);
        expect(await stage.statusOf(child.runId)).toBe("terminated");
      });

      test("a fork that is refused takes none of them", async () => {
        const { parent, child } = await family();
        const other = startRequest();
        await stage.startAs(other);
        const request = replace(parent, { workflowId: other.workflowId, children: kept(child) });
        expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "refused" });
        await terminate(child.runId);
        expect((await typesTold(parent.runId)).at(-1)).toBe("ChildEnded");
      });
    });

    describe("a child that is forked", () => {
      test("its parent hears of the fork's end, and not of its own", async () => {
        const { parent, child } = await family();
        const fork = await forked(replace(child));
        await stage.doErrands();
        expect(await typesTold(parent.runId)).toEqual(["ChildStarted"]);
        await terminate(fork.runId);
        expect(await typesTold(parent.runId)).toEqual(["ChildStarted", "ChildEnded"]);
      });

      test("its parent's policy is for the fork", async () => {
        const { parent, child } = await family();
        const fork = await forked(replace(child));
        await terminate(parent.runId);
        expect(await stage.statusOf(fork.runId)).toBe("terminated");
      });

      test("a policy that was due before it was forked reaches the fork", async () => {
        const { parent, child } = await family();
        await stage.store.terminateRun(parent.runId, "enough");
        const fork = await forked(replace(child));
        await stage.doErrands();
        expect(await stage.statusOf(fork.runId)).toBe("terminated");
      });

      test("where it had continued as new before, and where its fork does", async () => {
        const { parent, child } = await family();
        const claimed = await stage.claimOne(child.queue);
        await stage.commitWithEffects(continuingTurn(claimed));
        const next = await stage.claimOne(child.queue);
        const fork = await forked(replace(next));
        const forkClaimed = await stage.claimOne(child.queue);
        expect(forkClaimed.runId).toBe(fork.runId);
        await stage.commitWithEffects(continuingTurn(forkClaimed));
        const last = await stage.store.findRun({ lineOf: child.runId });
        expect(last).toMatchObject({ status: "running", workflowId: child.workflowId });
        expect([claimed.runId, next.runId, fork.runId]).not.toContain(last?.runId);
        await terminate(last?.runId ?? "");
        expect(await typesTold(parent.runId)).toEqual(["ChildStarted", "ChildEnded"]);
      });

      test("a fork of a run that stands for a child knows it before it ends", async () => {
        const found = await stage.owned();
        const parent = await stage.owned();
        await asks(parent, startRequest({ workflowId: found.workflowId, onConflict: "useExisting" }));
        const fork = await forked(replace(found, { keepsSignals: false }));
        expect(await adoptionsOf(fork.runId)).toEqual([parent.runId]);
        const beside = await forked(forkRequest(found));
        expect(await adoptionsOf(beside.runId)).toEqual([]);
      });
    });

    describe("a child that is asked for again", () => {
      const again = { isStarted: true, isBeside: false };

      test("is waited for where it is open, under the policy that it is asked for with", async () => {
        const { parent, child } = await family("abandon");
        await terminate(parent.runId);
        for (const [more, status] of [
          [{ isBeside: true }, "running"],
          [{}, "terminated"],
        ] as const) {
          const fork = await stage.owned();
          await asks(fork, child, { again: { ...again, ...more } });
          expect(await typesTold(fork.runId)).toEqual([]);
          expect(await adoptionsOf(child.runId)).toContain(fork.runId);
          await terminate(fork.runId);
          expect(await stage.statusOf(child.runId)).toBe(status);
        }
      });

      test("is not asked for twice by the fork that it was passed on to", async () => {
        const { parent, child } = await family();
        const fork = await forked(replace(parent, { children: kept(child) }));
        const claimed = await stage.claimOne(parent.queue);
        expect(claimed.runId).toBe(fork.runId);
        await asks(claimed, child, { again });
        expect(await adoptionsOf(child.runId)).toEqual([]);
        await terminate(child.runId);
        expect(await typesTold(fork.runId)).toEqual(["ChildEnded"]);
      });

      test("tells its end where it has ended", async () => {
        const { child } = await family();
        await stage.commit(closingTurn(await stage.claimOne(child.queue), "completed"));
        const fork = await stage.owned();
        await asks(fork, child, { again });
        expect(await stage.answersTo(fork.runId)).toMatchObject([
          { type: "ChildEnded", result: '"shipped"', failure: null },
        ]);
        const other = await stage.owned();
        await asks(other, child, { again: { ...again, isStarted: false } });
        expect(await typesTold(other.runId)).toEqual(["ChildStarted", "ChildEnded"]);
      });

      test("is started where nobody had come to that, and once", async () => {
        const fork = await stage.owned();
        const child = startRequest();
        await asks(fork, child, { again: { ...again, isStarted: false } });
        const other = await stage.owned();
        await asks(other, child, { again: { isStarted: false, isBeside: true } });
        expect(await stage.answersTo(fork.runId)).toMatchObject([{ type: "ChildStarted" }]);
        expect(only(await stage.answersTo(fork.runId))).not.toHaveProperty("adopted");
        expect(await stage.answersTo(other.runId)).toMatchObject([{ type: "ChildStarted", adopted: child.runId }]);
        await terminate(other.runId);
        expect(await stage.statusOf(child.runId)).toBe("running");
        await terminate(fork.runId);
        expect(await stage.statusOf(child.runId)).toBe("terminated");
      });

      test("is never started where the shared events tell that it was: it is told that nothing is left of it", async () => {
        const fork = await stage.owned();
        const child = startRequest();
        await asks(fork, child, { again });
        expect(await stage.answersTo(fork.runId)).toMatchObject([
          { type: "ChildStartFailed", failure: { code: "RUN_NOT_FOUND" } },
        ]);
        expect(await stage.statusOf(child.runId)).toBeUndefined();
      });

      test("is the last of its line", async () => {
        const { parent, child } = await family();
        await stage.commit(closingTurn(await stage.claimOne(child.queue), "failed"));
        await terminate(parent.runId);
        const later = await forked(replace(child));
        const fork = await stage.owned();
        await asks(fork, child, { again });
        expect(await typesTold(fork.runId)).toEqual([]);
        await terminate(later.runId);
        expect(await stage.answersTo(fork.runId)).toMatchObject([
          { type: "ChildEnded", failure: { kind: "terminated" } },
        ]);
      });

      test("nobody is told where the fork has ended", async () => {
        const { child } = await family();
        const fork = await stage.owned();
        await requests(fork, child, { again });
        await terminate(fork.runId);
        expect(await stage.statusOf(child.runId)).toBe("running");
      });
    });

    describe("the line of a run", () => {
      test("is itself, its chain, and the fork in its place, the last where there were several", async () => {
        const run = await stage.closed("failed");
        const latest = async (runId: string) => (await stage.store.findRun({ lineOf: runId }))?.runId;
        expect(await latest(run.runId)).toBe(run.runId);
        await forked(forkRequest(run));
        expect(await latest(run.runId)).toBe(run.runId);
        const first = await forked(replace(run));
        expect(await latest(run.runId)).toBe(first.runId);
        await terminate(first.runId);
        const second = await forked(replace(run));
        const third = await forked(replace(second));
        expect(await latest(run.runId)).toBe(third.runId);
        expect(await latest(first.runId)).toBe(first.runId);
        expect(await stage.store.findRun({ chainOf: run.runId })).toMatchObject({ runId: run.runId });
        expect(await latest(newRunId())).toBeUndefined();
        expect(await latest("no run")).toBeUndefined();
        const sent = await stage.store.sendMail([
          mailRequest({ to: { lineOf: run.runId } }),
          mailRequest({ to: { lineOf: newRunId() } }),
        ]);
        expect(sent).toMatchObject([{ outcome: "accepted", runId: third.runId }, { outcome: "notFound" }]);
      });

      test("leads to the fork also when the run that it was forked from is deleted", async () => {
        const run = await stage.closed("failed");
        const fork = await forked(replace(run));
        await stage.store.deleteRuns([run.runId]);
        expect(await stage.store.findRun({ lineOf: run.runId })).toMatchObject({ runId: fork.runId });
      });

      test("leads to the fork as long as that is open, through several: what lies between is not deleted", async () => {
        const first = await stage.owned();
        await stage.commitWithEffects(continuingTurn(first));
        const next = await stage.claimOne(first.queue);
        const reset = await forked(replace(next));
        const again = await forked(replace(reset));
        const links = [first.runId, next.runId, reset.runId];
        const expired = async () => {
          const { runs } = await stage.store.findExpired({
            rules: [{ workflow: first.workflow, retentionMs: 0 }],
            after: null,
            limit: 10_000,
          });
          return runs.map(({ runId }) => runId).filter((runId) => links.includes(runId));
        };
        expect(await expired()).toEqual([]);
        expect(await stage.store.deleteRuns(links)).toEqual([]);
        expect(await stage.store.findRun({ lineOf: first.runId })).toMatchObject({ runId: again.runId });
        await terminate(again.runId);
        expect((await expired()).sort()).toEqual([...links].sort());
        expect([...(await stage.store.deleteRuns(links))].sort()).toEqual([...links].sort());
      });

      test("an errand for it reaches the fork", async () => {
        const [from, to] = [await stage.owned(), await stage.owned()];
        const fork = await forked(replace(to));
        const errands: Errand[] = [
          { do: "mail", to: { lineOf: to.runId }, mail: mailOf(), asker: null },
          { do: "terminate", to: { lineOf: to.runId }, reason: "enough" },
        ];
        await stage.commitWithEffects(turnOf(from, { effects: { errands, successor: null } }, stepCompleted(1)));
        await stage.doErrands();
        expect(await stage.store.findRun({ runId: fork.runId })).toMatchObject({ status: "terminated" });
        expect(await stage.store.readMail([{ runId: fork.runId, after: 0 }], 10)).toHaveLength(1);
      });
    });

    describe("races", () => {
      test("a child's end and a fork of its parent: it is told to the fork that asks again, once", async () => {
        for (let round = 0; round < 10; round += 1) {
          const { parent, child } = await family();
          const request = replace(parent, { children: kept(child) });
          await Promise.all([forked(request), stage.store.terminateRun(child.runId, "enough")]);
          await stage.doErrands();
          await asks(await stage.claimOne(parent.queue), child, { again: { isStarted: true, isBeside: false } });
          expect(await typesTold(request.runId)).toEqual(["ChildEnded"]);
        }
      });

      test("a parent's end and a fork of its child: the fork is dealt with", async () => {
        for (let round = 0; round < 10; round += 1) {
          const { parent, child } = await family();
          const request = replace(child);
          await Promise.all([forked(request), stage.store.terminateRun(parent.runId, "enough")]);
          await stage.doErrands();
          expect(await stage.statusOf(request.runId)).toBe("terminated");
        }
      });

      test("parents and children that are forked at once: each fork of a parent has the fork of its child", async () => {
        for (let round = 0; round < 10; round += 1) {
          const { parent, child } = await family();
          const [above, below] = [replace(parent, { children: kept(child) }), replace(child)];
          await Promise.all([forked(above), forked(below)]);
          await terminate(above.runId);
          expect(await stage.statusOf(below.runId)).toBe("terminated");
        }
      });

      test("a run that is adopted while it is forked: who waits hears of the fork, or has a child of its own", async () => {
        for (let round = 0; round < 10; round += 1) {
          const found = await stage.owned();
          const parent = await stage.owned();
          const child = startRequest({ workflowId: found.workflowId, onConflict: "useExisting" });
          const request = replace(found);
          await Promise.all([forked(request), asks(parent, child)]);
          await stage.doErrands();
          expect(await adoptionsOf(request.runId)).toEqual([parent.runId]);
          await terminate(request.runId);
          expect(await typesTold(parent.runId)).toEqual(["ChildStarted", "ChildEnded"]);
        }
      });
    });
  });
}

function mailOf(): Extract<Errand, { do: "mail" }>["mail"] {
  const { to: _to, ...mail } = mailRequest({ to: { runId: newRunId() } });
  return mail;
}
