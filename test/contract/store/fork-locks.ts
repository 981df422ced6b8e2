// Locks of forks: a fork is claimed by nobody until it has again what its shared events say that it holds, and one in the place
// of its source steps into the places of that.

import { describe, expect, test } from "vitest";
import type { ForkRequest } from "../../../runtime/store/forks.ts";
import type { LockRequest } from "../../../runtime/store/locks.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import { fromRecord } from "../../../sdk/protocol/event-record.ts";
import { seededRandom } from "../../../sdk/protocol/random.ts";
import { Party } from "./lock-party.ts";
import { forkRequest, mailRequest, newId, only, type Stage } from "./stage.ts";

type ForkedLock = Omit<LockRequest, "runId">;

export function forkLocksContract(stage: Stage): void {
  describe("locks of forks", () => {
    const party = async (request: Partial<StartRequest> = {}) => new Party(stage, await stage.owned(request));
    const lock = (key: string, more: Partial<ForkedLock> = {}): ForkedLock => {
      return { command: 1, key, permits: 1, capacity: 1, isRegained: true, ...more };
    };
    const fork = async (source: Party, request: Partial<ForkRequest>): Promise<ForkRequest> => {
      const asked = forkRequest(source.run, { at: source.events, ...request });
      expect(await stage.store.forkRun(asked)).toEqual({ outcome: "forked", runId: asked.runId });
      return asked;
    };
    const reset = (source: Party, locks: readonly ForkedLock[]) =>
      fork(source, { workflowId: source.run.workflowId, terminates: "reset", locks });
    const claimed = async (queue: string) => (await stage.claim(queue)).claimed.map(({ runId }) => runId);
    const eventsOf = async (runId: string) => (await stage.store.readHistory(runId, 0, 100)).map(fromRecord);
    /** Who is in the queue, holders in capitals. */
    const queueOf = async (key: string, runIds: readonly string[]) =>
      (await stage.store.listLocks({ key, limit: 100 })).map(({ runId, fencingToken }) => {
        const name = String.fromCharCode(97 + runIds.indexOf(runId));
        return fencingToken === null ? name : name.toUpperCase();
      });
    const tokenOf = async (key: string) => (await stage.store.listLocks({ key, limit: 1 }))[0]?.fencingToken ?? null;

    test("a fork stands in the queue like any other, and is claimed by nobody until it has what it held", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      for (const each of [a, b]) await each.commit(each.asking(key));
      const { runId } = await fork(a, { locks: [lock(key)] });
      expect(await queueOf(key, [a.run.runId, b.run.runId, runId])).toEqual(["A", "b", "c"]);
      expect(await stage.store.findRun({ runId })).toMatchObject({ awaitedLocks: 1, wakeAt: null, ownerId: null });
      await a.commit(a.releasing(key));
      await stage.send(runId);
      expect(await claimed(a.run.queue)).toEqual([]);

      const before = await tokenOf(key);
      const shared = await eventsOf(runId);
      const { toWake } = await b.commit(b.releasing(key));
      expect(toWake).toEqual({ queues: [a.run.queue], ownerIds: [] });
      const fencingToken = await tokenOf(key);
      expect(fencingToken).toBeGreaterThan(before ?? 0);
      const events = await eventsOf(runId);
      expect(events.slice(0, -1)).toEqual(shared);
      expect(events.at(-1)).toMatchObject({ type: "LockRegained", command: 1, name: key, fencingToken });
      expect(events.at(-1)?.seq).toBe(shared.length + 1);
      expect(await stage.claimOne(a.run.queue)).toMatchObject({ runId, events: events.length, newestMail: 1 });
    });

    test("what is free is regained in the transaction of the fork", async () => {
      const key = newId("key");
      const a = await party();
      await a.commit(a.asking(key));
      await stage.store.terminateRun(a.run.runId, "enough");
      const { runId } = await reset(a, [lock(key)]);
      expect((await eventsOf(runId)).slice(-2).map((event) => event?.type)).toEqual(["RunForked", "LockRegained"]);
      expect(await claimed(a.run.queue)).toEqual([runId]);
      expect(await stage.store.findRun({ runId })).toMatchObject({ awaitedLocks: 0 });
    });

    test("a fork in the place of a holder has the lock at once, with a new token: nobody comes between", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      for (const each of [a, b]) await each.commit(each.asking(key));
      const before = await tokenOf(key);
      const { runId } = await reset(a, [lock(key)]);
      expect(await queueOf(key, [a.run.runId, b.run.runId, runId])).toEqual(["C", "b"]);
      expect(await tokenOf(key)).toBeGreaterThan(before ?? 0);
      expect((await eventsOf(runId)).at(-1)).toMatchObject({ type: "LockRegained", fencingToken: await tokenOf(key) });
      expect(await claimed(a.run.queue)).toEqual([runId]);
      await stage.doErrands();
      expect(await b.grants()).toEqual([]);
      await stage.store.terminateRun(runId, "enough");
      await stage.doErrands();
      expect(await b.grants()).toHaveLength(1);
    });

    test("so it keeps its place among those who wait, and lets go of what it does not ask for", async () => {
      const [key, other] = [newId("key"), newId("other")];
      const [a, b, c] = [await party(), await party(), await party()];
      await a.commit(a.asking(key));
      await b.commit(b.asking(key));
      await b.commit(b.asking(other));
      await c.commit(c.asking(key));
      await c.commit(c.asking(other));
      const { runId } = await reset(b, [lock(key, { isRegained: false })]);
      expect(await queueOf(key, [a.run.runId, runId, c.run.runId])).toEqual(["A", "b", "c"]);
      expect(await queueOf(other, [c.run.runId])).toEqual(["A"]);
      // It waits for it as its code does: it is executed.
      expect(await claimed(b.run.queue)).toEqual([runId]);
      await stage.doErrands();
      expect(await c.grants()).toHaveLength(1);
    });

    test("what it waits for by its shared events is granted by mail, also where its source had got it since", async () => {
      const key = newId("key");
      const a = await party();
      await a.commit(a.asking(key));
      const before = only(await a.grants());
      const { runId } = await reset(a, [lock(key, { isRegained: false })]);
      const [granted, ...more] = await stage.answersTo(runId);
      expect(more).toEqual([]);
      expect(granted).toMatchObject({ type: "LockGranted", command: 1, name: key, fencingToken: await tokenOf(key) });
      expect(await tokenOf(key)).toBeGreaterThan(before.fencingToken);
    });

    test("a lock that its source has let go of since is asked for anew", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      for (const each of [a, b]) await each.commit(each.asking(key));
      await a.commit(a.releasing(key));
      const { runId } = await reset(a, [lock(key)]);
      expect(await queueOf(key, [b.run.runId, runId])).toEqual(["A", "b"]);
      expect(await claimed(a.run.queue)).toEqual([]);
    });

    test("it is due when it has all of them, and each is told when it has it", async () => {
      const keys = [newId("key"), newId("key"), newId("key")];
      const [first = "", second = "", third = ""] = keys;
      const [a, b] = [await party(), await party()];
      for (const key of [first, second]) await b.commit(b.asking(key));
      await a.commit(a.asking(third));
      const locks = [lock(first), lock(second, { command: 2 }), lock(third, { command: 3 })];
      const { runId } = await reset(a, locks);
      const told = async () => {
        return (await eventsOf(runId)).flatMap((each) => (each?.type === "LockRegained" ? each.command : []));
      };
      expect(await told()).toEqual([3]);
      await b.commit(b.releasing(second, 2));
      expect(await told()).toEqual([3, 2]);
      expect(await stage.store.findRun({ runId })).toMatchObject({ awaitedLocks: 1 });
      expect(await claimed(a.run.queue)).toEqual([]);
      await b.commit(b.releasing(first, 1));
      expect(await told()).toEqual([3, 2, 1]);
      expect(await claimed(a.run.queue)).toEqual([runId]);
    });

    const disturbances: Record<string, (runId: string) => Promise<unknown>> = {
      "a signal": (runId) => stage.send(runId),
      "a cancel": (runId) => stage.store.sendMail([mailRequest({ to: { runId }, kind: "cancel" })]),
      "a pause and a resume": async (runId) => {
        await stage.store.controlRun({ runId, kind: "pause", mailId: "pause", reason: "" });
        await stage.store.controlRun({ runId, kind: "resume", mailId: "resume", reason: "" });
      },
    };
    test.each(Object.entries(disturbances))(
      "%s is stored, and wakes no run that stands still",
      async (_what, disturb) => {
        const key = newId("key");
        const a = await party();
        await a.commit(a.asking(key));
        const { runId } = await fork(a, { locks: [lock(key)] });
        await disturb(runId);
        expect(await claimed(a.run.queue)).toEqual([]);
        expect((await stage.store.readMail([{ runId, after: 0 }], 10)).length).toBeGreaterThan(0);
        await a.commit(a.releasing(key));
        expect(await claimed(a.run.queue)).toEqual([runId]);
      },
    );

    test("nor does another version of its workflow", async () => {
      const [key, workflow] = [newId("key"), newId("workflow")];
      await stage.store.registerVersions([{ workflow, version: "2.0.0" }]);
      const a = await party({ workflow });
      await a.commit(a.asking(key));
      const { runId } = await fork(a, { locks: [lock(key)] });
      await stage.store.moveRun({ runId, mailId: "move", version: "2.0.0" });
      expect(await stage.store.findRun({ runId })).toMatchObject({ version: "2.0.0", awaitedLocks: 1, wakeAt: null });
      await a.commit(a.releasing(key));
      expect(await stage.store.findRun({ runId })).toMatchObject({ awaitedLocks: 0, wakeAt: expect.any(Number) });
    });

    test("one that is paused when it has them is claimed once it is resumed", async () => {
      const key = newId("key");
      const a = await party();
      await a.commit(a.asking(key));
      const { runId } = await fork(a, { locks: [lock(key)] });
      await stage.store.controlRun({ runId, kind: "pause", mailId: "pause", reason: "" });
      await a.commit(a.releasing(key));
      expect((await eventsOf(runId)).at(-1)?.type).toBe("LockRegained");
      expect(await claimed(a.run.queue)).toEqual([]);
      await stage.store.controlRun({ runId, kind: "resume", mailId: "resume", reason: "" });
      expect(await claimed(a.run.queue)).toEqual([runId]);
    });

    const ends: Record<string, (runId: string, workflowId: string) => Promise<unknown>> = {
      terminated: (runId) => stage.store.terminateRun(runId, "enough"),
      "timed out": (runId) =>
        stage.becomes("the fork is timed out", async () => {
          await stage.store.closeOverdue(100);
          return (await stage.statusOf(runId)) === "timedOut";
        }),
      replaced: (_runId, workflowId) => stage.start({ workflowId, onConflict: "terminateExisting" }),
      reset: (runId, workflowId) => stage.store.forkRun(forkRequest({ runId }, { workflowId, terminates: "reset" })),
    };
    test.each(Object.entries(ends))("one that is %s meanwhile leaves the queue", async (_how, end) => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      await a.commit(a.asking(key));
      const { runId, workflowId } = await fork(a, { locks: [lock(key)], timeoutMs: 1 });
      await b.commit(b.asking(key));
      await end(runId, workflowId);
      expect(await queueOf(key, [a.run.runId, b.run.runId])).toEqual(["A", "b"]);
      await a.commit(a.releasing(key));
      expect(await queueOf(key, [a.run.runId, b.run.runId])).toEqual(["B"]);
    });

    test("a grant that is on its way to a fork that ends goes to the next", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      await a.commit(a.asking(key));
      const { runId } = await fork(a, { locks: [lock(key)] });
      await b.commit(b.asking(key));
      // What an end from outside gives away is told by an errand.
      await stage.store.terminateRun(a.run.runId, "enough");
      await stage.store.terminateRun(runId, "enough");
      await stage.doErrands();
      expect(await queueOf(key, [b.run.runId])).toEqual(["A"]);
      expect((await eventsOf(runId)).at(-1)?.type).toBe("RunTerminated");
      expect(await b.grants()).toHaveLength(1);
    });

    test("an errand tells what the end of a run gives it", async () => {
      const key = newId("key");
      const a = await party();
      await a.commit(a.asking(key));
      const { runId } = await fork(a, { locks: [lock(key)] });
      await stage.store.terminateRun(a.run.runId, "enough");
      await stage.doErrands();
      expect((await eventsOf(runId)).at(-1)).toMatchObject({ type: "LockRegained", fencingToken: await tokenOf(key) });
      expect(await claimed(a.run.queue)).toEqual([runId]);
    });

    test("a fork that is asked for again has its places once; one that is refused leaves those of its source", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      await a.commit(a.asking(key));
      const refused = forkRequest(a.run, { workflowId: b.run.workflowId, terminates: "reset", locks: [lock(key)] });
      expect(await stage.store.forkRun(refused)).toEqual({ outcome: "refused", runId: b.run.runId });
      expect(await queueOf(key, [a.run.runId])).toEqual(["A"]);
      const request = await reset(a, [lock(key)]);
      const before = await tokenOf(key);
      expect(await stage.store.forkRun(request)).toMatchObject({ outcome: "forked" });
      expect(await queueOf(key, [request.runId])).toEqual(["A"]);
      expect(await tokenOf(key)).toBe(before);
    });

    // Holders and waiters that are forked, replaced and terminated, all at once with each other.
    test.each([1, 2, 3])("forks that race for a few keys have them one after the other, seed %i", async (seed) => {
      const random = seededRandom(`locks of forks ${seed}`);
      const keys = [newId("key"), newId("key")];
      const parties = await Promise.all(Array.from({ length: 12 }, () => party()));
      const runIds: string[] = parties.map(({ run }) => run.runId);
      await Promise.all(
        parties.map(async (each) => {
          const key = keys[random.next() % keys.length] as string;
          await each.commit(each.asking(key));
          for (let round = 0; round < 3; round++) {
            const choice = random.next() % 4;
            if (choice === 0) runIds.push((await fork(each, { locks: [lock(key)] })).runId);
            if (choice === 1) {
              runIds.push((await reset(each, [lock(key)])).runId);
              break;
            }
            if (choice === 2) await stage.store.runErrands(10);
            if (choice === 3) await stage.store.terminateRun(each.run.runId, "enough");
            const queue = await stage.store.listLocks({ key, limit: 100 });
            expect(queue.findLastIndex(({ fencingToken }) => fencingToken !== null)).toBeLessThan(1);
            if (choice === 3) break;
          }
        }),
      );
      const tokens: number[] = [];
      for (const key of keys) {
        for (;;) {
          await stage.doErrands();
          const [holder, ...waiting] = await stage.store.listLocks({ key, limit: 100 });
          if (holder === undefined) break;
          expect(holder.fencingToken).not.toBeNull();
          expect(waiting.every(({ fencingToken }) => fencingToken === null)).toBe(true);
          for (const { runId } of waiting) {
            const isFork = (await stage.store.findRun({ runId }))?.forkedFrom !== null;
            expect(await stage.store.findRun({ runId })).toMatchObject({ awaitedLocks: isFork ? 1 : 0 });
          }
          await stage.store.terminateRun(holder.runId, "enough");
        }
      }
      for (const runId of runIds) {
        const events = await eventsOf(runId);
        const regained = events.flatMap((each) => (each?.type === "LockRegained" ? each.fencingToken : []));
        expect(regained.length).toBeLessThanOrEqual(1);
        tokens.push(...regained);
        expect(events.map((each) => each?.seq)).toEqual(events.map((_, place) => place + 1));
      }
      expect(new Set(tokens).size).toBe(tokens.length);
      expect(tokens.length).toBeGreaterThan(0);
    });
  });
}
