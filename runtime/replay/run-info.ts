// A run's view of itself, and its log.

import type { Continuation, ParentRun } from "../../sdk/protocol/event.ts";
import { fromFailure } from "../../sdk/protocol/failures.ts";
import type { RunHeaders } from "../../sdk/protocol/headers.ts";
import { CONTINUE_SUGGESTED_BYTES, CONTINUE_SUGGESTED_EVENTS } from "../../sdk/workflow/continue-as-new.ts";
import type { WorkflowInfo } from "../../sdk/workflow/info.ts";
import type { WorkflowLog } from "../../sdk/workflow/log.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";

export interface RunFacts {
  readonly runId: string;
  readonly workflowId: string;
  readonly queue: string;
  readonly startedAt: number;
  readonly deadlineAt: number | null;
}

/** What of a run's view changes as it goes on. */
export interface Progress {
  readonly startedAt: number;
  readonly deliveredEvents: number;
  readonly seenEvents: number;
  readonly deliveredBytes: number;
  readonly continues: Continuation | undefined;
  readonly parent: ParentRun | undefined;
  readonly root: ParentRun | undefined;
  readonly isReplaying: boolean;
  readonly data: Pick<WorkflowInfo, "attributes" | "memo">;
  readonly headers: RunHeaders;
  /** From the start of this run. */
  readonly chainTimeoutMs: number | undefined;
}

export function runInfo(
  { name: workflow, version }: Pick<AnyWorkflow, "name" | "version">,
  run: RunFacts,
  progress: Progress,
): WorkflowInfo {
  const { runId, workflowId, queue, deadlineAt } = run;
  return {
    workflow,
    workflowId,
    runId,
    queue,
    version,
    get parent() {
      return progress.parent;
    },
    get root() {
      return progress.root;
    },
    get firstRunId() {
      return progress.continues?.firstRunId ?? runId;
    },
    get continuedFromRunId() {
      return progress.continues?.previousRunId;
    },
    get attempt() {
      return progress.continues?.retry?.attempt ?? 1;
    },
    get lastFailure() {
      const { retry } = progress.continues ?? {};
      return retry === undefined ? undefined : fromFailure(retry.failure);
    },
    get startedAt() {
      return new Date(progress.startedAt);
    },
    get chainStartedAt() {
      return new Date(progress.continues?.firstStartedAt ?? progress.startedAt);
    },
    get deadlineAt() {
      return deadlineAt === null ? undefined : new Date(deadlineAt);
    },
    get chainDeadlineAt() {
      const { chainTimeoutMs } = progress;
      return chainTimeoutMs === undefined ? undefined : new Date(run.startedAt + chainTimeoutMs);
    },
    get attributes() {
      return progress.data.attributes;
    },
    get memo() {
      return progress.data.memo;
    },
    get headers() {
      return progress.headers;
    },
    get historyLength() {
      return progress.seenEvents;
    },
    get historyBytes() {
      return progress.deliveredBytes;
    },
    get continueAsNewSuggested() {
      const { deliveredEvents, deliveredBytes } = progress;
      return deliveredEvents >= CONTINUE_SUGGESTED_EVENTS || deliveredBytes >= CONTINUE_SUGGESTED_BYTES;
    },
    get isReplaying() {
      return progress.isReplaying;
    },
  };
}

/** Writes a line only where `isAudible`. */
export function mutedLog(log: WorkflowLog, isAudible: () => boolean): WorkflowLog {
  const line = (level: keyof WorkflowLog) => (message: string, fields?: Record<string, unknown>) => {
    if (isAudible()) log[level](message, fields);
  };
  return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
}
