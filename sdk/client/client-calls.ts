// What an interceptor is shown of each call of a client: who is asked for what, by whose ids. Values are not shown, nor are tokens,
// which are as good as what they are for.

import type { RunHeaders } from "../protocol/headers.ts";
import type { VersionPolicy } from "../protocol/version-policy.ts";
import type { CountedBy, FilterCall, QueriedRuns } from "./front-door.ts";

/** A run as the caller's handle names it: by one of the two. */
export interface RunCall {
  readonly workflowId: string | undefined;
  readonly runId: string | undefined;
}

export interface StartClientCall {
  readonly workflow: string;
  /** Undefined: the run's own id will be used. */
  readonly workflowId: string | undefined;
  readonly queue: string | undefined;
  readonly requestId: string | undefined;
  /** Names of what is sent along by `signalWithStart` and `updateWithStart`. */
  readonly signal: string | undefined;
  readonly update: string | undefined;
  /** As the caller, or the interceptor outside of this one, gave them. Checked after all interceptors. */
  readonly headers: RunHeaders;
}

export interface SignalClientCall extends RunCall {
  readonly name: string;
  /** Undefined: a random one will be used. */
  readonly signalId: string | undefined;
}

export interface UpdateClientCall extends RunCall {
  readonly name: string;
  /** Undefined: a random one will be used. */
  readonly updateId: string | undefined;
}

export interface UpdateResultClientCall extends RunCall {
  readonly name: string;
  readonly updateId: string;
  readonly waitFor: "accepted" | "completed";
}

export interface QueryClientCall extends RunCall {
  readonly name: string;
  /** Undefined: it is for closed runs as well. */
  readonly onlyIf: QueriedRuns | undefined;
}

/** Of what is done to a run from outside. */
export interface ActingClientCall extends RunCall {
  /** Who does it: of the call, else of the client; undefined: nobody is named. */
  readonly actor: string | undefined;
}

export interface EndingClientCall extends ActingClientCall {
  readonly reason: string;
}

/** Of what may be asked again without doing it twice. */
export interface RepeatableClientCall extends ActingClientCall {
  /** Undefined: none was given. In a bulk it is the bulk's. */
  readonly requestId: string | undefined;
}

export interface PauseClientCall extends RepeatableClientCall {
  readonly reason: string;
}

export interface RepairClientCall extends RepeatableClientCall {
  /** A name, or the number of a command; undefined: all. */
  readonly which: string | number | undefined;
}

export interface MoveClientCall extends RepeatableClientCall {
  /** Null: to the workflow without a version. */
  readonly version: string | null;
}

/** `fork`, and with `replaces` also `reset` and `retryFrom`. */
export interface ForkClientCall extends ActingClientCall {
  /** The last event that is shared. Undefined: the last there is, or what `beforeStep` says. */
  readonly at: number | undefined;
  /** Before the last end of the step with this name; null: of the one that failed last. Undefined: `at` says where. */
  readonly beforeStep: string | null | undefined;
  /** The fork's workflow id; undefined: that of the run. */
  readonly id: string | undefined;
  /** The fork takes the place of the run. */
  readonly replaces: boolean;
  /** Of the bulk that the fork belongs to. */
  readonly bulkId: string | undefined;
}

/** By the step's name or number, or by its token: then run and step are not known here. */
export interface StepClientCall extends ActingClientCall {
  readonly step: string | number | undefined;
  readonly reportId: string | undefined;
}

/** Whether something could be done to a run, for a dry run of a bulk. */
export interface ForeseeClientCall extends RunCall {
  readonly deed: "move" | "retryNow" | "skipSleep" | "reportStep" | "fork";
}

export interface WebhookClientCall {
  readonly deliveryId: string | undefined;
}

export interface ImportClientCall {
  readonly workflow: string;
  readonly workflowId: string;
  readonly runId: string;
}

export interface ListClientCall {
  readonly filter: FilterCall;
  readonly limit: number | undefined;
  readonly after: string | undefined;
}

export interface CountClientCall {
  readonly filter: FilterCall;
  /** Null: one number for all. */
  readonly by: CountedBy | null;
}

export interface LocksClientCall {
  /** Undefined: of every key. */
  readonly key: string | undefined;
}

export interface VersionsClientCall {
  readonly workflow: string;
}

export interface VersionPolicyClientCall extends VersionsClientCall {
  /** As of calls on runs. */
  readonly actor: string | undefined;
  readonly policy: VersionPolicy | null;
}

export interface PruneClientCall {
  /** Undefined: of all workflows. */
  readonly workflow: string | undefined;
  readonly closedForMs: number;
  readonly isDryRun: boolean;
}

/** What a client can be asked for. Entities and bulks ask for the same. */
export interface ClientOperations {
  start: StartClientCall;
  signal: SignalClientCall;
  update: UpdateClientCall;
  updateResult: UpdateResultClientCall;
  query: QueryClientCall;
  cancel: EndingClientCall;
  terminate: EndingClientCall;
  result: RunCall;
  pause: PauseClientCall;
  resume: RepeatableClientCall;
  unblock: RepeatableClientCall;
  move: MoveClientCall;
  retryNow: RepairClientCall;
  skipSleep: RepairClientCall;
  fork: ForkClientCall;
  completeStep: StepClientCall;
  failStep: StepClientCall;
  heartbeatStep: StepClientCall;
  foresee: ForeseeClientCall;
  deliverWebhook: WebhookClientCall;
  describe: RunCall;
  history: RunCall;
  exportRun: RunCall;
  importRun: ImportClientCall;
  list: ListClientCall;
  listPatches: ListClientCall;
  count: CountClientCall;
  locks: LocksClientCall;
  versions: VersionsClientCall;
  setVersionPolicy: VersionPolicyClientCall;
  versionPolicyHistory: VersionsClientCall;
  prune: PruneClientCall;
}

export type ClientOperation = keyof ClientOperations;

/** Those that leave everything as it is. */
export const READING = [
  ...["updateResult", "query", "result", "describe", "history", "exportRun", "foresee"],
  ...["list", "listPatches", "count", "locks", "versions", "versionPolicyHistory"],
] as const satisfies readonly ClientOperation[];

/** One call of a client: `operation` says which, and what else there is to know of it. */
export type ClientCall = {
  [Operation in ClientOperation]: ClientOperations[Operation] & {
    readonly operation: Operation;
    /** It leaves everything as it is. */
    readonly isReading: Operation extends (typeof READING)[number] ? true : false;
  };
}[ClientOperation];
