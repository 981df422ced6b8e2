// The contract of stores, held by the one in memory.

import { expect, test } from "vitest";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { only, startRequest, turnOf } from "./store/stage.ts";
import { type OpenedStore, storeContract } from "./store.ts";

async function openMemoryStore(): Promise<OpenedStore> {
  let now = 1_750_000_000_000;
  return {
    store: new MemoryStore({ clock: { now: () => now } }),
    advance: async (ms) => {
      now += ms;
    },
    close: async () => {},
    transactions: "unsupported",
  };
}

storeContract("memory", openMemoryStore);

test("questions that nobody came back for are forgotten in time", async () => {
  const { store, advance } = await openMemoryStore();
  const runId = "01JZ0000000000000000000000";
  const ask = (queryId: string) => store.askQuery({ queryId, runId, queue: "default", name: "status", input: null });
  await store.startRuns([startRequest({ runId, queue: "default" })]);
  await ask("asked");
  await ask("answered");
  await store.answerQueries([{ queryId: "answered", answer: { ok: true, payload: null } }]);
  await advance?.(24 * 3_600_000);
  await ask("fresh");
  await store.forgetLeftovers();
  expect(await store.takeAnswer("answered")).toBeNull();
  expect((await store.takeQueries("worker", ["default"], 10)).map(({ queryId }) => queryId)).toEqual(["fresh"]);
});

test("a method has had its whole effect when it returns its promise", async () => {
  const { store } = await openMemoryStore();
  const { runId, queue } = startRequest();
  const started = store.startRuns([startRequest({ runId, queue })]);
  const request = { workerId: "worker", claimId: "claim", queues: [queue], limit: 1, suspects: "exclude" } as const;
  const claimed = store.claimRuns(request);
  const ended = store.terminateRun(runId, "enough");
  expect(only(await started)).toMatchObject({ outcome: "started", status: "running", ownerId: null });
  expect(only((await claimed).claimed)).toMatchObject({ runId });
  expect(await ended).toBe("terminated");
});

test("a shared transaction ends as the append does", async () => {
  const ends: string[] = [];
  const transaction = () => ({
    query: async () => ({ rows: [{ balance: 7 }], rowCount: 1 }),
    commit: () => ends.push("commit"),
    rollback: () => ends.push("rollback"),
  });
  const store = new MemoryStore({ clock: { now: () => 1_750_000_000_000 }, transaction });
  const { queue } = startRequest();
  await store.startRuns([startRequest({ queue })]);
  const request = { workerId: "worker", claimId: "claim", queues: [queue], limit: 1, suspects: "exclude" } as const;
  const run = only((await store.claimRuns(request)).claimed);
  const thrown = new RangeError("insufficient funds");
  const failing = store.appendInTransaction(async (tx) => {
    expect((await tx.query("select balance")).rows).toEqual([{ balance: 7 }]);
    throw thrown;
  });
  await expect(failing).rejects.toBe(thrown);
  await store.appendInTransaction(async () => turnOf({ ...run, claimId: "stale" }));
  await store.appendInTransaction(async () => turnOf(run));
  expect(ends).toEqual(["rollback", "rollback", "commit"]);
});

test("a turn that would break a history is a defect, and says so", async () => {
  const { store } = await openMemoryStore();
  const { queue } = startRequest();
  await store.startRuns([startRequest({ queue })]);
  const request = { workerId: "worker", claimId: "claim", queues: [queue], limit: 1, suspects: "exclude" } as const;
  const run = only((await store.claimRuns(request)).claimed);
  const defects = [
    [turnOf(run, { events: [] })],
    [turnOf(run), turnOf(run)],
    [turnOf(run, { takenMail: 1 })],
    [turnOf(run, { close: "completed" })],
  ];
  for (const turns of defects) {
    await expect(store.appendTurns(turns)).rejects.toMatchObject({ code: "INVARIANT_BROKEN" });
  }
});
