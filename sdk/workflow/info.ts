// What a run may know about itself.

import type { AttributeValue } from "../protocol/attributes.ts";
import type { ParentRun } from "../protocol/event.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import { requireRun } from "./ambient.ts";

export interface WorkflowInfo {
  /** The name of the workflow's definition. */
  readonly workflow: string;
  /** The caller's stable key. */
  readonly workflowId: string;
  /** This run's own id, a ULID. */
  readonly runId: string;
  readonly queue: string;
  /** The version of the code that executes it; undefined for none. */
  readonly version: string | undefined;
  /** The run that started this one as its child; undefined where there is none. */
  readonly parent: ParentRun | undefined;
  /** The run above all of its parents, which no other run has started: the parent itself, where that has none. */
  readonly root: ParentRun | undefined;
  /** The first run of the chain, where runs continued as new; else this run's own id. */
  readonly firstRunId: string;
  /** The run that continued as this one, or failed and is tried again by it; undefined when this is the first. */
  readonly continuedFromRunId: string | undefined;
  /** 1, and one more each time that the run is tried again as a whole. Continuing as new begins again at 1. */
  readonly attempt: number;
  /** How the attempt before failed; undefined in the first. */
  readonly lastFailure: Error | undefined;
  /** When the run was started, by the database's clock. */
  readonly startedAt: Date;
  /**
   * When the first run of the chain was started, by the database's clock; `startedAt` in that one. In a chain that a release
   * before this was known began, `startedAt` of each run.
   */
  readonly chainStartedAt: Date;
  /** When it will be closed as timed out; undefined when there is no run timeout. */
  readonly deadlineAt: Date | undefined;
  /** When the chain that it is a run of will be: `start({ chainTimeout })`; undefined when there is no such limit. */
  readonly chainDeadlineAt: Date | undefined;
  /** Attributes and memo as the code has them by now: those of the start, and every upsert since. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
  readonly memo: Readonly<Record<string, unknown>>;
  /**
   * What the run was started with, interceptors' additions included; empty for none. From the history: the same at every
   * replay.
   */
  readonly headers: RunHeaders;
  /** Events up to the last one that the code has seen: grows as the run goes on, the same at replay. */
  readonly historyLength: number;
  /**
   * About how many bytes of inputs, results and payloads of signals are in the events delivered so far: grows as the run goes on,
   * the same at replay.
   */
  readonly historyBytes: number;
  /** The history is long (4,096 events, or payloads of 4 MiB): time to `continueAsNew`. The same at replay. */
  readonly continueAsNewSuggested: boolean;
  /** True while the run is only being brought back to where it was. For logs and metrics; never decide by it. */
  readonly isReplaying: boolean;
}

/**
 * The current run: ids, workflow, queue, attempt, times, length of its history.
 *
 * Throws OUTSIDE_WORKFLOW where no run is.
 */
export function workflowInfo(): WorkflowInfo {
  return requireRun("workflowInfo()").run.info;
}
