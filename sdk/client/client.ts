// Starts and watches runs. Typed by the workflow's own types; everything it does goes through the front door.

import type { AttributeChanges } from "../protocol/attributes.ts";
import { encodeChecked } from "../protocol/checked-payload.ts";
import { type Duration, limitMs, toMs } from "../protocol/duration.ts";
import { EverstepError, invariant } from "../protocol/errors.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import type { HistoryFile } from "../protocol/history-file.ts";
import type { ListedLock } from "../protocol/listed-lock.ts";
import { assertName } from "../protocol/names.ts";
import { assertShortText, MAX_DETAILS_BYTES, MAX_SUMMARY_BYTES } from "../protocol/notes.ts";
import { OPEN_STATUSES, type PatchedRun, type RunSummary } from "../protocol/run.ts";
import { type RunRetryOptions, storedRetry } from "../protocol/run-retry.ts";
import { startData } from "../protocol/start-data.ts";
import {
  type VersionPolicy,
  type VersionPolicyChange,
  type VersionRamp,
  versionAsk,
} from "../protocol/version-policy.ts";
import { assertVersion } from "../protocol/versions.ts";
import type { AnyEntity } from "../workflow/entity.ts";
import type { SignalDefinition } from "../workflow/signal.ts";
import type { UpdateDefinition } from "../workflow/update.ts";
import type { WebhookRequest } from "../workflow/webhook.ts";
import type { AnyWorkflow, Workflow } from "../workflow/workflow.ts";
import { type ActorOptions, actingAs } from "./acting.ts";
import { Bulk, type BulkOptions } from "./bulk.ts";
import { type EntityHandle, entityHandle } from "./entity-handle.ts";
import type {
  Acting,
  CountedBy,
  CountedGroup,
  FrontDoor,
  ListCall,
  PrunedRuns,
  StartCall,
  StartReply,
  WorkflowVersions,
} from "./front-door.ts";
import { interceptedDoor } from "./intercepted-door.ts";
import type { Interceptor } from "./interceptors.ts";
import { filterCall, orderCall, type RunFilter, type RunOrder } from "./run-filter.ts";
import { RunHandle, signalCall, updateCall } from "./run-handle.ts";
import { completion, failing, heartbeat, type StepReportOptions } from "./step-reports.ts";
import { UpdateHandle } from "./update-handle.ts";
import { type DeliveryOptions, webhookCall } from "./webhook-delivery.ts";

interface StartSettings {
  /** The caller's stable key: no two open runs have the same. Default: the run's own id. */
  readonly id?: string;
  /** Whose workers execute it. Default "default". */
  readonly queue?: string;
  /**
   * A version of the workflow, such as "1.4.0", the newest of a range, such as "^1.2", or what the workflow's "policy" says.
   * Default: the policy, else the definition's own; none where that has none.
   */
  readonly version?: string;
  /** Closes the run as timed out when it is open longer than this. Default: the workflow's own timeout. */
  readonly timeout?: Duration;
  /**
   * Closes whichever run of its chain is open this long after the start as timed out: the run itself, what it continues as, and
   * all attempts at each. Default: none.
   */
  readonly chainTimeout?: Duration;
  /** How the run is tried again when it fails. Default: as its workflow says. */
  readonly retry?: RunRetryOptions;
  /** How long before the run may begin. A signal begins it at once. Default 0. */
  readonly delay?: Duration;
  /** Makes repeating the call safe: the same request id answers with the same run, whatever became of it. */
  readonly requestId?: string;
  /** When an open run has the id: fail with RUN_ALREADY_STARTED (default), use that run, or terminate it first. */
  readonly onConflict?: "fail" | "useExisting" | "terminateExisting";
  /** When only closed runs have the id: start anyway (default), only if the latest did not complete, or refuse. */
  readonly onReuse?: "allow" | "allowIfFailed" | "reject";
  /** What the run can be found by, made by an attribute set: see `defineAttributes`. */
  readonly attributes?: AttributeChanges | undefined;
  /** Values to be shown with the run, by key: at most 100 keys and 40 KiB. */
  readonly memo?: Readonly<Record<string, unknown>> | undefined;
  /** What the run is about, for people who look at a list: at most 400 bytes. */
  readonly summary?: string | undefined;
  /** The same at length, in Markdown, for people who look at the run: at most 20,000 bytes. */
  readonly details?: string | undefined;
  /**
   * What the run carries along for its code, its steps and interceptors: strings by name, at most 16 and 8 KiB in all, the
   * same for ever. A call that uses an open run instead of starting one changes nothing about that run's. Default: none.
   */
  readonly headers?: RunHeaders | undefined;
}

