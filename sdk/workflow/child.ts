// Runs that a run starts and waits for.

import type { AttributeChanges } from "../protocol/attributes.ts";
import { encodeChecked } from "../protocol/checked-payload.ts";
import { type Duration, limitMs, toMs } from "../protocol/duration.ts";
import { EverstepError } from "../protocol/errors.ts";
import { hashHex } from "../protocol/hash.ts";
import { checkedHeaders, NO_HEADERS, type RunHeaders } from "../protocol/headers.ts";
import { assertName, assertWorkflowId } from "../protocol/names.ts";
import { hashPayload } from "../protocol/payload.ts";
import { type RunRetryOptions, storedRetry } from "../protocol/run-retry.ts";
import { startData } from "../protocol/start-data.ts";
import { versionAsk } from "../protocol/version-policy.ts";
import { requireRun } from "./ambient.ts";
import { type ExternalRun, sendCancel, sendSignal } from "./external.ts";
import type { ChildAsk, ParentClosePolicy, PendingChild } from "./run-context.ts";
import type { AnyWorkflow, Workflow } from "./workflow.ts";

interface ChildSettings {
  /** The child's workflow id: no two open runs have the same. Default: the parent's run id and the command's number. */
  readonly id?: string;
  /** Whose workers execute it. Default: the queue of the parent. */
  readonly queue?: string;
  /**
   * A version of the workflow, such as "1.4.0", the newest of a range, such as "^1.2", or what its "policy" says. Default:
   * the policy, else the definition's own. The child fails to start (VERSION_UNKNOWN) when no worker ever had it.
   */
  readonly version?: string;
  /** Closes the child as timed out when it is open longer than this. Default: the workflow's own timeout. */
  readonly timeout?: Duration;
  /**
   * Closes whichever run of its chain is open this long after the child's start as timed out: the child, what it continues as, and
   * all attempts at each. Default: none.
   */
  readonly chainTimeout?: Duration;
  /** How the child is tried again when it fails: its parent hears of the last attempt only. Default: as its workflow says. */
  readonly retry?: RunRetryOptions;
  /** When only closed runs have the id: start anyway (default), only if the latest did not complete, or refuse. */
  readonly onReuse?: "allow" | "allowIfFailed" | "reject";
  /**
   * When an open run has the id: reject with RUN_ALREADY_STARTED (default); let that run stand for the child, whatever its
   * workflow and input are; or terminate it and start the child in its place. A run that stands for a child is not the
   * parent's own: neither `parentClosePolicy` nor `onCancel` touch it, and a parent that is canceled stops waiting for it.
   */
  readonly onConflict?: "fail" | "useExisting" | "terminateExisting";
  /**
   * What becomes of the child when the parent closes before it, for whatever reason, continuing as new included:
   * "terminate" (default), ask it to "cancel", or "abandon" it to itself.
   */
  readonly parentClosePolicy?: ParentClosePolicy;
  /**
   * When the parent is canceled: ask the child to cancel and wait for its end ("wait", the default), or only until it has
   * the request ("request"); reject at once and ask it all the same ("try"); reject at once and leave it alone
   * ("abandon").
   */
  readonly onCancel?: "wait" | "request" | "try" | "abandon";
  /** What the child can be found by, made by an attribute set: see `defineAttributes`. Default: none of the parent's. */
  readonly attributes?: AttributeChanges | undefined;
  /** Values to be shown with the child, by key: at most 100 keys and 40 KiB. Default: none of the parent's. */
  readonly memo?: Readonly<Record<string, unknown>> | undefined;
}

/** `input` is required unless the workflow takes none. */
export type ChildOptions<Input> = ChildSettings &
  (undefined extends Input ? { readonly input?: Input } : { readonly input: Input });

type ChildArguments<Input> = undefined extends Input ? [options?: ChildOptions<Input>] : [options: ChildOptions<Input>];

/** A child run, as its parent sees it. Signals and cancel requests reach the latest run of the child's chain. */
export interface ChildRun<Result> extends ExternalRun {
  /**
   * Resolves to the child's run id when it is started, or to that of the run that stands for it. Rejects with
   * RUN_ALREADY_STARTED when its workflow id is taken, VERSION_UNKNOWN when there is no such version, and with
   * `CanceledFailure`. A rejection that nobody awaits is no failure of the parent.
   */
  readonly started: Promise<string>;
  /**
   * The child's result; where it continued as new or was tried again, that of the last run of its chain. Rejects with `ChildFailure` when it
   * ended without one, and as `started` does. A rejection that nobody awaits is no failure of the parent.
   */
  readonly result: Promise<Result>;
}

/**
 * Starts a run of `workflow` as a child of this one, exactly once. The start is carried out when the request is in this
 * run's history; how it went, and how the child ended, come back as events of this run, however long that takes.
 *
 * Throws OUTSIDE_WORKFLOW, COMMAND_IN_READ_ONLY, ARGUMENT_INVALID, PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE.
 */
