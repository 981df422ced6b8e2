// Children whose workflow id is taken: the open run stands for the child, or makes room for it. A run that is waited for
// does not end before it knows.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { ClosePolicy, Errand } from "../../../runtime/store/errands.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import { continuingTurn } from "./continuing.ts";
import { closingTurn, type Stage, startRequest, stepCompleted, turnOf } from "./stage.ts";

const COMMAND = 7;

export function adoptingContract(stage: Stage): void {
  describe("children whose workflow id is taken", () => {
    /** `parent` asks for a child with the workflow id. */
    const asks = async (
      parent: ClaimedRun,
      workflowId: string,
      onConflict: StartRequest["onConflict"],
      policy: ClosePolicy = "terminate",
    ): Promise<StartRequest> => {
      const child = startRequest({ workflowId });
      const { runId, workflow, queue, started, onReuse, timeoutMs } = child;
      const asker = { runId: parent.runId, command: COMMAND, name: workflow };
      const made = { runId, workflowId, workflow, queue, started, carriesData: false, onReuse, onConflict, timeoutMs };
      const errand: Errand = { do: "start", asker, child: made, policy };
      await stage.commitWithEffects(
        turnOf(parent, { effects: { errands: [errand], successor: null } }, stepCompleted(1)),
      );
      return child;
    };
    const adoptionsOf = async (runId: string) =>
      (await stage.store.readMail([{ runId, after: 0 }], 100))
        .filter(({ kind }) => kind === "adopt")
        .map(({ name }) => name);
    /** The end of a run that knows it is waited for. */
    const ends = async (run: ClaimedRun, mail: number) => {
      await stage.commit(turnOf(run, { takenMail: mail }, { type: "RunAdopted", mail, by: "r" }));
      const effects = { errands: [], successor: null };
      await stage.commitWithEffects(closingTurn(run, "completed", { base: run.events + 1, takenMail: mail, effects }));
    };

    test("the open run stands for the child, several times over, and each parent hears of its end", async () => {
      const found = await stage.owned();
      const parents = [await stage.owned(), await stage.owned()];
      for (const parent of parents) {
        const child = await asks(parent, found.workflowId, "useExisting");
        await stage.doErrands();
        expect(await stage.store.findRun({ runId: child.runId })).toBeNull();
        expect(await stage.answersTo(parent.runId)).toEqual([
          { type: "ChildStarted", command: COMMAND, name: child.workflow, mail: 0, adopted: found.runId },
        ]);
      }
      expect(await adoptionsOf(found.runId)).toEqual(parents.map(({ runId }) => runId));
      await ends(found, 2);
      await stage.doErrands();
      for (const parent of parents) {
        expect(await stage.answersTo(parent.runId)).toMatchObject([
          { type: "ChildStarted" },
          { type: "ChildEnded", failure: null },
        ]);
      }
    });

    test("it does not close before it knows who waits", async () => {
      const found = await stage.owned();
      await asks(await stage.owned(), found.workflowId, "useExisting");
      await stage.doErrands();
      expect(await stage.append(closingTurn(found, "completed"))).toBe(false);
      expect(await stage.statusOf(found.runId)).toBe("running");
    });

    test("its end from outside is told as well", async () => {
      const found = await stage.owned();
      const parent = await stage.owned();
      await asks(parent, found.workflowId, "useExisting");
      await stage.doErrands();
      await stage.store.terminateRun(found.runId, "enough");
      await stage.doErrands();
      expect((await stage.answersTo(parent.runId)).at(-1)).toMatchObject({
        type: "ChildEnded",
        failure: { kind: "terminated" },
      });
    });

    test("its own parent keeps it; the end of one who only waits leaves it alone", async () => {
      const parent = await stage.owned();
      const child = await asks(parent, startRequest().workflowId, "fail");
      await stage.doErrands();
      const other = await stage.owned();
      await asks(other, child.workflowId, "useExisting");
      await stage.doErrands();
      await stage.store.terminateRun(other.runId, "enough");
      await stage.doErrands();
      expect(await stage.statusOf(child.runId)).toBe("running");
      await stage.store.terminateRun(parent.runId, "enough");
      await stage.doErrands();
      expect(await stage.statusOf(child.runId)).toBe("terminated");
    });

    test("where it continues as new, the last run of its chain is what is waited for", async () => {
      const found = await stage.owned();
      const parent = await stage.owned();
      await asks(parent, found.workflowId, "useExisting");
      await stage.doErrands();
      await stage.commitWithEffects(continuingTurn(found));
      const next = await stage.claimOne(found.queue);
      expect(await adoptionsOf(next.runId)).toEqual([parent.runId]);
      expect(await stage.answersTo(parent.runId)).toHaveLength(1);
      // Another finds it in the middle of its chain.
      const late = await stage.owned();
      await asks(late, found.workflowId, "useExisting");
      await stage.doErrands();
      await ends(next, 2);
      await stage.doErrands();
      for (const { runId } of [parent, late]) {
        expect((await stage.answersTo(runId)).at(-1)).toMatchObject({ type: "ChildEnded" });
      }
    });

    test("without an open run the child is started", async () => {
      const { workflowId } = await stage.closed("completed");
      for (const onConflict of ["useExisting", "terminateExisting"] as const) {
        const parent = await stage.owned();
        const child = await asks(parent, workflowId, onConflict);
        await stage.doErrands();
        expect(await stage.statusOf(child.runId)).toBe("running");
        expect((await stage.answersTo(parent.runId))[0]).not.toHaveProperty("adopted");
        await stage.store.terminateRun(child.runId, "enough");
      }
    });

    test("terminateExisting ends the open run and starts the child in its place", async () => {
      const found = await stage.owned();
      const waiting = await stage.owned();
      await asks(waiting, found.workflowId, "useExisting");
      await stage.doErrands();
      const parent = await stage.owned();
      const child = await asks(parent, found.workflowId, "terminateExisting");
      await stage.doErrands();
      expect([await stage.statusOf(found.runId), await stage.statusOf(child.runId)]).toEqual(["terminated", "running"]);
      expect((await stage.answersTo(waiting.runId)).at(-1)).toMatchObject({ type: "ChildEnded" });
      await stage.store.terminateRun(parent.runId, "enough");
      await stage.doErrands();
      expect(await stage.statusOf(child.runId)).toBe("terminated");
    });

    test("one that is ended may be the parent of a child that is to be started after it", async () => {
      const [one, two] = [await stage.owned(), await stage.owned()];
      const first = await asks(one, two.workflowId, "terminateExisting");
      const second = await asks(two, startRequest().workflowId, "fail");
      await stage.doErrands();
      expect(await stage.statusOf(first.runId)).toBe("running");
      expect(await stage.statusOf(two.runId)).toBe("terminated");
      expect([undefined, "terminated"]).toContain(await stage.statusOf(second.runId));
    });

    test.each(["useExisting", "terminateExisting"] as const)(
      "a run is not its own child, with %s",
      async (onConflict) => {
        const parent = await stage.owned();
        await asks(parent, parent.workflowId, onConflict);
        await stage.doErrands();
        expect(await stage.answersTo(parent.runId)).toMatchObject([{ type: "ChildStartFailed" }]);
        expect(await stage.statusOf(parent.runId)).toBe("running");
      },
    );

    test("an end that races with being adopted is heard of, or comes first", async () => {
      for (let round = 0; round < 20; round += 1) {
        const found = await stage.owned();
        const parent = await stage.owned();
        const child = await asks(parent, found.workflowId, "useExisting");
        const closed = stage.append(closingTurn(found, "completed"));
        await Promise.all([closed, stage.doErrands()]);
        await stage.doErrands();
        if (await closed) expect(await stage.statusOf(child.runId)).toBe("running");
        else expect(await adoptionsOf(found.runId)).toEqual([parent.runId]);
        expect(await stage.answersTo(parent.runId)).toMatchObject([{ type: "ChildStarted" }]);
        await stage.store.terminateRun((await closed) ? child.runId : found.runId, "enough");
        await stage.doErrands();
        expect((await stage.answersTo(parent.runId)).at(-1)).toMatchObject({ type: "ChildEnded" });
      }
    });

    test("many ask for one id at once: one child is started, and the others wait for it", async () => {
      const { workflowId } = startRequest();
      const parents = await Promise.all(Array.from({ length: 6 }, () => stage.owned({}, randomUUID())));
      const children = await Promise.all(parents.map((parent) => asks(parent, workflowId, "useExisting")));
      await Promise.all([stage.doErrands(), stage.doErrands()]);
      const statuses = await Promise.all(children.map(({ runId }) => stage.statusOf(runId)));
      expect(statuses.filter((status) => status !== undefined)).toEqual(["running"]);
      const open = await stage.store.findRun({ workflowId });
      await stage.store.terminateRun(open?.runId ?? "", "enough");
      await stage.doErrands();
      for (const { runId } of parents)
        expect((await stage.answersTo(runId)).at(-1)).toMatchObject({ type: "ChildEnded" });
    });
  });
}