/** `input` is required unless the workflow takes none. */
export type StartOptions<Input> = StartSettings &
  (undefined extends Input ? { readonly input?: Input } : { readonly input: Input });

type StartArguments<Input> = undefined extends Input ? [options?: StartOptions<Input>] : [options: StartOptions<Input>];

export type SignalWithStartOptions<Input, Payload> = StartOptions<Input> & {
  readonly signal: SignalDefinition<Payload, unknown>;
  readonly signalId?: string;
} & (undefined extends Payload ? { readonly payload?: Payload } : { readonly payload: Payload });

export type UpdateWithStartOptions<Input, Result, UpdateInput> = StartOptions<Input> & {
  readonly update: UpdateDefinition<Result, UpdateInput, unknown, unknown>;
  /** As for `update`. Default: the `requestId` when there is one, else a new random id. */
  readonly updateId?: string;
} & (undefined extends UpdateInput ? { readonly updateInput?: UpdateInput } : { readonly updateInput: UpdateInput });

/** The plain filters may stand beside `where`, or in it. */
export interface ListOptions extends Pick<RunFilter, "workflow" | "workflowId" | "queue" | "version" | "status"> {
  readonly where?: RunFilter;
  /** Default: newest first. */
  readonly orderBy?: RunOrder;
  /** Runs per page, 1 to 200. Default 50. */
  readonly limit?: number;
  /** `next` of the page before, asked for with the same order. */
  readonly after?: string;
}

export interface LocksOptions {
  /** Of this lock or semaphore. Default: of all. */
  readonly key?: string | undefined;
  readonly limit?: number | undefined;
}

export interface PruneOptions {
  /** At least this long, by the database's clock. */
  readonly closedFor: Duration;
  /** Name of the workflow. Default: all. */
  readonly workflow?: string | undefined;
  /** Deletes nothing. Default false. */
  readonly isDryRun?: boolean;
}

export interface VersionPolicyOptions {
  /** The version of new runs. */
  readonly current: string;
  /** Another version for so many of a hundred new runs: above 0, at most 100. Default: none. */
  readonly ramp?: VersionRamp | null | undefined;
}

export interface CountOptions {
  readonly where?: RunFilter;
}

export interface RunPage {
  readonly runs: readonly RunSummary[];
  /** For the page after this one; null at the end. */
  readonly next: string | null;
}

export interface PatchPage {
  /** Newest first. */
  readonly runs: readonly PatchedRun[];
  /** For the page after this one; null at the end. */
  readonly next: string | null;
}

export class WorkflowClient {
  readonly #door: FrontDoor;
  readonly #actor: string | undefined;

  /** `actor`: who acts on runs where a call does not say. Throws ARGUMENT_INVALID. */
  constructor(door: FrontDoor, interceptors: readonly Interceptor[] = [], actor?: string) {
    this.#door = interceptedDoor(door, interceptors);
    this.#actor = actingAs({}, actor).actor;
  }

  /**
   * Starts a run. Resolves when the start is committed: from then on it survives everything. Safe to repeat with the
   * same `requestId`.
   *
   * Throws RUN_ALREADY_STARTED, VERSION_UNKNOWN, ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE,
   * STORE_UNAVAILABLE.
   */
  async start<Input, Result>(
    workflow: Workflow<Input, Result>,
    ...[options]: StartArguments<NoInfer<Input>>
  ): Promise<RunHandle<Result>> {
    const reply = await this.#door.start(startCall(workflow, options ?? ({} as StartOptions<Input>)));
    return this.#started(reply);
  }

