// The two statements of the transfer on two accounts in memory. On the real database: test/e2e of your own, with
// `embedded()`.

import "everstep/testing/vitest";
import { crashEverywhere, type MemoryTransaction, testEnvironment } from "everstep/testing";
import { expect, test } from "vitest";
import { transfer } from "./workflow.ts";

function openBank() {
  let accounts = new Map([
    ["ann", 100],
    ["bob", 0],
  ]);
  return {
    balances: () => Object.fromEntries(accounts),
    transaction(): MemoryTransaction {
      const changed = new Map(accounts);
      return {
        async query(text, values = []) {
          const [name, amount] = values as [string, number];
          const balance = (changed.get(name) ?? 0) + (text.includes("balance - $2") ? -amount : amount);
          if (balance < 0) return { rows: [], rowCount: 0 };
          changed.set(name, balance);
          return { rows: [{ balance }], rowCount: 1 };
        },
        commit: () => {
          accounts = changed;
        },
        rollback: () => {},
      };
    },
  };
}

test("money moves once, or not at all", async () => {
  const bank = openBank();
  const env = await testEnvironment({ workflows: [transfer], transaction: bank.transaction });
  try {
    const run = await env.client.start(transfer, { input: { from: "ann", to: "bob", amount: 30 } });
    await expect(run).toHaveCompleted({ from: "ann", balance: 70 });
    expect(bank.balances()).toEqual({ ann: 70, bob: 30 });

    const tooMuch = await env.client.start(transfer, { input: { from: "bob", to: "ann", amount: 31 } });
    await expect(tooMuch.result()).rejects.toThrow("bob has not got 31");
    expect(bank.balances()).toEqual({ ann: 70, bob: 30 });
  } finally {
    await env.stop();
  }
});

test("it does so wherever the worker dies", async () => {
  let bank = openBank();
  const { crashes, places } = await crashEverywhere(transfer, {
    input: { from: "ann", to: "bob", amount: 30 },
    transaction: () => bank.transaction(),
    prepare: () => {
      bank = openBank();
    },
  });
  expect(crashes).toBe(places);
  expect(bank.balances()).toEqual({ ann: 70, bob: 30 });
});
