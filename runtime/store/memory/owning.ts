// How runs change hands: claimed, parked, released, blocked, rescued. The epoch rises here and nowhere else, and
// whoever lets a run go takes the claim away in the same stroke, so that an old claim never fits again.

import { toRecord } from "../../../sdk/protocol/event-record.ts";
import type { BlockedReason } from "../../../sdk/protocol/run.ts";
import {
  type Claim,
  type ClaimAnswer,
  type ClaimedRun,
  type ClaimRequest,
  type ParkOutcome,
  type ParkRequest,
  QUARANTINE_AFTER_CRASHES,
} from "../claims.ts";
import type { RunTable } from "./run-table.ts";
import { claimedRunOf, headOf, isOwnedBy, type StoredRun } from "./stored-run.ts";

const NOBODY = { ownerId: null, claimId: null } as const;

export function claimRuns(table: RunTable, request: ClaimRequest, now: number): ClaimAnswer {
  const kind = request.suspects === "only" ? "suspect" : "sound";
  const claimed: ClaimedRun[] = [];
  const quarantined: string[] = [];
  for (let taken = 0; taken < request.limit; taken += 1) {
    const run = table.nextDue(request.queues, kind);
    if (run === undefined || dueInMs(run, now) > 0) break;
    if (headOf(run).crashCount >= QUARANTINE_AFTER_CRASHES) {
      table.change(run, { wakeAt: null, blocked: quarantineOf(headOf(run).crashCount) });
      quarantined.push(run.runId);
    } else {
      claimed.push(claimRun(table, run, request.workerId, request.claimId, now));
    }
  }
  const next = table.nextDue(request.queues, kind);
  const nextDueInMs = next === undefined ? null : dueInMs(next, now);
  const suspect = table.nextDue(request.queues, "suspect");
  const hasDueSuspects = kind === "sound" && suspect !== undefined && dueInMs(suspect, now) === 0;
  return { claimed, quarantined, nextDueInMs, hasDueSuspects, now };
}

export function claimBlocked(
  table: RunTable,
  workerId: string,
  claimId: string,
  runIds: readonly string[],
): ClaimedRun[] {
  return runIds.flatMap((runId) => {
    const run = table.get(runId);
    return run?.head?.blocked == null || run.head.paused !== null
      ? []
      : [{ ...claimRun(table, run, workerId, claimId, null), history: null }];
  });
}

export function parkRun(table: RunTable, request: ParkRequest): ParkOutcome {
  const run = table.get(request.claim.runId);
  if (!isOwnedBy(run, request.claim)) return "lost";
  // The owner and the store disagree about the history: nothing the owner has worked out from its own still counts.
  if (run.history.length !== request.events || run.head.takenMail !== request.takenMail) return "lost";
  if (run.mailbox.length > request.takenMail) return "mail";
  const { wakeAt } = request;
  const timer =
    request.timer === null || wakeAt === null ? null : { ...request.timer, at: wakeAt, seq: request.events + 1 };
  table.change(run, { ...NOBODY, wakeAt, timer, crashCount: 0 });
  return "parked";
}

export function releaseRun(table: RunTable, claim: Claim, now: number): void {
  const run = table.get(claim.runId);
  if (isOwnedBy(run, claim)) table.change(run, { ...NOBODY, wakeAt: now, crashCount: 0 });
}

export function blockRun(table: RunTable, claim: Claim, { kind, message }: BlockedReason): void {
  const run = table.get(claim.runId);
  if (!isOwnedBy(run, claim)) return;
  table.change(run, { ...NOBODY, blocked: Object.freeze({ kind, message }), crashCount: 0 });
}

/** The count of claims without progress stays: the worker may have died of this very run. */
export function rescueRun(table: RunTable, run: StoredRun, now: number): void {
  table.change(run, { ...NOBODY, wakeAt: now });
}

/** `firesAt`: a timer that is due by then, and that no mail came before, has fired. Null: none does. */
function claimRun(
  table: RunTable,
  run: StoredRun,
  ownerId: string,
  claimId: string,
  firesAt: number | null,
): ClaimedRun {
  const { epoch, crashCount, timer, takenMail } = headOf(run);
  const isNext = timer?.seq === run.history.length + 1 && run.mailbox.length <= takenMail;
  if (isNext && firesAt !== null && timer.at <= firesAt) {
    const { command, name } = timer;
    table.append(run, [toRecord({ type: "TimerFired", command, name })], claimId, firesAt);
  }
  const hasFired = timer?.seq === run.history.length;
  table.change(run, {
    epoch: epoch + 1,
    claimId,
    ownerId,
    wakeAt: null,
    timer: hasFired ? timer : null,
    blocked: null,
    crashCount: crashCount + 1,
  });
  return claimedRunOf(run, hasFired);
}

function dueInMs(run: StoredRun, now: number): number {
  return Math.max(0, (headOf(run).wakeAt ?? now) - now);
}

function quarantineOf(crashCount: number): BlockedReason {
  return Object.freeze({
    kind: "quarantine",
    message: `${crashCount} workers claimed this run and none of them got it any further. Find out what ends them first.`,
  });
}
