// What becomes of mail on which the run has to decide, by the state that the run is in now.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { BlockedReason } from "../../sdk/protocol/run.ts";
import type { RunEngine } from "../replay/engine.ts";
import { decodeReport, type StepReport } from "../store/step-report.ts";
import { blockedReasonOf } from "./blocked-reason.ts";
import { heard, type ReportMail } from "./deferred-step.ts";
import type { Decision, UndecidedUpdate } from "./outbox.ts";
import type { RunHost } from "./run-host.ts";

export function judgeUpdate(update: UndecidedUpdate, engine: RunEngine): Decision {
  const refusal = engine.judgeUpdate(update);
  if (refusal !== null) return { refusal };
  const { updateId, name, mail, input } = update;
  return { events: [{ type: "UpdateAccepted", name, updateId, mail, input }] };
}

/** `blocked`: it cannot be read, and the run waits until it can. */
export function judgeReport(
  mail: ReportMail,
  engine: RunEngine,
  host: RunHost,
): Decision | { readonly blocked: BlockedReason } {
  let report: StepReport;
  try {
    report = decodeReport(mail.report);
  } catch (error) {
    if (!isEverstepError(error)) throw error;
    return { blocked: blockedReasonOf(error) };
  }
  const now = { now: host.storeNow(), chance: host.chance };
  return { events: [heard(mail, report, engine.pendingCommand(report.command), now)] };
}
