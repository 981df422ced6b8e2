// Locks and semaphores: one queue per key, in the order in which the store took the requests. Who holds is told, and what
// a run has goes with it, whatever ends it.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Locks } from "../../../runtime/store/memory/locks.ts";
import { RunTable } from "../../../runtime/store/memory/run-table.ts";
import type { StartRequest } from "../../../runtime/store/starts.ts";
import type { AppendTurn } from "../../../runtime/store/turns.ts";
import type { ListedLock } from "../../../sdk/protocol/listed-lock.ts";
import { seededRandom } from "../../../sdk/protocol/random.ts";
import { continuingTurn } from "./continuing.ts";
import { grantsIn, Party } from "./lock-party.ts";
import { closingTurn, forkRequest, newId, only, type Stage } from "./stage.ts";

export function locksContract(stage: Stage): void {
  describe("locks", () => {
    const party = async (request: Partial<StartRequest> = {}, workerId?: string) =>
      new Party(stage, await stage.owned(request, workerId));
    /** Who is in the queue, holders in capitals. */
    const queueOf = async (key: string, parties: readonly Party[]) => {
      const locks = await stage.store.listLocks({ key, limit: 1_000 });
      return locks.map(({ runId, fencingToken }) => {
        const name = String.fromCharCode(97 + parties.findIndex(({ run }) => run.runId === runId));
        return fencingToken === null ? name : name.toUpperCase();
      });
    };

    test("what is free is granted with the request, and the answer brings the mail that says so", async () => {
      const key = newId("key");
      const a = await party();
      const { mail = [] } = await a.commit(a.asking(key));
      expect(mail).toEqual(await stage.store.readMail([{ runId: a.run.runId, after: 0 }], 10));
      const [granted] = grantsIn(mail);
      expect(granted).toEqual({
        type: "LockGranted",
        command: 1,
        name: key,
        mail: 1,
        fencingToken: expect.any(Number),
      });
      expect(await stage.store.listLocks({ key, limit: 10 })).toEqual([
        {
          key,
          runId: a.run.runId,
          workflowId: a.run.workflowId,
          workflow: a.run.workflow,
          command: 1,
          permits: 1,
          capacity: 1,
          fencingToken: granted?.fencingToken,
          requestedAt: expect.any(Number),
          grantedAt: expect.any(Number),
        },
      ]);
    });

    test("the others wait in the order in which they asked, and each is told when its turn has come", async () => {
      const key = newId("key");
      const workerId = randomUUID();
      const [a, b, c] = [await party(), await party({}, workerId), await party()];
      for (const each of [a, b, c]) await each.commit(each.asking(key));
      expect(await queueOf(key, [a, b, c])).toEqual(["A", "b", "c"]);
      expect([...(await b.grants()), ...(await c.grants())]).toEqual([]);

      const { mail = [], toWake } = await a.commit(a.releasing(key));
      expect(mail).toEqual([]);
      expect(toWake).toEqual({ queues: [], ownerIds: [workerId] });
      expect(await b.grants()).toHaveLength(1);
      expect(await queueOf(key, [a, b, c])).toEqual(["B", "c"]);
      await b.commit(b.releasing(key));
      await stage.doErrands();
      const tokens = [...(await a.grants()), ...(await b.grants()), ...(await c.grants())];
      expect(tokens).toHaveLength(3);
      expect(tokens.map(({ fencingToken }) => fencingToken)).toEqual(
        tokens.map(({ fencingToken }) => fencingToken).sort((x, y) => x - y),
      );
    });

    test("fencing tokens go on where they were when nobody has asked for a key for a while", async () => {
      const key = newId("key");
      const seen: number[] = [];
      for (let round = 0; round < 3; round++) {
        const a = await party();
        await a.commit(a.asking(key));
        seen.push(only(await a.grants()).fencingToken);
        await a.commit(a.releasing(key));
        expect(await stage.store.listLocks({ key, limit: 10 })).toEqual([]);
      }
      expect(seen).toEqual([...new Set(seen)].sort((x, y) => x - y));
    });

    test("a turn that is refused asks for nothing and lets go of nothing", async () => {
      const key = newId("key");
      const workerId = randomUUID();
      const a = await party({}, workerId);
      await a.commit(a.asking(key));
      const stale = a.releasing(key);
      await stage.store.rescueRuns(workerId, 10);
      expect((await stage.store.appendWithEffects([stale])).committed.size).toBe(0);
      expect((await stage.store.appendWithEffects([a.asking(newId("other"))])).committed.size).toBe(0);
      expect(await queueOf(key, [a])).toEqual(["A"]);
    });

    test("a turn lets go before it asks: who comes back stands behind those who waited", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      await a.commit(a.asking(key));
      await b.commit(b.asking(key));
      const again = { runId: a.run.runId, command: 2, key, permits: 1, capacity: 1 };
      await a.commit(
        a.turn(
          { requests: [again], releases: [{ runId: a.run.runId, command: 1 }] },
          { type: "LockReleased", command: 1, name: key },
          { type: "LockRequested", command: 2, name: key, permits: 1, capacity: 1 },
        ),
      );
      expect(await queueOf(key, [a, b])).toEqual(["B", "a"]);
    });

    const ends: Record<string, (a: Party) => Promise<unknown>> = {
      completed: async (a) => a.commit(closingTurn(a.run, "completed", await a.ending())),
      failed: async (a) => a.commit(closingTurn(a.run, "failed", await a.ending())),
      canceled: async (a) => a.commit(closingTurn(a.run, "canceled", await a.ending())),
      terminated: (a) => stage.store.terminateRun(a.run.runId, "enough"),
      "continued as new": async (a) => {
        const turn = continuingTurn(a.run);
        return a.commit({ ...turn, ...(await a.ending(turn.effects?.successor)) });
      },
      "replaced by another start": (a) =>
        stage.start({ workflowId: a.run.workflowId, onConflict: "terminateExisting" }),
      "reset by a fork": (a) =>
        stage.store.forkRun(forkRequest(a.run, { workflowId: a.run.workflowId, terminates: "reset" })),
    };
    test.each(Object.entries(ends))(
      "a run that is %s lets go of all it holds and waits for, once",
      async (_how, end) => {
        const [held, other] = [newId("key"), newId("other")];
        const [a, b, c] = [await party(), await party(), await party()];
        await b.commit(b.asking(other));
        await a.commit(a.asking(held));
        await a.commit(a.asking(other));
        await c.commit(c.asking(held));
        await c.commit(c.asking(other));
        await end(a);
        expect(await queueOf(held, [a, b, c])).toEqual(["C"]);
        expect(await queueOf(other, [a, b, c])).toEqual(["B", "c"]);
        await stage.doErrands();
        expect(await c.grants()).toHaveLength(1);
      },
    );

    test("a run that is past its deadline lets go", async () => {
      const key = newId("key");
      const [a, b] = [await party({ timeoutMs: 1 }), await party()];
      await a.commit(a.asking(key));
      await b.commit(b.asking(key));
      await stage.becomes("the run is timed out", async () => {
        await stage.store.closeOverdue(100);
        return (await stage.store.findRun({ runId: a.run.runId }))?.status === "timedOut";
      });
      expect(await queueOf(key, [a, b])).toEqual(["B"]);
    });

    test("nobody waits for the wake-up of a run that nobody owns: it is due, and its queue is named", async () => {
      const key = newId("key");
      const [a, b] = [await party(), await party()];
      await a.commit(a.asking(key));
      await b.commit(b.asking(key));
      await stage.park({ ...b.run, events: b.run.events + 1 });
      const { toWake } = await a.commit(a.releasing(key));
      expect(toWake).toEqual({ queues: [b.run.queue], ownerIds: [] });
      expect(await stage.claimOne(b.run.queue)).toMatchObject({ runId: b.run.runId, newestMail: 1 });
    });

    test("who gives up when it was granted already, and has not heard, gives it on", async () => {
      const key = newId("key");
      const [a, b, c] = [await party(), await party(), await party()];
      for (const each of [a, b, c]) await each.commit(each.asking(key));
      await a.commit(a.releasing(key));
      await b.commit(b.releasing(key));
      await stage.doErrands();
      expect(await queueOf(key, [a, b, c])).toEqual(["C"]);
      expect(await b.grants()).toHaveLength(1);
      expect(await c.grants()).toHaveLength(1);
    });

    test("who ends when it was granted already, and has not heard, gives it on", async () => {
      const key = newId("key");
      const [a, b, c] = [await party(), await party(), await party()];
      for (const each of [a, b, c]) await each.commit(each.asking(key));
      await a.commit(a.releasing(key));
      await stage.store.terminateRun(b.run.runId, "enough");
      await stage.doErrands();
      expect(await queueOf(key, [a, b, c])).toEqual(["C"]);
    });

    test("who leaves the queue lets those behind it come up", async () => {
      const key = newId("key");
      const [a, b, c] = [await party(), await party(), await party()];
      for (const each of [a, b, c]) await each.commit(each.asking(key));
      await b.commit(b.releasing(key));
      expect(await queueOf(key, [a, b, c])).toEqual(["A", "c"]);
    });

    test("as many permits are held as there are, and no request is overtaken by a smaller one", async () => {
      const key = newId("semaphore");
      const [a, b, c, d] = [await party(), await party(), await party(), await party()];
      await a.commit(a.asking(key, { permits: 2, capacity: 3 }));
      await b.commit(b.asking(key, { permits: 2, capacity: 3 }));
      await c.commit(c.asking(key, { capacity: 3 }));
      expect(await queueOf(key, [a, b, c])).toEqual(["A", "b", "c"]);
      await a.commit(a.releasing(key));
      expect(await queueOf(key, [a, b, c])).toEqual(["B", "C"]);
      await d.commit(d.asking(key, { capacity: 3 }));
      await b.commit(b.releasing(key));
      expect(await queueOf(key, [a, b, c, d])).toEqual(["C", "D"]);
    });

    test("where requests differ on how many permits there are, the smallest number among those that hold counts", async () => {
      const key = newId("semaphore");
      const [a, b, c, d] = [await party(), await party(), await party(), await party()];
      await a.commit(a.asking(key, { capacity: 2 }));
      await b.commit(b.asking(key, { capacity: 5 }));
      await c.commit(c.asking(key, { capacity: 5 }));
      expect(await queueOf(key, [a, b, c])).toEqual(["A", "B", "c"]);
      await a.commit(a.releasing(key));
      expect(await queueOf(key, [a, b, c])).toEqual(["B", "C"]);
      // A lock of the same name waits for all of them, and keeps all others out.
      await d.commit(d.asking(key));
      await a.commit(a.asking(key, { capacity: 5 }));
      await b.commit(b.releasing(key));
      await c.commit(c.releasing(key));
      expect(await queueOf(key, [a, b, c, d])).toEqual(["D", "a"]);
    });

    test("lists are by key, in the order of the queue, and end where they are told to", async () => {
      const key = newId("key");
      const parties = [await party(), await party(), await party()];
      for (const each of parties) await each.commit(each.asking(key));
      const all = await stage.store.listLocks({ key, limit: 10 });
      expect(all.map(({ runId }) => runId)).toEqual(parties.map(({ run }) => run.runId));
      expect(await stage.store.listLocks({ key, limit: 2 })).toEqual(all.slice(0, 2));
      const everyKey = await stage.store.listLocks({ key: null, limit: 1_000 });
      expect(everyKey.filter((each) => each.key === key)).toEqual(all);
      expect(await stage.store.listLocks({ key: newId("none"), limit: 10 })).toEqual([]);
    });

    test("several runs of one batch ask for one key: one of them gets it", async () => {
      const key = newId("key");
      const parties = await Promise.all(Array.from({ length: 5 }, () => party()));
      const { committed, mail = [] } = await stage.store.appendWithEffects(parties.map((each) => each.asking(key)));
      expect(committed.size).toBe(5);
      expect(mail).toHaveLength(1);
      expect(
        (await stage.store.listLocks({ key, limit: 10 })).map(({ fencingToken }) => fencingToken !== null),
      ).toEqual([true, false, false, false, false]);
    });

    test.each([1, 2, 3, 4])(
      "any order of requests and releases leads to the queues of the model, seed %i",
      async (seed) => {
        const random = seededRandom(`queues ${seed}`);
        const model = new Locks();
        const keys = Array.from({ length: 3 }, () => newId("key"));
        const parties = await Promise.all(Array.from({ length: 6 }, () => party()));
        const open: { readonly party: Party; readonly key: string; readonly command: number }[] = [];
        for (let step = 0; step < 60; step++) {
          const each = parties[random.next() % parties.length] as Party;
          const [released] = random.next() % 2 === 0 ? open.splice(random.next() % Math.max(1, open.length), 1) : [];
          let turn: AppendTurn;
          if (released === undefined) {
            const capacity = 1 + (random.next() % 3);
            const key = keys[random.next() % keys.length] as string;
            turn = each.asking(key, { permits: 1 + (random.next() % capacity), capacity });
            open.push({ party: each, key, command: each.command });
          } else turn = released.party.releasing(released.key, released.command);
          await (released?.party ?? each).commit(turn);
          const { releases = [], requests = [] } = turn.effects?.locks ?? {};
          model.change(releases, requests, 0);
          for (const key of keys) {
            const shapeOf = (locks: readonly ListedLock[]) =>
              locks.map(({ runId, command, fencingToken }) => [runId, command, fencingToken !== null]);
            const expected = model.list({ key, limit: 1_000 }, new RunTable());
            expect(shapeOf(await stage.store.listLocks({ key, limit: 1_000 }))).toEqual(shapeOf(expected));
          }
        }
        for (const { run } of parties) await stage.store.terminateRun(run.runId, "enough");
        for (const key of keys) expect(await stage.store.listLocks({ key, limit: 10 })).toEqual([]);
      },
    );

    // Each party goes its own way at once with all the others: asks, lets go or gives up, ends, or is terminated.
    test.each([1, 2, 3])("parties that race for a few keys are granted in turn or gone, seed %i", async (seed) => {
      const random = seededRandom(`locks ${seed}`);
      const keys = Array.from({ length: 3 }, () => newId("key"));
      const parties = await Promise.all(Array.from({ length: 24 }, () => party()));
      const terminate = (runId: string) => stage.store.terminateRun(runId, "enough");
      await Promise.all(
        parties.map(async (each) => {
          for (let round = 0; round < 6; round++) {
            const choice = random.next();
            const key = keys[choice % keys.length] as string;
            await each.commit(each.asking(key));
            if (choice % 5 === 0) await stage.store.runErrands(10);
            if (round < 5) await each.commit(each.releasing(key));
            else if (choice % 2 === 0) await terminate(each.run.runId);
            const queue = await stage.store.listLocks({ key, limit: 1_000 });
            expect(queue.findLastIndex(({ fencingToken }) => fencingToken !== null)).toBeLessThan(1);
          }
        }),
      );
      for (const key of keys) {
        const left = await stage.store.listLocks({ key, limit: 1_000 });
        for (const [place, { runId }] of left.entries()) {
          const queue = await stage.store.listLocks({ key, limit: 1_000 });
          expect(queue.map((each) => each.runId)).toEqual(left.slice(place).map((each) => each.runId));
          expect(queue.map(({ fencingToken }) => fencingToken !== null)).toEqual(queue.map((_, index) => index === 0));
          await terminate(runId);
        }
      }
      await stage.doErrands();
      const grants = await Promise.all(parties.map((each) => each.grants()));
      for (const told of grants) expect(new Set(told.map(({ command }) => command)).size).toBe(told.length);
      const tokens = grants.flat().map(({ fencingToken }) => fencingToken);
      expect(new Set(tokens).size).toBe(tokens.length);
    });
  });
}