export function startChild<Input, Result>(
  workflow: Workflow<Input, Result>,
  ...[options]: ChildArguments<NoInfer<Input>>
): ChildRun<Result> {
  const { run, scope } = requireRun("startChild()");
  const pending = run.askChild(childAsk(workflow, options ?? {}), scope);
  const { workflowId, started, ended } = pending;
  started.catch(() => {});
  ended.catch(() => {});
  const to = async () => ({ chainOf: await started });
  const child: ChildRun<Result> = {
    workflowId,
    started,
    result: ended as Promise<Result>,
    signal: (signal, ...[payload]) => sendSignal(to, signal, payload),
    cancel: (reason) => sendCancel(to, reason),
  };
  pendings.set(child, pending);
  return child;
}

const pendings = new WeakMap<object, PendingChild>();

/** What the engine knows of a child that `startChild` gave; undefined for anything else. */
export function pendingOf(child: object): PendingChild | undefined {
  return pendings.get(child);
}

/** Starts a child run and waits for its result. Rejects and throws as `startChild` and its `result` do. */
export async function executeChild<Input, Result>(
  workflow: Workflow<Input, Result>,
  ...options: ChildArguments<NoInfer<Input>>
): Promise<Result> {
  return startChild(workflow, ...options).result;
}

const POLICIES = ["terminate", "cancel", "abandon"] as const;
const ON_CANCEL = ["wait", "request", "try", "abandon"] as const;
const ON_REUSE = ["allow", "allowIfFailed", "reject"] as const;
const ON_CONFLICT = ["fail", "useExisting", "terminateExisting"] as const;

function childAsk(workflow: AnyWorkflow, options: ChildSettings & { readonly input?: unknown }): ChildAsk {
  const { id, queue, timeout, chainTimeout, retry } = options;
  if (id !== undefined) assertWorkflowId(id, "startChild({ id })");
  if (queue !== undefined) assertName(queue, "startChild({ queue })");
  const input = encodeChecked(workflow.schema, options.input, `input of workflow "${workflow.name}"`);
  return {
    workflow: workflow.name,
    workflowId: id ?? null,
    input,
    inputHash: hashPayload(input) + (id === undefined ? "" : hashHex(id)),
    ...startData(options, "startChild"),
    headers: null,
    queue: queue ?? null,
    version: versionAsk(workflow.version, options.version, "startChild({ version })"),
    timeoutMs: timeout === undefined ? workflow.timeoutMs : toMs(timeout, "startChild({ timeout })"),
    chainTimeoutMs: chainTimeout === undefined ? null : limitMs(chainTimeout, "startChild({ chainTimeout })"),
    retry: retry === undefined ? null : storedRetry(retry, "startChild()"),
    onReuse: oneOf(ON_REUSE, options.onReuse, "onReuse"),
    onConflict: oneOf(ON_CONFLICT, options.onConflict, "onConflict"),
    parentClosePolicy: oneOf(POLICIES, options.parentClosePolicy, "parentClosePolicy"),
    onCancel: oneOf(ON_CANCEL, options.onCancel, "onCancel"),
  };
}

/** What an interceptor can say otherwise about a child; what is left out stays as it is. */
export type ChildChanges = Pick<
  ChildSettings,
  "queue" | "timeout" | "chainTimeout" | "retry" | "parentClosePolicy" | "onCancel"
> & {
  /** What the child carries in place of the parent's. */
  readonly headers?: RunHeaders;
};

/** Throws ARGUMENT_INVALID. */
export function changedChild(ask: ChildAsk, changes: ChildChanges): ChildAsk {
  const { headers, queue, timeout, chainTimeout, retry, parentClosePolicy, onCancel } = changes;
  if (queue !== undefined) assertName(queue, "startChild({ queue })");
  return {
    ...ask,
    headers: headers === undefined ? ask.headers : (checkedHeaders(headers, "startChild({ headers })") ?? NO_HEADERS),
    queue: queue ?? ask.queue,
    timeoutMs: timeout === undefined ? ask.timeoutMs : toMs(timeout, "startChild({ timeout })"),
    chainTimeoutMs:
      chainTimeout === undefined ? ask.chainTimeoutMs : limitMs(chainTimeout, "startChild({ chainTimeout })"),
    retry: retry === undefined ? ask.retry : storedRetry(retry, "startChild()"),
    parentClosePolicy: oneOf(POLICIES, parentClosePolicy ?? ask.parentClosePolicy, "parentClosePolicy"),
    onCancel: oneOf(ON_CANCEL, onCancel ?? ask.onCancel, "onCancel"),
  };
}

/** The first is the default. */
function oneOf<Choice extends string>(
  choices: readonly [Choice, ...Choice[]],
  given: Choice | undefined,
  what: string,
): Choice {
  if (given === undefined) return choices[0];
  if (choices.includes(given)) return given;
  const message = `startChild({ ${what} }) takes one of ${choices.join(", ")}; got ${String(given)}.`;
  throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: what } });
}
