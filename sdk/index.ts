// What authors of workflows import as "everstep".

export type { Duration } from "./protocol/duration.ts";
export { ERRORS, type ErrorCode, EverstepError, isEverstepError } from "./protocol/errors.ts";
export type { Failure, FailureKind } from "./protocol/failure.ts";
export {
  ApplicationFailure,
  CanceledFailure,
  ChildFailure,
  isCanceled,
  PermanentError,
  RetryableError,
  StepFailure,
  TerminatedFailure,
  TimeoutFailure,
} from "./protocol/failures.ts";
export type { RetryOptions } from "./protocol/retry-policy.ts";
export { nonCancellable } from "./workflow/cancel.ts";
export { type ChildOptions, type ChildRun, executeChild, startChild } from "./workflow/child.ts";
export { type ConditionOptions, condition } from "./workflow/condition.ts";
export {
  CONTINUE_SUGGESTED_BYTES,
  CONTINUE_SUGGESTED_EVENTS,
  ContinueAsNew,
  type ContinueOptions,
  continueAsNew,
} from "./workflow/continue-as-new.ts";
export { type ExternalRun, externalRun } from "./workflow/external.ts";
export { type WorkflowInfo, workflowInfo } from "./workflow/info.ts";
export { log, type WorkflowLog } from "./workflow/log.ts";
export { defineQuery, type QueryDefinition } from "./workflow/query.ts";
export type { ParentClosePolicy } from "./workflow/run-context.ts";
export { defineSignal, type ReceiveOptions, type SignalDefinition } from "./workflow/signal.ts";
export { sleep, sleepUntil } from "./workflow/sleep.ts";
export {
  defineStep,
  type StepContext,
  type StepDefinition,
  type StepOptions,
  type StepTransaction,
  step,
  transaction,
} from "./workflow/step.ts";
export { type AnyWorkflow, type Workflow, type WorkflowOptions, workflow } from "./workflow/workflow.ts";
