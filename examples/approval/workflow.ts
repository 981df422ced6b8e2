// Waiting for a person, but not for ever. The timeout is a timer in the database: it fires on time after a week as well as
// after a second, whatever was restarted in between, and which of the two came first is decided once.

import { type Duration, defineSignal, step, workflow } from "everstep";

export interface Expense {
  readonly by: string;
  readonly amount: number;
  /** How long an approver has. */
  readonly patience?: Duration;
}

export const decide = defineSignal<{ approver: string; isApproved: boolean }>("decide");

export const expense = workflow("expense", async ({ by, amount, patience = "7 days" }: Expense) => {
  await step("ask for approval", ({ log }) => log.info("mail to the approvers", { by, amount }));

  const decision = await decide.receive({ timeout: patience });
  if (decision === undefined) return { outcome: "expired" as const, reason: `nobody decided within ${patience}` };

  const { approver, isApproved } = decision;
  if (!isApproved) return { outcome: "refused" as const, approver };
  const payment = await step("pay", () => `${amount} to ${by}`);
  return { outcome: "paid" as const, approver, payment };
});
