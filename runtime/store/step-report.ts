// What is said of a step from outside, as it travels through the mailbox: mail of kind "stepReport", named after the step.

import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import type { StepOutcome } from "../../sdk/protocol/step-outcome.ts";
import type { ActedBy } from "./acted-by.ts";

/** Which attempt is meant, and the hash of the secret in its token: only who was given the token, or reads the history, has it. */
interface OfAttempt {
  readonly command: number;
  readonly attempt: number;
  readonly verifier: string;
}

export type StepReport = OfAttempt & StepOutcome & ActedBy;

export function encodeReport(report: StepReport): Payload {
  return JSON.stringify(report);
}

/** It was written by `encodeReport`. Throws PAYLOAD_UNREADABLE when a codec could not read it back. */
export function decodeReport(payload: Payload): StepReport {
  return decodePayload(payload, "a report on a step, from outside") as StepReport;
}

const REPORT = "step:";

/** The sender's id, apart for each attempt. */
export function reportMailId({ command, attempt }: Pick<OfAttempt, "command" | "attempt">, reportId: string): string {
  return `${REPORT}${command}.${attempt}:${reportId}`;
}

/** The sender's id of a report in the mailbox. */
export function reportIdOf(mailId: string): string {
  return mailId.startsWith(REPORT) ? mailId.slice(mailId.indexOf(":", REPORT.length) + 1) : mailId;
}
