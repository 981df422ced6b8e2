// A contract is mailed with a link; whoever opens the link signs. The step that mails it ends when they do, or when three days
// have passed: then it mails again, with another link.

import { defineStep, StepFailure, step, workflow } from "everstep";
import { sendMail } from "./mail.ts";

export interface Contract {
  readonly title: string;
  readonly signer: string;
  /** Mails until it is given up. Default 2. */
  readonly mails?: number;
}

export interface Signature {
  readonly by: string;
}

export const askToSign = defineStep<Contract, Signature>(
  "ask to sign",
  async ({ title, signer }, { token, attempt, idempotencyKey, completeLater }) => {
    const path = `/sign?token=${token}`;
    await sendMail({ to: signer, subject: attempt === 1 ? title : `Reminder: ${title}`, path }, idempotencyKey);
    return completeLater();
  },
);

export const signOff = workflow("sign-off", async (contract: Contract) => {
  try {
    const { by } = await askToSign(contract, { timeout: "3 days", retry: { maxAttempts: contract.mails ?? 2 } });
    const filed = await step("file", () => `${contract.title}, signed by ${by}`);
    return { outcome: "signed" as const, filed };
  } catch (error) {
    if (!(error instanceof StepFailure)) throw error;
    return { outcome: "not signed" as const, why: (error.cause as Error).message };
  }
});
