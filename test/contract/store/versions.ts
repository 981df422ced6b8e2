// Versions side by side: a run waits where only code of its version looks, and is moved elsewhere in one stroke.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { type Answer, type Errand, eventOfAnswer } from "../../../runtime/store/errands.ts";
import { laneOf } from "../../../runtime/store/lanes.ts";
import type { ControlOutcome } from "../../../runtime/store/mail.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import type { Successor } from "../../../runtime/store/turns.ts";
import { startedAs } from "../../../runtime/store/versions.ts";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import type { VersionAsk, VersionPolicy } from "../../../sdk/protocol/version-policy.ts";
import { BY_POLICY } from "../../../sdk/protocol/versions.ts";
import { continuingTurn } from "./continuing.ts";
import { closingTurn, newId, newRunId, only, type Stage, startRequest, stepCompleted, turnOf } from "./stage.ts";

const COMMAND = 7;

export function versionsContract(stage: Stage): void {
  const versioned = (version: string | null, request: Partial<StartRequest> = {}): StartRequest => {
    const start = startRequest(request);
    return { ...start, version, started: startedAs(start.started, version) };
  };
  const lane = ({ queue, workflow, version = null }: Pick<StartRequest, "queue" | "workflow" | "version">) =>
    laneOf(queue, { workflow, version });
  const started = async (version: string | null, request: Partial<StartRequest> = {}) => {
    const start = versioned(version, request);
    await stage.startAs(start);
    return start;
  };
  const owned = async (version: string, request: Partial<StartRequest> = {}, workerId: string = randomUUID()) => {
    const start = await started(version, request);
    return stage.claimOne(lane(start), { workerId });
  };
  const move = (runId: string, version: string | null, mailId: string = randomUUID()): Promise<ControlOutcome> =>
    stage.store.moveRun({ runId, mailId, version });
  const mailOf = async (runId: string) =>
    (await stage.store.readMail([{ runId, after: 0 }], 10)).map(({ kind, name }) => [kind, name]);
  const startedOf = async (runId: string) => {
    const first = only(await stage.store.readHistory(runId, 0, 1));
    return fromRecord(first);
  };

  describe("lanes", () => {
    test.each([
      ["alone", 1, {}],
      ["in a batch", 3, {}],
      ["with something to decide", 1, { requestId: "request" }],
    ])("a run that is started %s waits in the lane of its version", async (_, count, more) => {
      const requestId = "requestId" in more ? newId("request") : null;
      const starts = Array.from({ length: count }, () => versioned("1.4.0", { queue: newId("queue"), requestId }));
      await stage.store.startRuns(starts);
      for (const start of starts) {
        const { queue, runId, workflow } = start;
        for (const other of [queue, lane({ ...start, version: "1.4.1" }), lane({ ...start, workflow: "other" })]) {
          expect(await stage.claim(other)).toMatchObject({ claimed: [], nextDueInMs: null, hasDueSuspects: false });
        }
        expect(await stage.store.findRun({ runId })).toMatchObject({ queue, version: "1.4.0", ownerId: null });
        const run = await stage.claimOne(lane(start));
        expect(run).toMatchObject({ runId, workflow, queue, version: "1.4.0", epoch: 1, crashCount: 1 });
        expect(await startedOf(runId)).toMatchObject({ type: "RunStarted", workflow, version: "1.4.0" });
      }
    });

    test("one claim takes runs of all the lanes that it names, the oldest due first", async () => {
      const queue = newId("queue");
      for (const version of ["1.4.0", null, "2.0.0", "3.0.0"]) await started(version, { queue });
      const queues = ["1.4.0", null, "2.0.0"].map((version) => lane({ queue, workflow: "order", version }));
      const { claimed } = await stage.claim(queue, { queues });
      expect(claimed.map(({ version }) => version).sort()).toEqual(["1.4.0", "2.0.0", null]);
    });

    test("what is let go of, lost or blocked stays in its lane", async () => {
      const workerId = randomUUID();
      const run = await owned("1.4.0", {}, workerId);
      await stage.store.releaseRuns([run]);
      expect(await stage.claim(run.queue)).toMatchObject({ claimed: [] });
      await stage.claimOne(lane(run), { workerId });
      expect(await stage.store.rescueRuns(workerId, 10)).toEqual({ count: 1, queues: [run.queue] });
      const again = await stage.claimOne(lane(run));
      await stage.store.blockRuns([{ claim: again, reason: { kind: "divergence", message: "event 2" } }]);
      const blockedIn = async (queue: string, workflows: readonly string[] = []) =>
        (await stage.store.findBlocked({ workflows, queues: [queue], after: null, limit: 10 })).map(
          ({ runId }) => runId,
        );
      expect(await blockedIn(run.queue, [run.workflow])).toEqual([]);
      expect(await blockedIn(lane({ ...run, version: "2.0.0" }), [run.workflow])).toEqual([]);
      expect(await blockedIn(lane(run))).toEqual([run.runId]);
      const taken = only(await stage.store.claimBlocked(randomUUID(), randomUUID(), [run.runId]));
      expect(taken).toMatchObject({ version: "1.4.0", queue: run.queue });
    });

    test("a run that keeps ending its workers is a suspect, and set aside, in its lane", async () => {
      const start = await started("1.4.0");
      for (let crash = 0; crash < 5; crash += 1) {
        const workerId = randomUUID();
        await stage.claimOne(lane(start), { workerId, suspects: crash < 2 ? "exclude" : "only" });
        await stage.store.rescueRuns(workerId, 10);
      }
      expect((await stage.claim(start.queue, { suspects: "only" })).quarantined).toEqual([]);
      expect((await stage.claim(lane(start), { suspects: "only" })).quarantined).toEqual([start.runId]);
    });

    test("questions go to workers that have the version, or own the run; of closed runs, too", async () => {
      const workerId = randomUUID();
      const run = await owned("1.4.0", {}, workerId);
      const { runId, queue } = run;
      const ask = () => stage.store.askQuery({ queryId: randomUUID(), runId, queue, name: "status", input: null });
      const taken = async (who: string, ...lanes: string[]) => (await stage.store.takeQueries(who, lanes, 10)).length;
      await ask();
      expect(await taken(randomUUID(), queue, lane(run))).toBe(0);
      await move(runId, "2.0.0");
      expect(await taken(workerId, queue, lane(run))).toBe(1);
      await stage.commit(closingTurn(run, "completed", { takenMail: 1 }));
      await ask();
      expect(await taken(workerId, queue, lane(run))).toBe(0);
      expect(await taken(randomUUID(), lane({ ...run, version: "2.0.0" }))).toBe(1);
    });

    test("runs are listed and counted by version and by their plain queue", async () => {
      const queue = newId("queue");
      const workflow = newId("workflow");
      const [one, none] = [await started("1.4.0", { queue, workflow }), await started(null, { queue, workflow })];
      const closing = await owned("1.4.0", { queue: newId("queue"), workflow });
      await stage.commit(closingTurn(closing, "completed"));
      const ids = async (filter: object) =>
        (await stage.store.listRuns({ workflow, limit: 10, ...filter })).map(({ runId }) => runId).sort();
      expect(await ids({ version: "1.4.0" })).toEqual([one.runId, closing.runId].sort());
      expect(await ids({ version: null })).toEqual([none.runId]);
      expect(await ids({ version: "2.0.0" })).toEqual([]);
      expect(await ids({ queue, status: ["running"] })).toEqual([one.runId, none.runId].sort());
      expect(await ids({ queue: `${queue}x`, status: ["running"] })).toEqual([]);
      const counts = await stage.store.countRuns({ workflow, by: "version", limit: 10 });
      expect(counts).toEqual([
        { value: ["keyword", "1.4.0"], count: 2 },
        { value: null, count: 1 },
      ]);
      const byQueue = await stage.store.countRuns({ workflow, by: "queue", limit: 10, status: ["running"] });
      expect(byQueue).toEqual([{ value: ["keyword", queue], count: 2 }]);
    });
  });

  describe("moving", () => {
    test("a parked run changes its lane, is due at once, and has mail that says so", async () => {
      const run = await owned("1.4.0");
      await stage.park(run);
      expect(await move(run.runId, "2.0.0")).toEqual({ outcome: "changed", queue: run.queue, ownerId: null });
      expect(await stage.claim(lane(run))).toMatchObject({ claimed: [], nextDueInMs: null });
      const moved = await stage.claimOne(lane({ ...run, version: "2.0.0" }));
      expect(moved).toMatchObject({ runId: run.runId, version: "2.0.0", newestMail: 1, takenMail: 0, events: 1 });
      expect(await mailOf(run.runId)).toEqual([["move", "2.0.0"]]);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ version: "2.0.0", queue: run.queue });
    });

    test("to the workflow without a version, and back", async () => {
      const start = await started("1.4.0");
      await move(start.runId, null);
      expect(await stage.claim(lane(start))).toMatchObject({ claimed: [] });
      const run = await stage.claimOne(start.queue);
      expect(run).toMatchObject({ version: null });
      await stage.store.releaseRuns([run]);
      await move(start.runId, "1.4.0");
      expect(await stage.claimOne(lane(start))).toMatchObject({ version: "1.4.0", newestMail: 2 });
      expect(await mailOf(start.runId)).toEqual([
        ["move", ""],
        ["move", "1.4.0"],
      ]);
    });

    test("an owner keeps the right to write, cannot park or close unheard, and what it lets go of is in the new lane", async () => {
      const workerId = randomUUID();
      const run = await owned("1.4.0", {}, workerId);
      expect(await move(run.runId, "2.0.0")).toMatchObject({ outcome: "changed", ownerId: workerId });
      expect(await stage.store.runsWithMail(workerId)).toEqual([run.runId]);
      expect(await stage.append(turnOf(run))).toBe(true);
      expect(await stage.append(closingTurn(run, "completed", { base: 2 }))).toBe(false);
      const left = { claim: run, events: 2, takenMail: 0, wakeAt: 0, timer: null };
      expect([...(await stage.store.parkRuns([left])).values()]).toEqual(["mail"]);
      await stage.store.releaseRuns([run]);
      expect(await stage.claim(lane(run))).toMatchObject({ claimed: [] });
      expect(await stage.claimOne(lane({ ...run, version: "2.0.0" }))).toMatchObject({ events: 2, newestMail: 1 });
    });

    test("a blocked run is not blocked any more, and without blame; a paused one stays paused", async () => {
      const run = await owned("1.4.0");
      await stage.store.blockRuns([{ claim: run, reason: { kind: "divergence", message: "event 2" } }]);
      await stage.store.controlRun({ runId: run.runId, kind: "pause", mailId: randomUUID(), reason: "" });
      expect(await move(run.runId, "2.0.0")).toMatchObject({ outcome: "changed" });
      const there = lane({ ...run, version: "2.0.0" });
      expect(await stage.claim(there)).toMatchObject({ claimed: [] });
      const found = await stage.store.findRun({ runId: run.runId });
      expect(found).toMatchObject({ status: "running", blocked: null, paused: { reason: "" } });
      await stage.store.controlRun({ runId: run.runId, kind: "resume", mailId: randomUUID(), reason: "" });
      expect(await stage.claimOne(there)).toMatchObject({ crashCount: 1 });
    });

    test("to where it is, twice with one id, closed, or never there: nothing changes", async () => {
      const start = await started("1.4.0");
      expect(await move(start.runId, "1.4.0")).toMatchObject({ outcome: "unchanged" });
      const mailId = randomUUID();
      await move(start.runId, "2.0.0", mailId);
      await move(start.runId, "1.4.0");
      expect(await move(start.runId, "2.0.0", mailId)).toMatchObject({ outcome: "unchanged" });
      expect(await mailOf(start.runId)).toHaveLength(2);
      const run = await stage.claimOne(lane(start));
      await stage.commit(closingTurn(run, "completed", { takenMail: 2 }));
      expect(await move(start.runId, "2.0.0")).toMatchObject({ outcome: "closed" });
      expect(await stage.store.findRun({ runId: start.runId })).toMatchObject({ version: "1.4.0" });
      expect(await move(newRunId(), "2.0.0")).toMatchObject({ outcome: "notFound" });
      expect(await move("no run id", "2.0.0")).toMatchObject({ outcome: "notFound" });
    });

    test("a move that races with claims of both lanes: one of them gets it, as what it is, and is told or was late", async () => {
      for (let round = 0; round < 20; round += 1) {
        const start = await started("1.4.0");
        const there = lane({ ...start, version: "2.0.0" });
        const workerId = randomUUID();
        const [before, after] = await Promise.all([
          stage.claim(lane(start), { workerId }),
          stage.claim(there),
          move(start.runId, "2.0.0"),
        ]);
        const claimed = [...before.claimed, ...after.claimed];
        expect(claimed.length).toBeLessThan(2);
        for (const run of before.claimed) {
          expect(run.version).toBe("1.4.0");
          expect(await stage.store.runsWithMail(workerId)).toEqual([start.runId]);
          await stage.store.releaseRuns([run]);
        }
        if (after.claimed.length === 0) expect((await stage.claimOne(there)).version).toBe("2.0.0");
        else expect(after.claimed[0]?.version).toBe("2.0.0");
      }
    });

    test("a move that races with appends, a park and a close: each is whole, and the close comes before or not at all", async () => {
      for (let round = 0; round < 20; round += 1) {
        const run = await owned("1.4.0");
        const [appended, moved] = await Promise.all([
          round % 2 === 0 ? stage.append(closingTurn(run, "completed")) : stage.append(turnOf(run)),
          move(run.runId, "2.0.0"),
        ]);
        const found = await stage.store.findRun({ runId: run.runId });
        if (round % 2 === 1) expect([appended, moved.outcome]).toEqual([true, "changed"]);
        else expect(moved.outcome).toBe(appended ? "closed" : "changed");
        expect(found).toMatchObject({ version: moved.outcome === "changed" ? "2.0.0" : "1.4.0" });
      }
    });

    test("moves that race end with one lane, which the run says", async () => {
      const start = await started("1.0.0");
      const versions = ["1.1.0", "1.2.0", "1.3.0", "1.4.0"];
      await Promise.all(versions.map((version) => move(start.runId, version)));
      const version = (await stage.store.findRun({ runId: start.runId }))?.version ?? "";
      const moves = (await mailOf(start.runId)).map(([, name]) => name);
      expect([...moves].sort()).toEqual(versions);
      expect(moves.at(-1)).toBe(version);
      expect(await stage.claimOne(lane({ ...start, version }))).toMatchObject({ version });
    });
  });

  describe("going on in a version", () => {
    const commit = async (run: ClaimedRun, successor: Partial<Successor> = {}) => {
      const turn = continuingTurn(run, successor);
      const { committed } = await stage.store.appendWithEffects([turn]);
      expect(committed.size).toBe(1);
      return turn.effects?.successor?.runId ?? "";
    };

    test("a run that continues stays with its version, of which its first event tells", async () => {
      const run = await owned("1.4.0");
      const next = await commit(run);
      expect(await startedOf(next)).toMatchObject({ version: "1.4.0", continues: { previousRunId: run.runId } });
      expect(await stage.claimOne(lane(run))).toMatchObject({ runId: next, version: "1.4.0" });
    });

    test("one that was moved meanwhile goes on where it was moved to", async () => {
      const run = await owned("1.4.0");
      await move(run.runId, "2.0.0");
      const next = await commit(run);
      expect(await startedOf(next)).toMatchObject({ version: "2.0.0" });
      expect(await mailOf(next)).toEqual([]);
      expect(await stage.claimOne(lane({ ...run, version: "2.0.0" }))).toMatchObject({ runId: next });
    });

    test("with an exact version, with none, and with what is asked for", async () => {
      const workflow = newId("workflow");
      await stage.store.registerVersions([
        { workflow, version: "1.9.0" },
        { workflow, version: "1.10.0" },
      ]);
      const ask = (asked: string) => ({ ask: { own: "1.4.0", asked }, workflowId: newId("order") });
      for (const [version, expected] of [
        [{ exactly: "3.0.0" }, "3.0.0"],
        [{ exactly: null }, null],
        [ask("^1.9"), "1.10.0"],
        [ask(BY_POLICY), "1.4.0"],
        [ask("^7.0"), "1.4.0"],
        [ask("7.0.0"), "7.0.0"],
      ] as const) {
        const run = await owned("1.4.0", { workflow });
        const next = await commit(run, { version });
        expect((await stage.store.findRun({ runId: next }))?.version).toBe(expected);
        const first = await startedOf(next);
        expect(first?.type === "RunStarted" ? (first.version ?? null) : undefined).toBe(expected);
        expect(await stage.claimOne(lane({ ...run, version: expected }))).toMatchObject({ runId: next });
      }
    });

    test("an imported run waits in the lane of its version", async () => {
      const { runId, workflowId, workflow, queue, started: opening } = versioned("1.4.0");
      const events = [{ ...opening, seq: 1, at: 1_000 }];
      const facts = {
        runId,
        workflowId,
        workflow,
        queue,
        version: "1.4.0",
        attempt: 1,
        startedAt: 1_000,
        deadlineAt: null,
      };
      const imported = { ...facts, closed: null, events, mail: [], takenMail: 0, tag: randomUUID() };
      expect(await stage.store.importRun(imported)).toBe("imported");
      expect(await stage.claim(queue)).toMatchObject({ claimed: [] });
      expect(await stage.claimOne(lane(facts))).toMatchObject({ runId, version: "1.4.0" });
    });
  });

  describe("which versions there are", () => {
    const facts = async (workflow: string) => (await stage.store.readVersions([workflow])).get(workflow);

    test("those that workers said they have, and none without a version", async () => {
      const workflow = newId("workflow");
      expect((await facts(workflow))?.known ?? []).toEqual([]);
      const before = await stage.now();
      await stage.store.registerVersions([
        { workflow, version: "1.4.0" },
        { workflow, version: "2.0.0" },
        { workflow: newId("workflow"), version: null },
      ]);
      const first = await facts(workflow);
      expect(first).toMatchObject({
        policy: null,
        known: [{ version: "1.4.0" }, { version: "2.0.0", isServed: true }],
      });
      expect(first?.known[0]?.firstSeenAt).toBeGreaterThanOrEqual(before);
      const again = await stage.becomes("it is seen later", async () => {
        await stage.store.registerVersions([{ workflow, version: "1.4.0" }]);
        const seen = (await facts(workflow))?.known[0];
        return seen !== undefined && seen.lastSeenAt > seen.firstSeenAt ? seen : null;
      });
      expect(again.firstSeenAt).toBe(first?.known[0]?.firstSeenAt);
    });

    test("a policy takes the place of the one before, and can be taken back", async () => {
      const workflow = newId("workflow");
      const ramped = { current: "1.0.0", ramp: { version: "1.1.0", percent: 12.5 } };
      for (const policy of [ramped, { current: "1.1.0", ramp: null }, ramped, null]) {
        await stage.store.setVersionPolicy(workflow, policy);
        expect((await facts(workflow))?.policy ?? null).toEqual(policy);
      }
    });

    test("each change of a policy is kept, with who made it; what is said again is none", async () => {
      const workflow = newId("workflow");
      const before = await stage.now();
      const plain = { current: "1.1.0", ramp: null };
      const ramped = { current: "1.0.0", ramp: { version: "1.1.0", percent: 12.5 } };
      const said: [VersionPolicy | null, string?][] = [
        [null, "nobody"],
        [ramped, "Ann"],
        [ramped, "Bob"],
        [plain],
        [null, "Carl"],
      ];
      for (const [policy, actor] of said) await stage.store.setVersionPolicy(workflow, policy, actor);
      const changes = await stage.store.readPolicyChanges(workflow, 10);
      expect(changes.map(({ at: _, ...change }) => change)).toEqual([
        { actor: "Carl", from: plain, to: null },
        { actor: null, from: ramped, to: plain },
        { actor: "Ann", from: null, to: ramped },
      ]);
      for (const { at } of changes) expect(at).toBeGreaterThanOrEqual(before);
      expect(await stage.store.readPolicyChanges(workflow, 1)).toEqual(changes.slice(0, 1));
      expect(await stage.store.readPolicyChanges(newId("workflow"), 10)).toEqual([]);
    });

    test("of changes that are made at once each begins where the one before it ended, and the last one holds", async () => {
      const workflow = newId("workflow");
      const policies = Array.from({ length: 12 }, (_, n) => (n % 4 === 3 ? null : { current: `1.${n}.0`, ramp: null }));
      await Promise.all(policies.map((policy) => stage.store.setVersionPolicy(workflow, policy)));
      const changes = (await stage.store.readPolicyChanges(workflow, 20)).toReversed();
      expect(changes[0]?.from).toBe(null);
      expect(changes.slice(1).map(({ from }) => from)).toEqual(changes.slice(0, -1).map(({ to }) => to));
      expect(changes.at(-1)?.to).toEqual((await facts(workflow))?.policy ?? null);
      const set = changes.flatMap(({ to }) => to?.current ?? []).sort();
      expect(set).toEqual(policies.flatMap((policy) => policy?.current ?? []).sort());
    });

    test("workers that say so at once do not stand in each other's way", async () => {
      const workflow = newId("workflow");
      const all = Array.from({ length: 20 }, (_, n) => ({ workflow, version: `1.${n}.0` }));
      const workers = Array.from({ length: 8 }, (_, n) => (n % 2 === 0 ? all : all.toReversed()));
      await Promise.all(workers.map((versions) => stage.store.registerVersions(versions)));
      expect((await facts(workflow))?.known).toHaveLength(20);
    });
  });

  describe("children in a version", () => {
    const child = async (workflow: string, version: VersionAsk | undefined, workflowId: string = newId("child")) => {
      const parent = await stage.owned();
      const { runId, queue, started, onReuse, timeoutMs } = startRequest({ workflow });
      const made = { runId, workflowId, workflow, queue, started, carriesData: false, onReuse, timeoutMs };
      const asker = { runId: parent.runId, command: COMMAND, name: workflow };
      const errand: Errand = { do: "start", asker, child: made, policy: "terminate", ...(version && { version }) };
      const turn = turnOf(parent, { effects: { errands: [errand], successor: null } }, stepCompleted(1));
      expect((await stage.store.appendWithEffects([turn])).committed.size).toBe(1);
      await stage.doErrands();
      const [answer] = await stage.store.readMail([{ runId: parent.runId, after: 0 }], 10);
      return {
        run: await stage.store.findRun({ runId }),
        answer: eventOfAnswer(JSON.parse(answer?.payload ?? "") as Answer, 1),
      };
    };

    test("it is decided by what is known when the child is started", async () => {
      const workflow = newId("workflow");
      await stage.store.registerVersions([
        { workflow, version: "1.4.0" },
        { workflow, version: "2.0.0" },
      ]);
      const asked = async (version: VersionAsk | undefined) => (await child(workflow, version)).run?.version;
      expect(await asked(undefined)).toBe(null);
      expect(await asked({ own: "1.0.0", asked: BY_POLICY })).toBe("1.0.0");
      expect(await asked({ own: null, asked: "^1.2" })).toBe("1.4.0");
      await stage.store.setVersionPolicy(workflow, { current: "2.0.0", ramp: null });
      const { run, answer } = await child(workflow, { own: "1.0.0", asked: BY_POLICY });
      expect(run).toMatchObject({ version: "2.0.0" });
      expect(answer.type).toBe("ChildStarted");
      expect(await startedOf(run?.runId ?? "")).toMatchObject({ version: "2.0.0" });
    });

    test("a version that nobody knows starts no child, and the parent is told why", async () => {
      const workflow = newId("workflow");
      await stage.store.registerVersions([{ workflow, version: "1.4.0" }]);
      const { run, answer } = await child(workflow, { own: null, asked: "1.5.0" });
      expect(run).toBe(null);
      expect(answer).toMatchObject({ type: "ChildStartFailed", failure: { code: "VERSION_UNKNOWN" } });
      expect(answer.type === "ChildStartFailed" ? answer.failure.message : "").toContain("known are 1.4.0");
    });
  });
}
