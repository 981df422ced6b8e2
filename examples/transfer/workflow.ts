// Money between two accounts in Everstep's own database. A `transaction` step commits its writes together with the record
// that it is done: there is no moment in which one is there and the other is not, so it happens exactly once.

import { PermanentError, transaction, workflow } from "everstep";

export interface Transfer {
  readonly from: string;
  readonly to: string;
  readonly amount: number;
}

export const transfer = workflow("transfer", async ({ from, to, amount }: Transfer) => {
  const balance = await transaction("move the money", async (tx) => {
    const debit = await tx.query<{ balance: number }>(
      "update accounts set balance = balance - $2 where name = $1 and balance >= $2 returning balance",
      [from, amount],
    );
    const [account] = debit.rows;
    if (account === undefined) throw new PermanentError(`${from} has not got ${amount}`, { type: "NotEnoughMoney" });

    if (process.env.CRASH_AFTER_DEBIT) process.kill(process.pid, "SIGKILL"); // the worst moment there is

    await tx.query("update accounts set balance = balance + $2 where name = $1", [to, amount]);
    return account.balance;
  });
  return { from, balance };
});
