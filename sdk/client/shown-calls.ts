// How interceptors are shown what is asked of the front door: without values, and without tokens.

import type { RunHeaders } from "../protocol/headers.ts";
import type {
  EndingClientCall,
  ForkClientCall,
  ListClientCall,
  RepairClientCall,
  RepeatableClientCall,
  RunCall,
  StartClientCall,
  StepClientCall,
} from "./client-calls.ts";
import type {
  Acting,
  ControlCall,
  ForkCall,
  ListCall,
  RepairCall,
  RunReference,
  StartCall,
  StepReference,
  StepReportCall,
} from "./front-door.ts";

export function runShown(to: RunReference): RunCall {
  if ("workflowId" in to) return { runId: undefined, workflowId: to.workflowId };
  return { runId: "runId" in to ? to.runId : to.chainOf, workflowId: undefined };
}

export function startShown(call: StartCall, headers: RunHeaders): StartClientCall {
  const { workflow, workflowId, queue, requestId, signal, update } = call;
  return {
    workflow,
    workflowId: workflowId ?? undefined,
    queue: queue ?? undefined,
    requestId: requestId ?? undefined,
    signal: signal?.name,
    update: update?.name,
    headers,
  };
}

export function endingShown(to: RunReference, reason: string, { actor }: Acting = {}): EndingClientCall {
  return { ...runShown(to), reason, actor };
}

export function controlShown(to: RunReference, { requestId, actor }: ControlCall = {}): RepeatableClientCall {
  return { ...runShown(to), requestId, actor };
}

export function repairShown(to: RunReference, { which, requestId, actor }: RepairCall): RepairClientCall {
  return { ...runShown(to), which: which ?? undefined, requestId: requestId ?? undefined, actor };
}

export function forkShown(to: RunReference, call: ForkCall): ForkClientCall {
  const { at, beforeStep, workflowId, replaces, bulkId, actor } = call;
  return {
    ...runShown(to),
    at: at ?? undefined,
    beforeStep: beforeStep?.name,
    id: workflowId ?? undefined,
    replaces,
    bulkId: bulkId ?? undefined,
    actor,
  };
}

export function stepShown(step: StepReference, { reportId, actor }: StepReportCall): StepClientCall {
  const run = "to" in step ? runShown(step.to) : { runId: undefined, workflowId: undefined };
  return { ...run, step: "to" in step ? step.step : undefined, reportId: reportId ?? undefined, actor };
}

export function listShown({ limit, after, order: _, ...filter }: ListCall): ListClientCall {
  return { filter, limit, after };
}