  /**
   * Starts many runs of one workflow with few statements. In the order given.
   *
   * Throws like `start`; a refused one (RUN_ALREADY_STARTED) does not keep the others from being started.
   */
  async startMany<Input, Result>(
    workflow: Workflow<Input, Result>,
    each: readonly StartOptions<Input>[],
  ): Promise<RunHandle<Result>[]> {
    const replies = await this.#door.startMany(each.map((options) => startCall(workflow, options)));
    return replies.map((reply) => this.#started(reply));
  }

  /**
   * Sends a signal to the open run with this id, or starts one with the signal in its mailbox, in one transaction. The
   * signal is there before the workflow's first line.
   *
   * Throws like `start`.
   */
  async signalWithStart<Input, Result, Payload>(
    workflow: Workflow<Input, Result>,
    options: SignalWithStartOptions<Input, Payload>,
  ): Promise<RunHandle<Result>> {
    const { signal, payload, signalId } = options;
    const reply = await this.#door.start({
      ...startCall(workflow, options),
      onConflict: options.onConflict ?? "useExisting",
      signal: signalCall(signal, payload, signalId),
    });
    return this.#started(reply);
  }

  /**
   * Sends an update to the open run with this id, or starts one with the update in its mailbox, in one transaction.
   * Resolves when that is committed, whatever becomes of the update: `update.result()` waits for it.
   *
   * Throws like `start`.
   */
  async updateWithStart<Input, Result, UpdateInput, UpdateResult>(
    workflow: Workflow<Input, Result>,
    options: UpdateWithStartOptions<Input, UpdateResult, UpdateInput>,
  ): Promise<{ readonly run: RunHandle<Result>; readonly update: UpdateHandle<UpdateResult> }> {
    const { update, updateInput, updateId } = options;
    const reply = await this.#door.start({
      ...startCall(workflow, options),
      onConflict: options.onConflict ?? "useExisting",
      update: updateCall(update, updateInput, updateId ?? options.requestId),
    });
    invariant(reply.update !== null, "an update that was sent has an id");
    return {
      run: this.#started(reply),
      update: new UpdateHandle<UpdateResult>(this.#door, reply.update),
    };
  }

  /**
   * A handle to the run with this workflow id: the open one, else the latest, or the one with `runId`. Asks nothing of
   * the database yet.
   */
  get<Result>(_workflow: Workflow<never, Result>, workflowId: string, runId?: string): RunHandle<Result> {
    return new RunHandle<Result>(this.#door, { workflowId, runId, actor: this.#actor });
  }

  /** Like `get`, for a run whose workflow this process does not know. */
  getUntyped(workflowId: string, runId?: string): RunHandle<unknown> {
    return new RunHandle<unknown>(this.#door, { workflowId, runId, actor: this.#actor });
  }

  /**
   * The entity with this key, with its operations and views as methods. An operation is stored first, performed in its place among
   * all others of the key, and resolves to what it returned; the first one brings the entity into being. A view is answered from
   * what completed operations have left; where there was none yet, by `initial` and the view in this process. Asks nothing of
   * the database yet.
   *
   * Throws ARGUMENT_INVALID for what cannot be a key. Operations throw UPDATE_FAILED with what was thrown as `cause`: then the state
   * is as before; UPDATE_REJECTED and UPDATE_UNKNOWN when it was not taken, UPDATE_ABANDONED when the entity's run was ended by
   * force, UPDATE_TIMED_OUT; and as `start`. Views throw like `query`, but for RUN_NOT_FOUND.
   */
  entity<Of extends AnyEntity>(entity: Of, key: string): EntityHandle<Of> {
    const { workflow, queue } = entity;
    const start = startCall(workflow, { id: entity.workflowId(key), queue, input: { key }, onConflict: "useExisting" });
    return entityHandle(this.#door, entity, key, start);
  }

  /**
   * Completes the step that the token is of: its result is what the workflow goes on with. Resolves when that is stored, as
   * with a signal; should the attempt end before its run comes to it, it is recorded as ignored. A token that is used before
   * its body has returned is waited with for 5 seconds.
   *
   * Throws TOKEN_INVALID, STEP_NOT_WAITING, STEP_UNDER_WAY, RUN_NOT_FOUND, RUN_CLOSED, ARGUMENT_INVALID,
   * PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE, STORE_UNAVAILABLE.
   */
  async completeStep(token: string, result?: unknown, options?: StepReportOptions): Promise<void> {
    await this.#door.reportStep({ token }, { ...completion(result, options), ...this.#by(options) });
  }

  /**
   * Fails the attempt that the token is of, as if its body had thrown `error`: the step's retry policy says whether another
   * attempt follows, with another token.
   *
   * Throws like `completeStep`.
   */
  async failStep(token: string, error: unknown, options?: StepReportOptions): Promise<void> {
    await this.#door.reportStep({ token }, { ...failing(error, options), ...this.#by(options) });
  }

  /**
   * Says that whoever is to complete the step is at it: its `heartbeatTimeout` begins anew, and `details` (storable) are
   * kept for the next attempt. Each is an event in the run's history: send one a minute rather than one a second.
   *
   * Throws like `completeStep`; STEP_NOT_WAITING also says that the work is not needed any more.
   */
  async heartbeatStep(token: string, details?: unknown, options: ActorOptions = {}): Promise<void> {
    await this.#door.reportStep({ token }, { ...heartbeat(details), ...this.#by(options) });
  }

  /**
   * Delivers what was sent to a webhook: see `createWebhook`, and `webhookHandler` for doing it by HTTP. Resolves when it is
   * stored, as with a signal: it will be received once, in order, by the run that created the webhook or one that it continued
   * as, even if nothing runs now.
   *
   * Throws TOKEN_INVALID, RUN_CLOSED, ARGUMENT_INVALID for anything but text, PAYLOAD_TOO_LARGE, PAYLOAD_UNREADABLE where codecs of
   * the client are missing, STORE_UNAVAILABLE.
   */
  async deliverWebhook(token: string, request: WebhookRequest, options: DeliveryOptions = {}): Promise<void> {
    await this.#door.deliverWebhook(token, webhookCall(request, options));
  }

  /**
   * One action on many runs: `client.bulk({ where }).pause()`. See `Bulk`. Does nothing yet.
   *
   * Throws ARGUMENT_INVALID.
   */
  bulk(options: BulkOptions): Bulk {
    return new Bulk(this.#door, { ...options, ...this.#by(options) });
  }

  /**
   * A page of runs, newest first unless `orderBy` says otherwise. What it tells is as true as the histories: attributes
   * are kept in the same commit as the event that sets them.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async list(options: ListOptions = {}): Promise<RunPage> {
    return this.#door.list(listCall(options, "list"));
  }

  /**
   * How many runs there are. Takes time in proportion to their number.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async count({ where = {} }: CountOptions = {}): Promise<number> {
    const [all] = await this.#door.count({ ...filterCall(where), by: null });
    return all?.count ?? 0;
  }

  /**
   * How many runs there are of each status, workflow, version, queue or value of an attribute: the 200 largest groups,
   * largest first. Runs without the attribute or a version are a group with the value null; a list counts once for each of
   * its keywords.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async countBy(by: CountedBy, { where = {} }: CountOptions = {}): Promise<readonly CountedGroup[]> {
    return this.#door.count({ ...filterCall(where), by });
  }

  /**
   * Who holds locks and permits of semaphores, and who waits for them: by key, within it in the order of the queue, which
   * begins with the holders. The first `limit` of them, 1 to 200; default 50.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async locks({ key, limit }: LocksOptions = {}): Promise<readonly ListedLock[]> {
    return this.#door.locks({ key: key ?? null, limit });
  }

  /**
   * The versions of a workflow: those that workers have or had, those that open runs are of, and which of them new runs get.
   * A workflow is given by its definition or its name. Counts the open runs: takes time in proportion to them.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async versions(workflow: AnyWorkflow | string): Promise<WorkflowVersions> {
    return this.#door.versions(nameOf(workflow, "versions(workflow)"));
  }

  /**
   * Says which versions new runs of the workflow are of, in place of what was said before: `current`, and for a share of
   * them, chosen by workflow id, the version of the `ramp`. Null: each is of the version of the definition that it is started
   * with. Runs that are started with a `version` are not concerned, nor are those that are open. Other clients act by it
   * within about a second. What is said is recorded: see `versionPolicyHistory`.
   *
   * Throws VERSION_UNKNOWN when no worker ever had such a version, ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async setVersionPolicy(
    workflow: AnyWorkflow | string,
    policy: VersionPolicyOptions | null,
    options: ActorOptions = {},
  ): Promise<void> {
    const name = nameOf(workflow, "setVersionPolicy(workflow)");
    await this.#door.setVersionPolicy(name, policy === null ? null : checkedPolicy(policy), this.#by(options));
  }

  /**
   * Who changed the version policy of the workflow, when, from what and to what: the newest first, at most `limit`, 1 to 200;
   * default 50. Saying again what holds already is no change.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async versionPolicyHistory(
    workflow: AnyWorkflow | string,
    { limit }: { readonly limit?: number | undefined } = {},
  ): Promise<readonly VersionPolicyChange[]> {
    return this.#door.versionPolicyHistory(nameOf(workflow, "versionPolicyHistory(workflow)"), limit);
  }

  /**
   * Deletes runs that have been closed for a time, with their histories, mail and data; or, with `isDryRun`, counts them.
   * Open runs are never touched. What is deleted is gone: its handles throw RUN_NOT_FOUND, its ids may be used again.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE; what was deleted before stays so.
   */
  async prune({ closedFor, workflow, isDryRun = false }: PruneOptions): Promise<PrunedRuns> {
    const closedForMs = toMs(closedFor, "prune({ closedFor })");
    return this.#door.prune({ closedForMs, workflow: workflow ?? null, isDryRun });
  }

  /**
   * Brings a run into this database from the file that `run.export()` gave: whole, in one transaction. A closed run is there
   * to be read; an open one goes on here, from where it was, with the mail that it had not taken. The file must have been
   * made by somebody you trust: what is in it is executed as the run's past.
   *
   * An open run that is imported must not go on where it came from, or both do what is left of it: terminate it there.
   *
   * Throws ARGUMENT_INVALID for what is no whole history; RUN_ALREADY_STARTED when there is a run with its run id, or an open
   * one with its workflow id and it is open too; STORE_UNAVAILABLE.
   */
  async importRun(file: HistoryFile): Promise<RunHandle<unknown>> {
    const { workflowId, runId } = await this.#door.importRun(file);
    return new RunHandle<unknown>(this.#door, { workflowId, runId, actor: this.#actor });
  }

  /**
   * A page of runs with the patches they are marked with, newest first. Open runs unless `status` says otherwise: those
   * are the ones that a change of the code has to fit. Reads the histories of the page's runs.
   *
   * Throws ARGUMENT_INVALID, STORE_UNAVAILABLE.
   */
  async listPatches(options: ListOptions = {}): Promise<PatchPage> {
    const call = listCall(options, "listPatches");
    return this.#door.listPatches({ ...call, status: call.status ?? OPEN_STATUSES });
  }

  /** Closes the connections. Waiting calls reject. */
  async close(): Promise<void> {
    await this.#door.close();
  }

  #by(options: ActorOptions = {}): Acting {
    return actingAs(options, this.#actor);
  }

  #started<Result>({ workflowId, runId }: StartReply): RunHandle<Result> {
    return new RunHandle<Result>(this.#door, { workflowId, runId, isStarted: true, actor: this.#actor });
  }
}

function startCall<Input, Result>(workflow: Workflow<Input, Result>, options: StartOptions<Input>): StartCall {
  const { id, queue, timeout, chainTimeout, retry, delay, requestId, onConflict, onReuse, input, summary, details } =
    options;
  if (summary !== undefined) assertShortText(summary, MAX_SUMMARY_BYTES, "start({ summary })");
  if (details !== undefined) assertShortText(details, MAX_DETAILS_BYTES, "start({ details })");
  const { attributes, memo } = startData(options, "start");
  return {
    workflow: workflow.name,
    workflowId: id ?? null,
    queue: queue ?? null,
    version: versionAsk(workflow.version, options.version, "start({ version })"),
    input: encodeChecked(workflow.schema, input, `input of workflow "${workflow.name}"`),
    requestId: requestId ?? null,
    onConflict: onConflict ?? "fail",
    onReuse: onReuse ?? "allow",
    delayMs: delay === undefined ? 0 : toMs(delay, "start({ delay })"),
    timeoutMs: timeout === undefined ? workflow.timeoutMs : toMs(timeout, "start({ timeout })"),
    chainTimeoutMs: chainTimeout === undefined ? null : limitMs(chainTimeout, "start({ chainTimeout })"),
    signal: null,
    update: null,
    attributes,
    memo,
    summary,
    details,
    headers: options.headers,
    retry: retry === undefined ? undefined : storedRetry(retry, "start()"),
  };
}

/** Throws ARGUMENT_INVALID. */
function listCall({ where = {}, orderBy, limit, after, ...plain }: ListOptions, caller: string): ListCall {
  const order = orderBy === undefined ? undefined : orderCall(orderBy);
  const both = Object.keys(plain).find((field) => Object.hasOwn(where, field));
  if (both !== undefined) {
    const message = `${caller}() was given "${both}" both beside \`where\` and in it. Give it once.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: both } });
  }
  return { ...filterCall({ ...plain, ...where }), order, limit, after };
}

function nameOf(workflow: AnyWorkflow | string, what: string): string {
  const name: unknown = typeof workflow === "string" ? workflow : workflow?.name;
  assertName(name, what);
  return name;
}

function checkedPolicy({ current, ramp = null }: VersionPolicyOptions): VersionPolicy {
  assertVersion(current, "setVersionPolicy({ current })");
  if (ramp === null) return { current, ramp };
  const { version, percent } = ramp;
  assertVersion(version, "setVersionPolicy({ ramp: { version } })");
  if (typeof percent !== "number" || !(percent > 0 && percent <= 100)) {
    const message = `setVersionPolicy({ ramp: { percent } }) is above 0 and at most 100; got ${String(percent)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "percent" } });
  }
  return { current, ramp: { version, percent } };
}
