// The writes of a transaction step and its event are one: both or neither, once, whatever dies in between.

import { expect, test } from "vitest";
import type { RunHandle } from "../../sdk/client/run-handle.ts";
import { startCommitCutter } from "../support/commit-cutter.ts";
import { createDatabase } from "../support/databases.ts";
import { eventually } from "../support/eventually.ts";
import { type Stage, setStage } from "../support/stage.ts";
import { clumsy, type Transfer, transfer } from "./workers/bank.ts";

const DONE = { code: 0, signal: null };
const ACCOUNTS = 5;
const BALANCE = 1_000;

async function openBank({ ask }: Stage): Promise<void> {
  await ask("create table account (id int primary key, balance int not null)");
  await ask("create table entry (transfer text, account int, amount int)");
  await ask(`insert into account select id, ${BALANCE} from generate_series(0, ${ACCOUNTS - 1}) id`);
}

const someTransfers = (count: number): Transfer[] =>
  Array.from({ length: count }, (_, index) => ({
    from: index % ACCOUNTS,
    to: (index * 3 + 1) % ACCOUNTS,
    amount: 1 + (index % 7),
  }));

/** Every transfer took and gave once, and the balances say the same. */
async function expectBooked({ ask }: Stage, transfers: readonly Transfer[], ids: readonly string[]): Promise<void> {
  const entries = await ask<{ transfer: string; account: number; amount: number }>("select * from entry");
  const booked = entries.map(({ transfer: id, account, amount }) => `${id} ${account} ${amount}`).sort();
  const due = transfers.flatMap(({ from, to, amount }, index) => [
    `${ids[index]} ${from} ${-amount}`,
    `${ids[index]} ${to} ${amount}`,
  ]);
  expect(booked).toEqual(due.sort());
  const balances = await ask<{ balance: number }>("select balance from account order by id");
  expect(balances.map(({ balance }) => balance)).toEqual(
    balances.map((_, id) => entries.reduce((sum, entry) => sum + (entry.account === id ? entry.amount : 0), BALANCE)),
  );
}

test("workers killed at random moments: a hundred transfers are booked once each, and the balances add up", async () => {
  const stage = await setStage();
  await openBank(stage);
  const transfers = someTransfers(100);
  const runs: RunHandle<number>[] = [];
  // Each worker finds some that are new, however long it took to come up.
  const startSome = async () => {
    const next = transfers.slice(runs.length, runs.length + 20);
    const starts = next.map((input, index) => ({ input, delay: index * 40 }));
    runs.push(...(await stage.client.startMany(transfer, starts)));
  };
  const settings = { leaseTtlMs: 600 };
  for (let round = 1; round <= 4; round++) {
    const before = stage.witness.all().length;
    const worker = await stage.worker("bank.ts", settings);
    await startSome();
    await eventually("transfers are under way", () => stage.witness.all().length > before);
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 500));
    await worker.kill();
  }
  await startSome();
  const last = await stage.worker("bank.ts", settings);
  const results = await Promise.all(runs.map((run) => run.result()));
  expect(results).toEqual(transfers.map(({ amount }) => amount));
  await expectBooked(
    stage,
    transfers,
    runs.map(({ workflowId }) => workflowId),
  );
  expect(await last.stop()).toEqual(DONE);
});

test("answers to commits are lost: every transfer is booked once all the same", async () => {
  const { url } = await createDatabase();
  const cutter = await startCommitCutter(url);
  const stage = await setStage({ databaseUrl: url });
  await openBank(stage);
  const worker = await stage.worker("bank.ts", { database: cutter.url });
  cutter.arm(10);
  const transfers = someTransfers(20);
  const runs = await stage.client.startMany(
    transfer,
    transfers.map((input) => ({ input })),
  );
  expect(await Promise.all(runs.map((run) => run.result()))).toEqual(transfers.map(({ amount }) => amount));
  expect(cutter.cuts()).toBe(10);
  await expectBooked(
    stage,
    transfers,
    runs.map(({ workflowId }) => workflowId),
  );
  // What was committed unheard was not even tried again.
  expect(stage.witness.all()).toHaveLength(40);
  expect(await worker.stop()).toEqual(DONE);
});

test("a failed statement, an error and a result that cannot be stored take their writes back", async () => {
  const stage = await setStage();
  await openBank(stage);
  const worker = await stage.worker("bank.ts");
  const run = await stage.client.start(clumsy);
  await expect(run.result()).rejects.toMatchObject({
    code: "RUN_FAILED",
    cause: { kind: "step", step: "write", attempts: 3, cause: { message: expect.stringContaining("function") } },
  });
  expect(stage.witness.all("write").map(({ value }) => value)).toEqual([1, 2, 3]);
  expect(await stage.ask("select * from entry")).toEqual([]);
  expect(await worker.stop()).toEqual(DONE);
});
