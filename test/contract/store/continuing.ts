// Continuing as new: one run ends and the next begins in the same stroke, with the mail that nobody has used.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { updateMailId } from "../../../runtime/store/mail-id.ts";
import type { AppendTurn, Successor } from "../../../runtime/store/turns.ts";
import { attributeConditions } from "../../../sdk/protocol/attribute-filter.ts";
import { encodeAttributes } from "../../../sdk/protocol/attributes.ts";
import type { Event } from "../../../sdk/protocol/event.ts";
import { fromRecord, toRecord } from "../../../sdk/protocol/event-record.ts";
import { encodeMemo } from "../../../sdk/protocol/memo.ts";
import { mailRequest, newId, newRunId, only, type Stage, signalReceived, startRequest, turnOf } from "./stage.ts";

const NEXT_INPUT = '{"round":2}';
const DAY_MS = 86_400_000;

/** The turn by which `run` continues as `successor.runId`. */
export function continuingTurn(
  run: ClaimedRun,
  successor: Partial<Successor> = {},
  turn: Partial<AppendTurn> = {},
): AppendTurn {
  const runId = successor.runId ?? newRunId();
  const workflow = successor.workflow ?? run.workflow;
  const continues = { previousRunId: run.runId, firstRunId: run.runId };
  const next: Successor = {
    runId,
    workflow,
    queue: run.queue,
    started: toRecord({ type: "RunStarted", workflow, input: NEXT_INPUT, seed: "5eed", continues }),
    carriesData: false,
    timeoutMs: null,
    passedOn: [],
    ...successor,
  };
  const event = { type: "RunContinued", nextRunId: runId, workflow, input: NEXT_INPUT } as const;
  return turnOf(run, { close: "continuedAsNew", effects: { errands: [], successor: next }, ...turn }, event);
}

/** For a turn that says more than that the run continues. */
function withEvents(run: ClaimedRun, ...events: Event[]): Pick<AppendTurn, "events"> {
  const ended = continuingTurn(run).events;
  return { events: [...events.map(toRecord), ...ended] };
}

