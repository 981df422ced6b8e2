// How interceptors are shown what is asked of the front door: without values, and without tokens.

import type { RunHeaders } from "../protocol/headers.ts";
import type {
  ForkClientCall,
  ListClientCall,
  RepairClientCall,
  RunCall,
  StartClientCall,
  StepClientCall,
} from "./client-calls.ts";
import type {
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

export function repairShown(to: RunReference, { which, requestId }: RepairCall): RepairClientCall {
  return { ...runShown(to), which: which ?? undefined, requestId: requestId ?? undefined };
}

export function forkShown(to: RunReference, call: ForkCall): ForkClientCall {
  const { at, beforeStep, workflowId, replaces, bulkId } = call;
  return {
    ...runShown(to),
    at: at ?? undefined,
    beforeStep: beforeStep?.name,
    id: workflowId ?? undefined,
    replaces,
    bulkId: bulkId ?? undefined,
  };
}

export function stepShown(step: StepReference, { reportId }: StepReportCall): StepClientCall {
  const run = "to" in step ? runShown(step.to) : { runId: undefined, workflowId: undefined };
  return { ...run, step: "to" in step ? step.step : undefined, reportId: reportId ?? undefined };
}

export function listShown({ limit, after, order: _, ...filter }: ListCall): ListClientCall {
  return { filter, limit, after };
}
