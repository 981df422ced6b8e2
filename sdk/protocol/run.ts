// What a run is, seen from outside its history.

import type { AttributeValue } from "./attributes.ts";

export const OPEN_STATUSES = ["running", "blocked"] as const;
export const CLOSED_STATUSES = ["completed", "failed", "canceled", "terminated", "timedOut", "continuedAsNew"] as const;

export type OpenStatus = (typeof OPEN_STATUSES)[number];
export type ClosedStatus = (typeof CLOSED_STATUSES)[number];
export type RunStatus = OpenStatus | ClosedStatus;

/** The number each status is stored under. Never change or reuse one. */
export const STATUS_CODES = {
  running: 1,
  blocked: 2,
  completed: 10,
  failed: 11,
  canceled: 12,
  terminated: 13,
  timedOut: 14,
  continuedAsNew: 15,
} as const satisfies Record<RunStatus, number>;

export function isClosed(status: RunStatus): status is ClosedStatus {
  return STATUS_CODES[status] >= STATUS_CODES.completed;
}

/** Why a run cannot go on, untouched until fitting code arrives or a person acts. */
export type BlockedKind = "divergence" | "unknownWorkflow" | "unreadablePayload" | "quarantine" | "foreignWait";

export interface BlockedReason {
  readonly kind: BlockedKind;
  readonly message: string;
}

/** Somebody has told the run to stand still: nothing of it is executed until it is resumed. */
export interface Pause {
  readonly reason: string;
  /** When, in ms since the epoch by the database's clock. */
  readonly at: number;
  /** Who, as they call themselves; absent where the call did not say. */
  readonly actor?: string;
}

/** The run that a fork shares its first events with. */
export interface ForkedFrom {
  readonly runId: string;
  /** The number of the last event that is shared. */
  readonly event: number;
}

/** One row of a list, and the head of `describe`. Times are ms since the epoch by the database's clock. */
export interface RunSummary {
  readonly runId: string;
  readonly workflowId: string;
  readonly workflow: string;
  readonly queue: string;
  /** Whose code executes it; null for a workflow without versions. */
  readonly version: string | null;
  readonly status: RunStatus;
  readonly startedAt: number;
  readonly closedAt: number | null;
  /** 1, and one more each time that the run was tried again as a whole: each attempt is a run of its own. */
  readonly attempt: number;
  /** When the run will be closed as `timedOut`; null for none. */
  readonly deadlineAt: number | null;
  /** Beside the status; null when the run is not paused. */
  readonly paused: Pause | null;
  /** Null for a run that was started. */
  readonly forkedFrom: ForkedFrom | null;
  /** What it can be found by. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly memo: Readonly<Record<string, unknown>>;
  /** What its starter said of it, in a line: `start({ summary })`; null for nothing. */
  readonly staticSummary: string | null;
}

/** A mark that `patched` or `deprecatePatch` left in a run's history. */
export interface RunPatch {
  readonly id: string;
  /** By `deprecatePatch`: the run replays without the call as well. */
  readonly isDeprecated: boolean;
}

export interface PatchedRun extends RunSummary {
  /** In the order of marking; none where the run has not come to any, or went the old way. */
  readonly patches: readonly RunPatch[];
}

export const DEFAULT_QUEUE = "default";
