// Runs that are tried again: the next attempt waits for its time, keeps the deadline, and is known by its number.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import type { Successor } from "../../../runtime/store/turns.ts";
import { toRecord } from "../../../sdk/protocol/event-record.ts";
import { continuingTurn } from "./continuing.ts";
import { importRequest } from "./importing.ts";
import { newId, newRunId, only, type Stage, startRequest, turnOf } from "./stage.ts";

const HOUR_MS = 3_600_000;
const failure = { kind: "application", type: "Error", message: "no luck", retryable: true } as const;

export function retryingContract(stage: Stage): void {
  describe("trying runs again", () => {
    const retried = async (run: ClaimedRun, delayMs: number, more: Partial<Successor> = {}, attempt = 2) => {
      const continues = {
        previousRunId: run.runId,
        firstRunId: run.runId,
        retry: { attempt, failure, timeoutMs: null },
      };
      const { workflow } = run;
      const started = toRecord({ type: "RunStarted", workflow, input: null, seed: "5eed", continues });
      const turn = continuingTurn(run, { started, timeoutMs: null, retry: { attempt, delayMs }, ...more });
      expect((await stage.store.appendWithEffects([turn])).committed.size).toBe(1);
      return turn.effects?.successor?.runId ?? "";
    };
    const found = async (runId: string) => {
      const run = await stage.store.findRun({ runId });
      expect(run).not.toBeNull();
      return run as NonNullable<typeof run>;
    };

    test("the next attempt is parked until its time, and claimed then", async () => {
      const run = await stage.owned();
      const nextId = await retried(run, HOUR_MS);
      const next = await found(nextId);
      expect(next).toMatchObject({ status: "running", attempt: 2, ownerId: null, wakeAt: next.startedAt + HOUR_MS });
      expect(await found(run.runId)).toMatchObject({ status: "continuedAsNew", attempt: 1 });
      const { claimed, nextDueInMs } = await stage.claim(run.queue);
      expect(claimed).toEqual([]);
      expect(nextDueInMs).toBeGreaterThan(HOUR_MS - 60_000);
      const soon = await stage.owned();
      const soonId = await retried(soon, 20);
      const begun = await stage.becomes("the next attempt is due", async () => {
        return (await stage.claim(soon.queue)).claimed[0] ?? null;
      });
      expect(begun).toMatchObject({ runId: soonId, epoch: 1, events: 1, history: [{ seq: 1 }] });
    });

    test("it keeps the deadline, however much of it is used up", async () => {
      const run = await stage.owned({ timeoutMs: HOUR_MS });
      const { deadlineAt } = await found(run.runId);
      const next = await found(await retried(run, 1_000));
      expect(next.deadlineAt).toBe(deadlineAt);
      const without = await stage.owned();
      expect(await found(await retried(without, 1_000))).toMatchObject({ deadlineAt: null });
      const late = await stage.owned({ timeoutMs: 0 });
      const lateId = await retried(late, HOUR_MS);
      expect(await stage.store.closeOverdue(1_000)).toContain(lateId);
    });

    test("mail does not shorten its pause; a cancel request does", async () => {
      const run = await stage.owned();
      const nextId = await retried(run, HOUR_MS);
      const { wakeAt } = await found(nextId);
      expect(await stage.send(nextId, { mailId: "signal" })).toMatchObject({ outcome: "accepted" });
      expect(await stage.send(nextId, { mailId: "update:u", kind: "update" })).toMatchObject({ outcome: "accepted" });
      expect(await found(nextId)).toMatchObject({ wakeAt, unreadMail: 2 });
      await stage.send(nextId, { kind: "cancel", mailId: "cancel", name: "enough" });
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: nextId, newestMail: 3 });
    });

    test("once it has begun, mail wakes it like any other run", async () => {
      const run = await stage.owned();
      await retried(run, 0);
      const begun = await stage.claimOne(run.queue);
      await stage.park(begun, await stage.inAnHour());
      await stage.send(begun.runId, { mailId: "signal" });
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: begun.runId, newestMail: 1 });
    });

    test("pausing and resuming it leaves its time as it is", async () => {
      const run = await stage.owned();
      const nextId = await retried(run, HOUR_MS);
      const { wakeAt } = await found(nextId);
      for (const kind of ["pause", "resume"] as const) {
        await stage.store.controlRun({ runId: nextId, kind, mailId: randomUUID(), reason: "" });
      }
      expect(await found(nextId)).toMatchObject({ wakeAt, paused: null });
      expect((await stage.claim(run.queue)).claimed).toEqual([]);
    });

    test("mail that was not used moves over, and a mail id still counts once", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "kept" });
      const nextId = await retried(run, HOUR_MS);
      expect(only(await stage.store.readMail([{ runId: nextId, after: 0 }], 9))).toMatchObject({ mailId: "kept" });
      expect(await stage.send(nextId, { mailId: "kept" })).toMatchObject({ outcome: "duplicate" });
    });

    test("its number is told by lists, and shared by forks and imports", async () => {
      const { workflowId, queue } = startRequest();
      const run = await stage.owned({ workflowId, queue });
      await retried(run, 0);
      const second = await stage.claimOne(queue);
      await retried(second, 0, {}, 3);
      const third = await stage.claimOne(queue);
      for (const [bounds, attempts] of [
        [{ gte: 2 }, [3, 2]],
        [{ gt: 2 }, [3]],
        [{ lt: 3 }, [2, 1]],
        [{ gte: 1, lte: 1 }, [1]],
      ] as const) {
        const found = await stage.store.listRuns({ workflowId, attempt: bounds, limit: 5 });
        expect(found.map(({ attempt }) => attempt)).toEqual(attempts);
      }
      const listed = await stage.store.listRuns({ workflowId, limit: 5 });
      expect(listed.map(({ attempt, status }) => [attempt, status])).toEqual([
        [3, "running"],
        [2, "continuedAsNew"],
        [1, "continuedAsNew"],
      ]);
      await stage.commit(turnOf(third, { close: "completed" }, { type: "RunCompleted", result: null, unread: [] }));
      const imported = importRequest({ attempt: 7 });
      await stage.store.importRun(imported);
      expect(await found(imported.runId)).toMatchObject({ attempt: 7 });
    });

    test("while it waits, its workflow id is taken", async () => {
      const { workflowId, queue } = startRequest();
      const run = await stage.owned({ workflowId, queue });
      const nextId = await retried(run, HOUR_MS);
      const start = (more: object) => stage.store.startRuns([startRequest({ workflowId, queue, ...more })]);
      expect(only(await start({ onReuse: "allowIfFailed" }))).toMatchObject({ outcome: "refused", runId: nextId });
      const terminating = { onConflict: "terminateExisting", runId: newRunId(), workflow: newId("other") };
      expect(only(await start(terminating))).toMatchObject({ outcome: "started" });
      expect(await found(nextId)).toMatchObject({ status: "terminated", attempt: 2 });
    });
  });
}
