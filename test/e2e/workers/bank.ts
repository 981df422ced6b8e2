// Money that moves in transaction steps: two per transfer, so that a worker can die between them.

import { step, transaction, workflow } from "everstep";
import { testify } from "../../support/witness.ts";

export interface Transfer {
  readonly from: number;
  readonly to: number;
  readonly amount: number;
}

export const transfer = workflow("transfer", async ({ from, to, amount }: Transfer) => {
  await transaction("debit", async (tx, { workflowId }) => {
    testify("debit", workflowId);
    await tx.query("insert into entry (transfer, account, amount) values ($1, $2, $3)", [workflowId, from, -amount]);
    const { rows } = await tx.query<{ balance: number }>(
      "update account set balance = balance - $2 where id = $1 returning balance",
      [from, amount],
    );
    return rows[0]?.balance;
  });
  await step("between", () => undefined);
  await transaction("credit", async (tx, { workflowId }) => {
    testify("credit", workflowId);
    await tx.query("insert into entry (transfer, account, amount) values ($1, $2, $3)", [workflowId, to, amount]);
    await tx.query("update account set balance = balance + $2 where id = $1", [to, amount]);
  });
  return amount;
});

/** Fails with its writes made: the first attempt by a statement of its own, the second by throwing. */
export const clumsy = workflow("clumsy", async () =>
  transaction(
    "write",
    async (tx, { workflowId, attempt }) => {
      testify("write", workflowId, attempt);
      await tx.query("insert into entry (transfer, account, amount) values ($1, 1, 0)", [workflowId]);
      if (attempt === 1) await tx.query("insert into nowhere values (1)");
      if (attempt === 2) throw new Error("on second thoughts");
      if (attempt === 3) return () => "cannot be stored";
      return attempt;
    },
    { retry: { initialInterval: 10 } },
  ),
);
