// Appending in a transaction: what the work wrote and the turn that tells of it are committed together, or neither is.

import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { Transaction } from "../../../runtime/store/store.ts";
import { EverstepError } from "../../../sdk/protocol/errors.ts";
import { closingTurn, only, type Stage, startRequest, stepCompleted, turnOf } from "./stage.ts";

export function transactionsContract(stage: Stage): void {
  describe("appending in a transaction", () => {
    test("the turn that the work resolves to is appended", async () => {
      const run = await stage.owned();
      const turn = turnOf(run);
      const { committed, at } = await stage.store.appendInTransaction(async () => turn);
      expect(committed).toBe(true);
      expect(only(await stage.store.readHistory(run.runId, 1, 10))).toEqual({ ...only(turn.events), seq: 2, at });
      expect(only(await stage.store.resolveTurns([turn]))).toMatchObject({ landed: true, at, owned: true });
    });

    test("a run can close in one", async () => {
      const run = await stage.owned();
      await stage.store.appendInTransaction(async () => closingTurn(run, "completed"));
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ status: "completed", ownerId: null });
    });

    test("what the work throws comes through as it is, and nothing is appended", async () => {
      const run = await stage.owned();
      const thrown = new RangeError("insufficient funds");
      await expect(
        stage.store.appendInTransaction(async () => {
          throw thrown;
        }),
      ).rejects.toBe(thrown);
      expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 1, status: "running" });
      expect(await stage.append(turnOf(run))).toBe(true);
    });

    test("a stale owner's transaction is refused", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      await stage.store.rescueRuns(workerId, 10);
      const { committed } = await stage.store.appendInTransaction(async () => turnOf(stale));
      expect(committed).toBe(false);
      expect(await stage.store.findRun({ runId: stale.runId })).toMatchObject({ events: 1 });
    });

    test("an owner who loses the run while the work is under way is refused", async () => {
      const workerId = randomUUID();
      const stale = await stage.owned({}, workerId);
      const { committed } = await stage.store.appendInTransaction(async () => {
        await stage.store.rescueRuns(workerId, 10);
        await stage.claimOne(stale.queue);
        return turnOf(stale);
      });
      expect(committed).toBe(false);
      expect(await stage.store.findRun({ runId: stale.runId })).toMatchObject({ events: 1 });
    });

    test("appends do not wait for open transactions, however many, nor does the end of one wait for others", async () => {
      const runs = await Promise.all(Array.from({ length: 12 }, () => stage.owned()));
      const open = new AbortController();
      const opened = new Promise<void>((resolve) => open.signal.addEventListener("abort", () => resolve()));
      let begun = 0;
      const transactions = runs.map((run) =>
        stage.store.appendInTransaction(async () => {
          begun++;
          await opened;
          // As a run does for which a signal came while its transaction was open.
          await stage.commit(turnOf(run, { takenMail: 0 }, stepCompleted(1)));
          return turnOf({ ...run, events: 2 }, {}, stepCompleted(2));
        }),
      );
      await stage.becomes("transactions are open", async () => begun >= (stage.opened.transactionsAtOnce ?? 4));
      open.abort();
      for (const { committed } of await Promise.all(transactions)) expect(committed).toBe(true);
    });

    test("queries take part in the transaction, or are refused with TRANSACTION_UNSUPPORTED", async () => {
      if (stage.opened.transactions === "unsupported") await expectUnsupported(stage);
      else await expectShared(stage);
    });
  });
}

async function expectUnsupported(stage: Stage): Promise<void> {
  const run = await stage.owned();
  const work = async (tx: Transaction) => {
    await tx.query("select 1");
    return turnOf(run);
  };
  const refusal = await stage.store.appendInTransaction(work).catch((error: unknown) => error);
  expect(refusal).toBeInstanceOf(EverstepError);
  expect(refusal).toMatchObject({ code: "TRANSACTION_UNSUPPORTED" });
  expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 1 });
}

async function expectShared(stage: Stage): Promise<void> {
  const table = `ledger_${startRequest().runId.toLowerCase()}`;
  const workerId = randomUUID();
  const run = await stage.owned({}, workerId);
  const note = (tx: Transaction, entry: string) => tx.query(`insert into ${table} values ($1)`, [entry]);

  const first = await stage.store.appendInTransaction(async (tx) => {
    await tx.query(`create table ${table} (entry text not null)`);
    expect((await note(tx, "kept")).rowCount).toBe(1);
    return turnOf(run);
  });
  expect(first.committed).toBe(true);

  const thrown = new RangeError("insufficient funds");
  const failing = stage.store.appendInTransaction(async (tx) => {
    await note(tx, "lost: the work threw");
    throw thrown;
  });
  await expect(failing).rejects.toBe(thrown);

  await stage.store.rescueRuns(workerId, 10);
  const stale = await stage.store.appendInTransaction(async (tx) => {
    await note(tx, "lost: the owner was stale");
    return turnOf(run, { base: 2 });
  });
  expect(stale.committed).toBe(false);

  const reader = await stage.claimOne(run.queue);
  await stage.store.appendInTransaction(async (tx) => {
    expect((await tx.query(`select entry from ${table}`)).rows).toEqual([{ entry: "kept" }]);
    await tx.query(`drop table ${table}`);
    return turnOf(reader);
  });
  expect(await stage.store.findRun({ runId: run.runId })).toMatchObject({ events: 3 });
}
