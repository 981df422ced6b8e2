// Which runs are asked for, and what is told about them.

import type { AttributeCondition } from "../../sdk/protocol/attribute-filter.ts";
import type { StoredAttribute } from "../../sdk/protocol/attributes.ts";
import type { BlockedReason, RunStatus, RunSummary } from "../../sdk/protocol/run.ts";
import type { KeptData } from "./run-data.ts";

/** One step by its command's number, or all of a name. */
export type StepRef = { readonly command: number } | { readonly name: string };

/** As lists tell of it; attributes, memo and summary in stored form. */
export interface StoredSummary extends Omit<RunSummary, "attributes" | "memo" | "staticSummary"> {
  readonly data: KeptData;
}

export interface RunDetail extends StoredSummary {
  readonly events: number;
  readonly epoch: number | null;
  readonly ownerId: string | null;
  /** When the run is or was claimable; null when only mail wakes it, or it is owned or closed. */
  readonly wakeAt: number | null;
  /** How many locks a fork has to have again before anybody may claim it. */
  readonly awaitedLocks: number;
  readonly blocked: BlockedReason | null;
  readonly crashCount: number;
  readonly unreadMail: number;
  readonly now: number;
}

/** All that is given must hold. */
export interface NumberRange {
  readonly gt?: number;
  readonly gte?: number;
  readonly lt?: number;
  readonly lte?: number;
}

/** Ms by the store's clock. */
export type TimeRange = NumberRange;

/** Which runs are meant: all that is given must hold. */
export interface RunFilter {
  readonly workflow?: string;
  readonly workflowId?: string;
  readonly workflowIdPrefix?: string;
  readonly queue?: string;
  /** Null: runs without one. */
  readonly version?: string | null;
  readonly attempt?: NumberRange;
  readonly status?: readonly RunStatus[];
  readonly isPaused?: boolean;
  readonly startedAt?: TimeRange;
  /** Open runs have none, so they are out of every range. */
  readonly closedAt?: TimeRange;
  readonly attributes?: readonly AttributeCondition[];
}

/** A value's place in the order of values, and the run's among those that share it. Of a time, `text` is empty. */
export interface AttributePosition {
  readonly number: number;
  readonly text: string;
  readonly runId: string;
}

export interface ListRequest extends RunFilter {
  /** 1 to 200. */
  readonly limit: number;
  /** Keyset: runs started before this one; with `isOldestFirst`, after it. */
  readonly before?: string;
  readonly isOldestFirst?: boolean;
  /** Instead of the order of starting: by the attribute, of a list by its first. Runs without it are left out. */
  readonly byAttribute?: {
    readonly name: string;
    readonly isDescending: boolean;
    readonly after: AttributePosition | null;
  };
  /** Instead of both: by the time of closing. Open runs are left out. Each page looks at all closed runs of the filter. */
  readonly byClosing?: { readonly isDescending: boolean; readonly after: AttributePosition | null };
}

export type CountBy = "status" | "workflow" | "version" | "queue" | { readonly attribute: string };

export interface CountRequest extends RunFilter {
  /** Null: one group of all. */
  readonly by: CountBy | null;
  /** Groups, the largest first. */
  readonly limit: number;
}

export interface RunCount {
  /**
   * A list counts once per keyword. Null: the runs without the attribute or the version, or all of them when nothing is grouped
   * by.
   */
  readonly value: StoredAttribute | null;
  readonly count: number;
}

export interface BlockedRequest {
  /** Those without a version. */
  readonly workflows: readonly string[];
  /** Lanes, as in a claim: those of versions are for one workflow as it is. */
  readonly queues: readonly string[];
  /** Keyset: runs after this one; null for the first page. */
  readonly after: string | null;
  readonly limit: number;
}
