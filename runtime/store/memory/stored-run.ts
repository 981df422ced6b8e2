// One run as this store keeps it. The head is all of it that changes hands: who may write, how far the mailbox is read,
// when the run is due. It is replaced, never edited, and gone once the run is closed.

import { invariant } from "../../../sdk/protocol/errors.ts";
import type { StoredEvent } from "../../../sdk/protocol/event-record.ts";
import type { Payload } from "../../../sdk/protocol/payload.ts";
import type { BlockedReason, ClosedStatus, ForkedFrom, Pause, RunStatus } from "../../../sdk/protocol/run.ts";
import type { UpdateRefusal } from "../../../sdk/protocol/update-refusal.ts";
import { type Claim, type ClaimedRun, MOST_EVENTS_BROUGHT, type ParkedTimer } from "../claims.ts";
import type { MailItem } from "../mail.ts";
import { type DataKind, type DataRow, keptDataOf } from "../run-data.ts";
import type { StoredSummary } from "../runs.ts";

export interface Head {
  readonly epoch: number;
  /** Null exactly while nobody owns the run. */
  readonly claimId: string | null;
  readonly ownerId: string | null;
  readonly takenMail: number;
  /** Null while the run is owned or blocked, or only mail wakes it. */
  readonly wakeAt: number | null;
  /** The timer that a parked run waits for first, if it is one, and the place where it fires; there until something comes of it. */
  readonly timer: (ParkedTimer & { readonly at: number; readonly seq: number }) | null;
  readonly crashCount: number;
  readonly blocked: BlockedReason | null;
  /** How many locks a fork has to have again. Nothing wakes it before. */
  readonly awaitedLocks: number;
  /** Nobody claims the run while it is paused, whenever it is due. */
  readonly paused: Pause | null;
}

export interface KeptHeartbeat {
  readonly attempt: number;
  readonly details: Payload;
}

export interface StoredRun {
  /** Place in the order of starting. */
  ordinal: number;
  readonly runId: string;
  /** The first run of its chain. */
  readonly firstRunId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  readonly attempt: number;
  /** Null: none. It changes with the lane in which the run waits. */
  version: string | null;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
  readonly timeoutMs: number | null;
  readonly forkedFrom: ForkedFrom | null;
  readonly history: StoredEvent[];
  /** The tag each event was written under, in the order of the history. */
  readonly tags: string[];
  /**
   * Item n is at n - 1, while the run is open. Kept after the close: a repeated item must still be known as one. Null: an
   * update that was refused before the run came here from elsewhere.
   */
  readonly mailbox: (MailItem | null)[];
  /** Shared by all runs of a chain. */
  readonly mailIds: Set<string>;
  /** Why updates were not taken, by their place in the mailbox. */
  readonly refusals: Map<number, UpdateRefusal>;
  readonly heartbeats: Map<number, KeptHeartbeat>;
  /** Attributes, memo and summary, by kind and name: what the history makes of them. */
  readonly data: Map<`${DataKind} ${string}`, readonly DataRow[]>;
  head: Head | null;
  closed: { readonly status: ClosedStatus; readonly at: number } | null;
}

/** It tries another run again, and has not begun. */
export function isToBeRetried({ attempt, head }: StoredRun): boolean {
  return attempt > 1 && head?.epoch === 0;
}

export function headOf(run: StoredRun): Head {
  invariant(run.head !== null, "an open run has a head", { runId: run.runId });
  return run.head;
}

export function statusOf(run: StoredRun): RunStatus {
  if (run.closed !== null) return run.closed.status;
  return headOf(run).blocked === null ? "running" : "blocked";
}

export function isOwnedBy(run: StoredRun | undefined, claim: Claim): run is StoredRun & { head: Head } {
  const head = run?.head;
  return head != null && head.claimId === claim.claimId && head.epoch === claim.epoch;
}

export function summaryOf(run: StoredRun): StoredSummary {
  return {
    runId: run.runId,
    workflowId: run.workflowId,
    workflow: run.workflow,
    queue: run.queue,
    version: run.version,
    status: statusOf(run),
    startedAt: run.startedAt,
    closedAt: run.closed?.at ?? null,
    attempt: run.attempt,
    deadlineAt: run.deadlineAt,
    paused: run.head?.paused ?? null,
    forkedFrom: run.forkedFrom,
    data: dataOf(run),
  };
}

function dataOf(run: StoredRun): StoredSummary["data"] {
  const rows = [...run.data].flatMap(([key, kept]) => {
    const space = key.indexOf(" ");
    return kept.map((row) => ({ kind: Number(key.slice(0, space)), name: key.slice(space + 1), ...row }));
  });
  return keptDataOf(rows);
}

export function claimOf(run: StoredRun): Claim {
  const { epoch, claimId } = headOf(run);
  invariant(claimId !== null, "an owned run has a claim id", { runId: run.runId });
  return { runId: run.runId, epoch, claimId };
}

export function claimedRunOf(run: StoredRun, hasFired: boolean): ClaimedRun {
  const { takenMail, crashCount } = headOf(run);
  return {
    ...claimOf(run),
    workflowId: run.workflowId,
    workflow: run.workflow,
    queue: run.queue,
    version: run.version,
    startedAt: run.startedAt,
    deadlineAt: run.deadlineAt,
    events: run.history.length,
    takenMail,
    newestMail: run.mailbox.length,
    crashCount,
    history: run.heartbeats.size === 0 && run.history.length <= MOST_EVENTS_BROUGHT ? [...run.history] : null,
    hasFired,
  };
}
