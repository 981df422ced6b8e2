// What authors of workflows import as "everstep".

export type {
  ActingClientCall,
  ClientCall,
  ClientOperation,
  ClientOperations,
  CountClientCall,
  EndingClientCall,
  ForeseeClientCall,
  ForkClientCall,
  ImportClientCall,
  ListClientCall,
  LocksClientCall,
  MoveClientCall,
  PauseClientCall,
  PruneClientCall,
  QueryClientCall,
  RepairClientCall,
  RepeatableClientCall,
  RunCall,
  SignalClientCall,
  StartClientCall,
  StepClientCall,
  UpdateClientCall,
  UpdateResultClientCall,
  VersionPolicyClientCall,
  VersionsClientCall,
  WebhookClientCall,
} from "./client/client-calls.ts";
export type { ClientInterceptor, Interceptor, StartChanges, StartedRun } from "./client/interceptors.ts";
export type { AttributeFilters, AttributeTest } from "./protocol/attribute-filter.ts";
export type { AttributeChanges, AttributeType, AttributeValue, AttributeValues } from "./protocol/attributes.ts";
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
export type { RunHeaders } from "./protocol/headers.ts";
export type { NoteLevel } from "./protocol/notes.ts";
export type { RetryOptions } from "./protocol/retry-policy.ts";
export type { RunRetryOptions } from "./protocol/run-retry.ts";
export type { StandardSchema } from "./protocol/standard-schema.ts";
export type {
  AskAnswer,
  AskedCancel,
  AskedChild,
  AskedContinuation,
  AskedData,
  AskedLock,
  AskedNote,
  AskedSignal,
  AskedStep,
  AskedTimer,
  WorkflowAsk,
} from "./workflow/asked.ts";
export {
  type AttributeFilterOf,
  type AttributeSet,
  type AttributeTypes,
  defineAttributes,
  upsertAttributes,
} from "./workflow/attributes.ts";
export type { ItemOutcome } from "./workflow/batch.ts";
export { BatchFailure, type FailedItem } from "./workflow/batch-failure.ts";
export { type CancellableScope, cancelScope, nonCancellable } from "./workflow/cancel.ts";
export { type ChildChanges, type ChildOptions, type ChildRun, executeChild, startChild } from "./workflow/child.ts";
export { CompensationFailure, type FailedCompensation } from "./workflow/compensation-failure.ts";
export type { Tolerance } from "./workflow/completion-policy.ts";
export { type ConditionOptions, condition } from "./workflow/condition.ts";
export {
  CONTINUE_SUGGESTED_BYTES,
  CONTINUE_SUGGESTED_EVENTS,
  ContinueAsNew,
  type ContinueOptions,
  continueAsNew,
} from "./workflow/continue-as-new.ts";
export type { Deferred } from "./workflow/deferred.ts";
export {
  type AnyEntity,
  type CheckedOperation,
  type Entity,
  type EntityOptions,
  entity,
  type InputOf,
  type Operation,
  type Operations,
  operation,
  type Views,
} from "./workflow/entity.ts";
export { type EntityInput, endEntity } from "./workflow/entity-run.ts";
export { type ExternalRun, externalRun } from "./workflow/external.ts";
export { allHandlersFinished, type HandlerOptions } from "./workflow/handlers.ts";
export { type WorkflowInfo, workflowInfo } from "./workflow/info.ts";
export type {
  ContinueChanges,
  HandlerCall,
  SignalHandlerCall,
  StepAttemptCall,
  StepInterceptor,
  UpdateHandlerCall,
  WorkflowExecution,
  WorkflowInterceptor,
} from "./workflow/interceptors.ts";
export { type HeldLock, type LockOptions, withLock } from "./workflow/lock.ts";
export { log, type WorkflowLog } from "./workflow/log.ts";
export { type BatchOptions, map, type TolerantBatchOptions } from "./workflow/map.ts";
export { upsertMemo } from "./workflow/memo.ts";
export { note, setCurrentDetails } from "./workflow/note.ts";
export { parallel } from "./workflow/parallel.ts";
export { deprecatePatch, patched } from "./workflow/patch.ts";
export { type Answer, type PollOptions, poll } from "./workflow/poll.ts";
export { defineQuery, type QueryDefinition } from "./workflow/query.ts";
export { type Branches, type RaceResult, race } from "./workflow/race.ts";
export type { ParentClosePolicy } from "./workflow/run-context.ts";
export { type Compensations, type Saga, type SagaOptions, saga } from "./workflow/saga.ts";
export {
  defineSemaphore,
  type HeldPermits,
  type PermitOptions,
  type SemaphoreDefinition,
  type SemaphoreOptions,
} from "./workflow/semaphore.ts";
export { defineSignal, type ReceiveOptions, type SignalDefinition } from "./workflow/signal.ts";
export { type SleepOptions, sleep, sleepUntil } from "./workflow/sleep.ts";
export {
  defineStep,
  type StepContext,
  type StepDefinition,
  type StepOptions,
  type StepTransaction,
  step,
  transaction,
} from "./workflow/step.ts";
export { type ToldEntity, tellEntity } from "./workflow/tell-entity.ts";
export { defineUpdate, type UpdateDefinition, type UpdateOptions } from "./workflow/update.ts";
export { type FirstOf, waitForAny } from "./workflow/wait-for-any.ts";
export type { ValueOf, Waitable, Waitables } from "./workflow/waitables.ts";
export {
  createWebhook,
  type Webhook,
  type WebhookDelivery,
  type WebhookOptions,
  type WebhookRequest,
} from "./workflow/webhook.ts";
export { withTimeout } from "./workflow/with-timeout.ts";
export { type AnyWorkflow, type Workflow, type WorkflowOptions, workflow } from "./workflow/workflow.ts";
