// What callers import as "everstep/client".

import { actingAs } from "../sdk/client/acting.ts";
import { WorkflowClient } from "../sdk/client/client.ts";
import { checkedInterceptors, type Interceptor } from "../sdk/client/interceptors.ts";
import { type ConnectionOptions, openParts, type Parts } from "./runtime.ts";
import { Service } from "./service/service.ts";

export interface ClientOptions extends ConnectionOptions {
  /** How long a call is repeated while the database is away, in ms. Default 15,000. */
  readonly insistForMs?: number;
  /** Stand around the calls of this client, the first outermost. Default: none. */
  readonly interceptors?: readonly Interceptor[];
  /**
   * Who acts on runs by this client, where a call does not say: kept with what it repairs, controls and ends. At most 200
   * characters, in plain text. Default: nobody is named.
   */
  readonly actor?: string | undefined;
}

/**
 * Starts, signals, queries and watches runs. Connects when first used; `close` ends it.
 *
 * Throws CONFIGURATION_INVALID when no database is named, and for interceptors that are none; ARGUMENT_INVALID for an actor
 * that cannot be a name.
 */
export class Client extends WorkflowClient {
  readonly #parts: Parts;
  readonly #service: Service;

  constructor(options: ClientOptions = {}) {
    const interceptors = checkedInterceptors(options.interceptors);
    const { actor } = actingAs(options, undefined);
    const parts = openParts(options);
    const { insistForMs } = options;
    const service = new Service({ ...parts, ...(insistForMs === undefined ? {} : { insistForMs }) });
    super(service, interceptors, actor);
    this.#parts = parts;
    this.#service = service;
  }

  /** Closes the connections; calls that wait reject. */
  override async close(): Promise<void> {
    await this.#service.close();
    await this.#parts.close();
  }
}

export type { ActorOptions } from "../sdk/client/acting.ts";
export { Bulk, type BulkOptions } from "../sdk/client/bulk.ts";
export type { BulkCounts, BulkOutcome, BulkReport, BulkResult } from "../sdk/client/bulk-report.ts";
export {
  type CountOptions,
  type ListOptions,
  type LocksOptions,
  type PatchPage,
  type PruneOptions,
  type RunPage,
  type SignalWithStartOptions,
  type StartOptions,
  type UpdateWithStartOptions,
  type VersionPolicyOptions,
  WorkflowClient,
} from "../sdk/client/client.ts";
export type { EntityHandle, OperationOptions } from "../sdk/client/entity-handle.ts";
export type {
  CountedBy,
  CountedGroup,
  PrunedRuns,
  QueriedRuns,
  RunDescription,
  ShownEvent,
  WorkflowVersion,
  WorkflowVersions,
} from "../sdk/client/front-door.ts";
export { RunFailedError } from "../sdk/client/run-failed-error.ts";
export type { NumberFilter, RunFilter, RunOrder, TimeFilter } from "../sdk/client/run-filter.ts";
export {
  type AnyStep,
  type ForkOptions,
  type QueryOptions,
  type RepairOptions,
  type ResetOptions,
  type ResultOptions,
  type RetriedWork,
  type RetryFromOptions,
  RunHandle,
  type SendUpdateOptions,
  type SignalOptions,
} from "../sdk/client/run-handle.ts";
export type { StepReportOptions } from "../sdk/client/step-reports.ts";
export { UpdateHandle, type UpdateWaitOptions } from "../sdk/client/update-handle.ts";
export type { DeliveryOptions } from "../sdk/client/webhook-delivery.ts";
export { type WebhookHandlerOptions, type WebhookReceiver, webhookHandler } from "../sdk/client/webhook-handler.ts";
export type { AttributeFilters, AttributeTest } from "../sdk/protocol/attribute-filter.ts";
export type { AttributeChanges, AttributeValue } from "../sdk/protocol/attributes.ts";
export { ERRORS, type ErrorCode, EverstepError, isEverstepError } from "../sdk/protocol/errors.ts";
export type { HistoryFile, UntakenMail } from "../sdk/protocol/history-file.ts";
export type { PendingHandler, PendingStepWork, PendingTimerWork, PendingWork } from "../sdk/protocol/pending-work.ts";
export type {
  BlockedKind,
  BlockedReason,
  ForkedFrom,
  PatchedRun,
  Pause,
  RunPatch,
  RunStatus,
  RunSummary,
} from "../sdk/protocol/run.ts";
export type { VersionPolicy, VersionPolicyChange, VersionRamp } from "../sdk/protocol/version-policy.ts";
export type { WebhookRequest } from "../sdk/workflow/webhook.ts";
