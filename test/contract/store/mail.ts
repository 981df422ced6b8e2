// Mail: accepted once, in order, by open runs only, and never without waking a run that could read it.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import {
  claimOf,
  closingTurn,
  mailRequest,
  newId,
  newRunId,
  type Stage,
  signalReceived,
  startRequest,
  turnOf,
} from "./stage.ts";

export function mailContract(stage: Stage): void {
  describe("mail", () => {
    const boxOf = (runId: string, after = 0, limit = 100) => stage.store.readMail([{ runId, after }], limit);

    test("mail is accepted in order and tells whom to wake", async () => {
      const workerId = randomUUID();
      const { runId, queue } = await stage.owned({}, workerId);
      const answers = await stage.store.sendMail(
        ["a", "b", "c"].map((mailId) => mailRequest({ to: { runId }, mailId })),
      );
      const accepted = { outcome: "accepted", runId, queue, ownerId: workerId, events: 1 };
      expect(answers).toEqual([1, 2, 3].map((mail) => ({ ...accepted, mail })));
      expect((await boxOf(runId)).map(({ mail, mailId }) => [mail, mailId])).toEqual([
        [1, "a"],
        [2, "b"],
        [3, "c"],
      ]);
    });

    test("a batch keeps the order within each run", async () => {
      const [a, b] = [await stage.owned(), await stage.owned()];
      const to = [b, a, b, b, a];
      await stage.store.sendMail(to.map(({ runId }, place) => mailRequest({ to: { runId }, mailId: `mail-${place}` })));
      expect((await boxOf(a.runId)).map(({ mailId }) => mailId)).toEqual(["mail-1", "mail-4"]);
      expect((await boxOf(b.runId)).map(({ mailId }) => mailId)).toEqual(["mail-0", "mail-2", "mail-3"]);
    });

    test("the same mail id is accepted once, also within a batch", async () => {
      const { runId } = await stage.owned();
      const twice = [mailRequest({ to: { runId }, mailId: "x" }), mailRequest({ to: { runId }, mailId: "x" })];
      expect((await stage.store.sendMail(twice)).map(({ outcome }) => outcome)).toEqual(["accepted", "duplicate"]);
      expect(await stage.send(runId, { mailId: "x", kind: "cancel" })).toMatchObject({ outcome: "duplicate", runId });
      expect(await boxOf(runId)).toHaveLength(1);
      expect(await stage.store.findRun({ runId })).toMatchObject({ unreadMail: 1 });
    });

    test("two runs may get the same mail id", async () => {
      const [a, b] = [await stage.owned(), await stage.owned()];
      expect(await stage.send(a.runId, { mailId: "same" })).toMatchObject({ outcome: "accepted" });
      expect(await stage.send(b.runId, { mailId: "same" })).toMatchObject({ outcome: "accepted" });
    });

    test("a sender who repeats itself after the close learns that its first try was accepted", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "first" });
      await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "first")));
      await stage.commit(closingTurn(run, "completed", { base: 2, takenMail: 1 }));
      expect(await stage.send(run.runId, { mailId: "first" })).toMatchObject({
        outcome: "duplicate",
        runId: run.runId,
      });
      expect(await stage.send(run.runId, { mailId: "second" })).toMatchObject({ outcome: "closed", runId: run.runId });
    });

    test("a terminated run accepts nothing and knows what it had", async () => {
      const { runId } = await stage.owned();
      await stage.send(runId, { mailId: "first" });
      await stage.store.terminateRun(runId, "enough");
      const answers = await stage.store.sendMail(
        ["first", "second"].map((mailId) => mailRequest({ to: { runId }, mailId })),
      );
      expect(answers.map(({ outcome, ownerId }) => [outcome, ownerId])).toEqual([
        ["duplicate", null],
        ["closed", null],
      ]);
    });

    test("mail to nobody is not accepted", async () => {
      const nobody = { outcome: "notFound", mail: null, runId: null, queue: null, ownerId: null, events: 0 };
      const requests = [
        mailRequest({ to: { runId: newRunId() } }),
        mailRequest({ to: { workflowId: newId("order") } }),
      ];
      expect(await stage.store.sendMail(requests)).toEqual([nobody, nobody]);
      expect(await stage.store.sendMail([])).toEqual([]);
    });

    test("mail to a workflow id goes to its open run", async () => {
      const { workflowId } = await stage.closed("completed");
      const open = await stage.owned({ workflowId });
      const [answer] = await stage.store.sendMail([mailRequest({ to: { workflowId } })]);
      expect(answer).toMatchObject({ outcome: "accepted", runId: open.runId });
      expect(await boxOf(open.runId)).toHaveLength(1);
    });

    test("mail to a workflow id without an open run is answered for the latest", async () => {
      const { workflowId } = await stage.closed("completed");
      const latest = await stage.closed("failed", { workflowId });
      const [answer] = await stage.store.sendMail([mailRequest({ to: { workflowId } })]);
      expect(answer).toMatchObject({ outcome: "closed", runId: latest.runId, ownerId: null });
    });

    test("many senders at once get numbers without gaps", async () => {
      const { runId } = await stage.owned();
      const answers = await Promise.all(Array.from({ length: 25 }, () => stage.send(runId)));
      expect(answers.map(({ outcome }) => outcome)).toEqual(Array(25).fill("accepted"));
      expect((await boxOf(runId)).map(({ mail }) => mail)).toEqual(Array.from({ length: 25 }, (_, place) => place + 1));
    });

    test("batches of mail at once that name the same runs in opposite orders all get through", async () => {
      const queue = newId("queue");
      const runs = Array.from({ length: 12 }, () => startRequest({ queue }));
      await stage.store.startRuns(runs);
      const batch = (order: typeof runs) =>
        stage.store.sendMail(order.map(({ runId }) => mailRequest({ to: { runId } })));
      const answers = (await Promise.all([batch(runs), batch(runs.toReversed()), batch(runs)])).flat();
      expect(new Set(answers.map(({ outcome }) => outcome))).toEqual(new Set(["accepted"]));
      for (const { runId } of runs) expect(await boxOf(runId)).toHaveLength(3);
    });

    test("mail is read from a position on, up to a limit per run", async () => {
      const [a, b] = [await stage.owned(), await stage.owned()];
      for (let n = 0; n < 4; n += 1) {
        await stage.send(a.runId);
        await stage.send(b.runId);
      }
      const mail = await stage.store.readMail(
        [
          { runId: a.runId, after: 1 },
          { runId: b.runId, after: 3 },
          { runId: newRunId(), after: 0 },
        ],
        2,
      );
      const numbers = (runId: string) => mail.filter((item) => item.runId === runId).map((item) => item.mail);
      expect(numbers(a.runId)).toEqual([2, 3]);
      expect(numbers(b.runId)).toEqual([4]);
      expect(mail).toHaveLength(3);
      expect(await stage.store.readMail([], 10)).toEqual([]);
    });

    test("a worker is told which of its runs have mail", async () => {
      const workerId = randomUUID();
      const read = await stage.owned({}, workerId);
      const unread = await stage.owned({}, workerId);
      const other = await stage.owned();
      await stage.owned({}, workerId);
      for (const { runId } of [read, unread, other]) await stage.send(runId, { mailId: "m" });
      await stage.commit(turnOf(read, { takenMail: 1 }, signalReceived(1, "m")));
      expect(await stage.store.runsWithMail(workerId)).toEqual([unread.runId]);
      expect(await stage.store.runsWithMail(randomUUID())).toEqual([]);
    });

    test("mail wakes a parked run", async () => {
      const run = await stage.owned();
      await stage.park(run);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      expect(await stage.send(run.runId)).toMatchObject({ outcome: "accepted", queue: run.queue, ownerId: null });
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, newestMail: 1, takenMail: 0 });
    });

    test("mail wakes a run that is parked until later", async () => {
      const run = await stage.owned();
      await stage.park(run, await stage.inAnHour());
      await stage.send(run.runId);
      expect(await stage.claimOne(run.queue)).toMatchObject({ runId: run.runId, newestMail: 1 });
    });

    test("mail starts a delayed run at once", async () => {
      const request = startRequest({ delayMs: 600_000 });
      await stage.startAs(request);
      await stage.send(request.runId);
      expect(await stage.claimOne(request.queue)).toMatchObject({ runId: request.runId, newestMail: 1 });
    });

    test("a repeated item wakes nobody", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { mailId: "once" });
      await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "once")));
      await stage.park({ ...run, events: 2, takenMail: 1 });
      await stage.send(run.runId, { mailId: "once" });
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
    });

    test("mail to a blocked run is kept and does not wake it", async () => {
      const run = await stage.blocked();
      expect(await stage.send(run.runId)).toMatchObject({ outcome: "accepted", ownerId: null });
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [], nextDueInMs: null });
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "blocked", unreadMail: 1 });
      const [again] = await stage.store.claimBlocked(randomUUID(), randomUUID(), [run.runId]);
      expect(again).toMatchObject({ newestMail: 1, takenMail: 0 });
    });

    test("mail that races with a close is either taken first or not accepted", async () => {
      for (let round = 0; round < 10; round += 1) {
        const run = await stage.owned();
        const [isClosed, answer] = await Promise.all([
          stage.append(closingTurn(run, "completed")),
          stage.send(run.runId),
        ]);
        expect([isClosed, answer.outcome]).toEqual(isClosed ? [true, "closed"] : [false, "accepted"]);
        if (!isClosed) await stage.store.releaseRuns([claimOf(run)]);
      }
    });
  });
}