export function continuingContract(stage: Stage): void {
  describe("continuing as new", () => {
    const commit = async (...turns: AppendTurn[]) => {
      const { committed } = await stage.store.appendWithEffects(turns);
      expect([...committed].sort()).toEqual(turns.map(({ claim }) => claim.runId).sort());
      return turns.map(({ effects }) => effects?.successor?.runId ?? "");
    };
    const continued = async (run: ClaimedRun, successor: Partial<Successor> = {}, turn: Partial<AppendTurn> = {}) =>
      only(await commit(continuingTurn(run, successor, turn)));
    const boxOf = async (runId: string) =>
      (await stage.store.readMail([{ runId, after: 0 }], 100)).map(({ mail, mailId, kind }) => [mail, mailId, kind]);

    test("a run that is paused does not continue as another, which would know nothing of the pause", async () => {
      const run = await stage.owned();
      const control = { runId: run.runId, mailId: randomUUID(), reason: "maintenance" };
      await stage.store.controlRun({ ...control, kind: "pause" });
      const { committed } = await stage.store.appendWithEffects([continuingTurn(run)]);
      expect(committed.size).toBe(0);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "running", events: 1 });
      await stage.store.controlRun({ ...control, kind: "resume", mailId: randomUUID() });
      await continued(run);
    });

    test("mail about waits and steps of the run does not move over to the next", async () => {
      const run = await stage.owned();
      for (const kind of ["retryNow", "skipSleep", "stepReport"] as const) {
        await stage.send(run.runId, { kind, mailId: `${kind}:r`, payload: '[{"command":1}]' });
      }
      await stage.send(run.runId, { mailId: "a" });
      const nextId = await continued(run);
      expect(await boxOf(nextId)).toEqual([[1, "a", "signal"]]);
    });

    test("the run is closed and the next is open, with the same workflow id, at the same time", async () => {
      const run = await stage.owned({ timeoutMs: 600_000 });
      const queue = newId("queue");
      const nextId = await continued(run, { queue, workflow: "other", timeoutMs: 60_000 });
      const ended = await stage.store.findRun({ runId: run.runId });
      const next = await stage.store.findRun({ runId: nextId });
      expect(ended).toMatchObject({ status: "continuedAsNew", events: 2 });
      expect(next).toMatchObject({
        status: "running",
        workflowId: run.workflowId,
        workflow: "other",
        queue,
        events: 1,
      });
      expect(next?.startedAt).toBe(ended?.closedAt);
      expect(next?.deadlineAt).toBe((next?.startedAt ?? 0) + 60_000);
      const outcome = (await stage.store.readOutcomes([run.runId, nextId])).get(run.runId);
      expect(outcome?.status).toBe("continuedAsNew");
      expect(outcome && fromRecord(outcome.event)).toMatchObject({ type: "RunContinued", nextRunId: nextId });
    });

    test("the next run is claimed like any other, with its opening", async () => {
      const run = await stage.owned();
      const nextId = await continued(run);
      const claimed = await stage.claimOne(run.queue);
      expect(claimed).toMatchObject({ runId: nextId, epoch: 1, events: 1, takenMail: 0, newestMail: 0 });
      expect(fromRecord(only(claimed.history ?? []))).toMatchObject({
        type: "RunStarted",
        input: NEXT_INPUT,
        continues: { previousRunId: run.runId },
      });
    });

    test("a stale owner continues nothing", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      const fresh = await stage.claimOne(stale.queue);
      const turn = continuingTurn(stale);
      expect((await stage.store.appendWithEffects([turn])).committed.size).toBe(0);
      expect(await stage.store.findRun({ runId: turn.effects?.successor?.runId ?? "" })).toBeNull();
      expect(await stage.append(turnOf(fresh))).toBe(true);
    });

    test("sent again, the same turn is refused and found landed", async () => {
      const run = await stage.owned();
      const turn = continuingTurn(run);
      await commit(turn);
      expect((await stage.store.appendWithEffects([turn])).committed.size).toBe(0);
      expect(only(await stage.store.resolveTurns([turn]))).toMatchObject({ landed: true, owned: false });
    });

    test("mail that was not taken moves over, in order, behind what was taken and not used", async () => {
      const run = await stage.owned();
      for (const mailId of ["a", "b", "c"]) await stage.send(run.runId, { mailId });
      const taken = turnOf(
        run,
        { takenMail: 3 },
        ...[1, 2, 3].map((mail) => signalReceived(mail, "abc"[mail - 1] ?? "")),
      );
      await stage.commit(taken);
      for (const mailId of ["d", "e"]) await stage.send(run.runId, { mailId });
      const nextId = await continued(run, { passedOn: [2, 3] }, { base: 4, takenMail: 3 });
      expect(await boxOf(nextId)).toEqual([
        [1, "b", "signal"],
        [2, "c", "signal"],
        [3, "d", "signal"],
        [4, "e", "signal"],
      ]);
      expect(await stage.claimOne(run.queue)).toMatchObject({ newestMail: 4, takenMail: 0 });
      expect(await stage.store.findRun({ runId: nextId })).toMatchObject({ unreadMail: 4 });
      await stage.send(nextId, { mailId: "f" });
      expect((await boxOf(nextId)).at(-1)).toEqual([5, "f", "signal"]);
    });

    test("a mail id is accepted once in all runs of a chain", async () => {
      const run = await stage.owned();
      for (const mailId of ["used", "unused"]) await stage.send(run.runId, { mailId });
      await stage.commit(turnOf(run, { takenMail: 1 }, signalReceived(1, "used")));
      const secondId = await continued(run, {}, { base: 2, takenMail: 1 });
      const thirdId = await continued(await stage.claimOne(run.queue));
      for (const runId of [thirdId, secondId, run.runId]) {
        for (const mailId of ["used", "unused"]) {
          expect(await stage.send(runId, { mailId })).toMatchObject({ outcome: "duplicate", runId });
        }
      }
      expect(await stage.send(thirdId, { mailId: "fresh" })).toMatchObject({ outcome: "accepted" });
      expect(await boxOf(thirdId)).toEqual([
        [1, "unused", "signal"],
        [2, "fresh", "signal"],
      ]);
    });

    test("a cancel request that was obeyed does not stand in the way of one to the next run", async () => {
      const cancel = { kind: "cancel", mailId: "cancel", name: "enough" } as const;
      const run = await stage.owned();
      await stage.send(run.runId, cancel);
      await stage.commit(turnOf(run, { takenMail: 1 }, { type: "CancelRequested", mail: 1, reason: "enough" }));
      const nextId = await continued(run, {}, { base: 2, takenMail: 1 });
      expect(await boxOf(nextId)).toEqual([]);
      expect(await stage.send(nextId, cancel)).toMatchObject({ outcome: "accepted" });
      expect(await stage.send(nextId, cancel)).toMatchObject({ outcome: "duplicate" });
    });

    test("a cancel request that was not taken moves over", async () => {
      const cancel = { kind: "cancel", mailId: "cancel", name: "enough" } as const;
      const run = await stage.owned();
      await stage.send(run.runId, cancel);
      const nextId = await continued(run);
      expect(await boxOf(nextId)).toEqual([[1, "cancel", "cancel"]]);
      expect(await stage.send(nextId, cancel)).toMatchObject({ outcome: "duplicate" });
    });

    test("a chain is followed to its latest run, and to no other start of the workflow id", async () => {
      const { workflowId, queue } = startRequest();
      const first = await stage.owned({ workflowId, queue });
      const secondId = await continued(first);
      const second = await stage.claimOne(queue);
      expect(await stage.store.findRun({ chainOf: first.runId })).toMatchObject({ runId: secondId });
      expect(await stage.store.findRun({ chainOf: secondId })).toMatchObject({ runId: secondId });
      await stage.commit(turnOf(second, { close: "completed" }, { type: "RunCompleted", result: null, unread: [] }));
      const { runId: laterId } = await stage.start({ workflowId, queue });
      expect(await stage.store.findRun({ chainOf: first.runId })).toMatchObject({ runId: secondId });
      expect(await stage.store.findRun({ workflowId })).toMatchObject({ runId: laterId });
      expect(await stage.store.findRun({ chainOf: laterId })).toMatchObject({ runId: laterId });
      expect(await stage.store.findRun({ chainOf: newRunId() })).toBeNull();
      const sent = await stage.store.sendMail([mailRequest({ to: { chainOf: first.runId } })]);
      expect(only(sent)).toMatchObject({ outcome: "closed", runId: secondId });
    });

    test("signals by workflow id and by chain that race with it reach one of the two", async () => {
      for (let round = 0; round < 10; round += 1) {
        const run = await stage.owned();
        const requests = ["a", "b", "c", "d"].map((mailId, place) =>
          mailRequest({ to: place % 2 === 0 ? { workflowId: run.workflowId } : { chainOf: run.runId }, mailId }),
        );
        const [nextId, ...answers] = await Promise.all([
          continued(run),
          ...requests.map(async (request) => only(await stage.store.sendMail([request]))),
        ]);
        expect(answers.map(({ outcome }) => outcome)).toEqual(Array(4).fill("accepted"));
        expect((await boxOf(nextId)).map(([, mailId]) => mailId).sort()).toEqual(["a", "b", "c", "d"]);
      }
    });

    test("nobody ever sees neither run open, or both", async () => {
      const run = await stage.owned();
      const watched: string[][] = [];
      let isDone = false;
      const watching = (async () => {
        while (!isDone) {
          const { workflowId } = run;
          const open = await stage.store.listRuns({ workflowId, status: ["running", "blocked"], limit: 10 });
          watched.push(open.map(({ runId }) => runId));
        }
      })();
      for (let round = 0, at = run; round < 20; round += 1) {
        await continued(at);
        at = await stage.claimOne(run.queue);
      }
      isDone = true;
      await watching;
      for (const open of watched) expect(open).toHaveLength(1);
    });

    test("many runs continue at once", async () => {
      const runs = await Promise.all(Array.from({ length: 5 }, () => stage.owned()));
      const nextIds = await commit(...runs.map((run) => continuingTurn(run)));
      for (const [index, run] of runs.entries()) {
        expect(await stage.store.findRun({ workflowId: run.workflowId })).toMatchObject({ runId: nextIds[index] });
      }
    });

    test("an update that was not taken passes on, and is found there by whoever asks the run it was sent to", async () => {
      const run = await stage.owned();
      const send = (updateId: string) =>
        stage.send(run.runId, { kind: "update", mailId: updateMailId(updateId), name: "add", payload: "1" });
      const look = async (updateId: string, runId = run.runId, after = 1) => {
        const mailId = updateMailId(updateId);
        const { events, ...rest } = only(await stage.store.readUpdates([{ runId, mailId, after }]));
        return { ...rest, events: events.map((event) => fromRecord(event)?.type) };
      };
      for (const updateId of ["handled", "refused", "late"]) await send(updateId);
      const refusal = { code: "UPDATE_REJECTED", message: "no", failure: null } as const;
      const accepted = { type: "UpdateAccepted", name: "add", updateId: "handled", mail: 1, input: "1" } as const;
      const refusals = [{ mail: 2, refusal }];
      const nextId = await continued(run, { passedOn: [] }, { takenMail: 2, refusals, ...withEvents(run, accepted) });
      expect(await boxOf(nextId)).toEqual([[1, "update:late", "update"]]);
      const next = await stage.claimOne(run.queue);
      const later = { type: "UpdateAccepted", name: "add", updateId: "late", mail: 1, input: "1" } as const;
      await stage.commit(turnOf(next, { takenMail: 1 }, later));
      for (const runId of [run.runId, nextId]) {
        expect(await look("late", runId, runId === nextId ? 0 : 3)).toMatchObject({
          runId: nextId,
          mail: 1,
          events: ["UpdateAccepted"],
          closed: null,
        });
        const closed = { runId: run.runId, closed: "continuedAsNew" };
        expect(await look("handled", runId, 0)).toMatchObject({ ...closed, events: ["UpdateAccepted"], mail: 1 });
        expect(await look("refused", runId, 0)).toMatchObject({ ...closed, refusal, events: [] });
        expect(await look("nobody's", runId, 0)).toMatchObject({ runId, mail: null, events: [] });
      }
    });

    test("an update that was accepted and passed on is looked for in the next run, and counts once in both", async () => {
      const run = await stage.owned();
      const update = (updateId: string) =>
        ({ kind: "update", mailId: updateMailId(updateId), name: "add", payload: "1" }) as const;
      for (const updateId of ["begun", "held"]) await stage.send(run.runId, update(updateId));
      await stage.send(run.runId, { mailId: "behind" });
      const accepted = ["begun", "held"].map((updateId, place): Event => {
        return { type: "UpdateAccepted", name: "add", updateId, mail: place + 1, input: "1" };
      });
      await stage.commit(turnOf(run, { takenMail: 2 }, ...accepted));
      const nextId = await continued(run, { passedOn: [2] }, { base: 3, takenMail: 2 });
      expect(await boxOf(nextId)).toEqual([
        [1, "update:held", "update"],
        [2, "behind", "signal"],
      ]);
      const look = async (updateId: string) => {
        const trace = await stage.store.readUpdates([{ runId: run.runId, mailId: updateMailId(updateId), after: 3 }]);
        const { runId, mail, events, closed } = only(trace);
        return { runId, mail, events: events.length, closed };
      };
      // What the run before has said of it is not told any more: it is as if that had not come to it.
      expect(await look("held")).toEqual({ runId: nextId, mail: 1, events: 0, closed: null });
      expect(await look("begun")).toMatchObject({ runId: run.runId, closed: "continuedAsNew" });
      expect(await stage.send(nextId, update("held"))).toMatchObject({ outcome: "duplicate" });
      const next = await stage.claimOne(run.queue);
      const again: Event = { type: "UpdateAccepted", name: "add", updateId: "held", mail: 1, input: "1" };
      await stage.commit(turnOf(next, { takenMail: 1 }, again));
      expect(await look("held")).toMatchObject({ runId: nextId, events: 1 });
    });

    test("attributes and memo are the next run's from its start on, and found by", async () => {
      const run = await stage.owned();
      const queue = newId("queue");
      const workflow = newId("workflow");
      const attributes = encodeAttributes({ customer: ["keyword", "kept"] }, "attributes");
      const memo = encodeMemo({ note: { kept: true } }, "memo");
      const continues = { previousRunId: run.runId, firstRunId: run.runId };
      const started = toRecord({
        type: "RunStarted",
        workflow,
        input: null,
        seed: "s",
        attributes,
        memo,
        continues,
      });
      const nextId = await continued(run, { queue, workflow, started, carriesData: true });
      expect((await stage.store.findRun({ runId: nextId }))?.data).toEqual({
        attributes: { customer: ["keyword", "kept"] },
        memo: { note: '{"kept":true}' },
      });
      const filter = { workflow, attributes: attributeConditions({ customer: "kept" }) };
      expect((await stage.store.listRuns({ ...filter, limit: 5 })).map(({ runId }) => runId)).toEqual([nextId]);
    });

    test("the turn that continues may change attributes and refuse updates as well", async () => {
      const run = await stage.owned();
      await stage.send(run.runId, { kind: "update", mailId: "update:u", name: "add" });
      const changes = encodeAttributes({ customer: ["keyword", "last"] }, "attributes");
      const upserted = { type: "AttributesUpserted", command: 1, name: "attributes", changes } as const;
      const refusals = [{ mail: 1, refusal: { code: "UPDATE_UNKNOWN", message: "none", failure: null } as const }];
      await continued(run, {}, { takenMail: 1, refusals, ...withEvents(run, upserted) });
      expect((await stage.store.findRun({ runId: run.runId }))?.data.attributes).toEqual({
        customer: ["keyword", "last"],
      });
      const trace = only(await stage.store.readUpdates([{ runId: run.runId, mailId: "update:u", after: 0 }]));
      expect(trace.refusal).toMatchObject({ code: "UPDATE_UNKNOWN" });
    });

    test("no run of a chain is deleted while one of them is open; all may be when none is", async () => {
      const workflow = newId("workflow");
      const { workflowId, queue } = startRequest();
      const first = await stage.owned({ workflow, workflowId, queue });
      await stage.send(first.runId, { mailId: "once" });
      await stage.commit(turnOf(first, { takenMail: 1 }, signalReceived(1, "once")));
      const secondId = await continued(first, {}, { base: 2, takenMail: 1 });
      const request = { rules: [{ workflow, retentionMs: -DAY_MS }], after: null, limit: 10_000 };
      const expired = async () => (await stage.store.findExpired(request)).runs.map(({ runId }) => runId);
      expect(await expired()).toEqual([]);
      expect(await stage.store.deleteRuns([first.runId, secondId])).toEqual([]);
      expect(await stage.send(secondId, { mailId: "once" })).toMatchObject({ outcome: "duplicate" });
      const second = await stage.claimOne(queue);
      await stage.commit(turnOf(second, { close: "completed" }, { type: "RunCompleted", result: null, unread: [] }));
      // Another start of the workflow id is no run of the chain.
      const { runId: otherId } = await stage.start({ workflow, workflowId });
      expect((await expired()).filter((runId) => [first.runId, secondId, otherId].includes(runId))).toEqual([
        first.runId,
        secondId,
      ]);
      expect([...(await stage.store.deleteRuns([first.runId, secondId, otherId]))].sort()).toEqual(
        [first.runId, secondId].sort(),
      );
      expect(await stage.store.findRun({ chainOf: first.runId })).toBeNull();
    });
  });
}
