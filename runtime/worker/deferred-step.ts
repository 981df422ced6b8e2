// An attempt whose body has handed off: until when it may wait, and what becomes of it by what is said from outside. Nothing
// of it is in this process but what history tells.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { StepAttemptFailed, StepCompleted, StepFailed, StepReported } from "../../sdk/protocol/event.ts";
import { fromFailure, TimeoutFailure } from "../../sdk/protocol/failures.ts";
import type { Payload } from "../../sdk/protocol/payload.ts";
import { summaryOf } from "../../sdk/workflow/run-context.ts";
import type { Deferral, PendingCommand, PendingStep } from "../replay/pending.ts";
import { isSameVerifier } from "../service/step-token.ts";
import type { StepReport } from "../store/step-report.ts";
import type { Chance } from "../world/world.ts";
import { attemptFailed } from "./failed-attempt.ts";

/** What came from outside, at its place in the mailbox. */
export interface ReportMail {
  readonly mail: number;
  readonly reportId: string;
  /** The step's name. */
  readonly name: string;
  /** Stored form. */
  readonly report: Payload;
}

export type DeferredEvent = StepCompleted | StepFailed | StepAttemptFailed | StepReported;

interface Now {
  /** By the store's clock. */
  readonly now: number;
  readonly chance: Chance;
}

/** The first of its limits that will pass, by the store's clock; null for none. */
export function limitOf({ ask, deferral, lastFailure }: PendingStep): { atMs: number; failure: () => Error } | null {
  if (deferral === null) return null;
  const { name, timeoutMs, totalTimeoutMs, heartbeatTimeoutMs } = ask;
  const { startedAt, firstAttemptAt, aliveAt } = deferral;
  const limits = [
    limit(startedAt, timeoutMs, (ms) => {
      return new TimeoutFailure("attempt", `step "${name}" was not completed within its timeout of ${ms} ms`);
    }),
    limit(firstAttemptAt, totalTimeoutMs, (ms) => {
      const message = `step "${name}" took longer than its totalTimeout of ${ms} ms over all attempts`;
      return new TimeoutFailure("total", message, lastFailure === null ? {} : { cause: fromFailure(lastFailure) });
    }),
    limit(aliveAt, heartbeatTimeoutMs, (ms) => {
      return new TimeoutFailure("heartbeat", `step "${name}" got no heartbeat from outside for ${ms} ms`);
    }),
  ].filter((each) => each !== null);
  return limits.sort((left, right) => left.atMs - right.atMs)[0] ?? null;
}

function limit(from: number, ms: number | null, failure: (ms: number) => Error) {
  return ms === null ? null : { atMs: from + ms, failure: () => failure(ms) };
}

/** The attempt has waited too long. */
export function timedOut(pending: PendingStep, error: Error, { now, chance }: Now): StepFailed | StepAttemptFailed {
  const { deferral, heartbeat } = pending;
  invariant(deferral !== null, "only an attempt that waits can wait too long", { command: pending.command });
  const { attempt, firstAttemptAt } = deferral;
  return attemptFailed({ pending, attempt, error, isFinal: false, now, firstAttemptAt, heartbeat, chance });
}

/**
 * What history says of the report: how it ends the attempt that waits, that the attempt is alive, or that it was none of
 * this attempt's. `pending`: the command it names, if the code still waits for it.
 */
export function heard(
  { mail, reportId, name }: ReportMail,
  report: StepReport,
  pending: PendingCommand | undefined,
  { now, chance }: Now,
): DeferredEvent {
  const { command, attempt, outcome } = report;
  const by = report.actor === undefined ? {} : { actor: report.actor };
  const place = { command, name, attempt, mail, reportId, ...by };
  const step = pending?.kind === "RunStep" && isFor(report, pending.deferral) ? pending : undefined;
  if (step === undefined) return { type: "StepReported", ...place, report: "ignored", details: null };
  switch (outcome) {
    case "heartbeat":
      return { type: "StepReported", ...place, report: "heartbeat", details: report.value };
    case "completed":
      return {
        type: "StepCompleted",
        ...place,
        result: report.value,
        inputHash: step.ask.inputHash,
        ...summaryOf(step.ask),
      };
    case "failed": {
      const { firstAttemptAt } = step.deferral as Deferral;
      const { heartbeat } = step;
      const error = fromFailure(report.failure);
      const event = attemptFailed({
        pending: step,
        attempt,
        error,
        isFinal: false,
        now,
        firstAttemptAt,
        heartbeat,
        chance,
      });
      return { ...event, failure: report.failure, mail, reportId, ...by };
    }
  }
}

function isFor({ attempt, verifier }: StepReport, deferral: Deferral | null): boolean {
  return deferral !== null && deferral.attempt === attempt && isSameVerifier(deferral.verifier, verifier);
}
