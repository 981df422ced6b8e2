// What can stand around the calls of a client, and the whole of an interceptor: its sides may be given together, to the
// client and to the worker, each of which takes what is for it.

import { EverstepError } from "../protocol/errors.ts";
import type { RunHeaders } from "../protocol/headers.ts";
import type { ClosedStatus } from "../protocol/run.ts";
import type { StepInterceptor, WorkflowInterceptor } from "../workflow/interceptors.ts";
import type {
  ClientCall,
  EndingClientCall,
  QueryClientCall,
  RunCall,
  SignalClientCall,
  StartClientCall,
  UpdateClientCall,
  UpdateResultClientCall,
} from "./client-calls.ts";

/** What an interceptor can change about a start. */
export interface StartChanges {
  /** In place of those of the call. */
  readonly headers: RunHeaders;
}

export interface StartedRun {
  readonly runId: string;
  readonly workflowId: string;
  /** False when an open run with the id was used instead. */
  readonly isNew: boolean;
}

/**
 * Stands around the calls of a client: between the typed call, whose values are checked and stored by then, and the
 * database. Values are not shown, and cannot be exchanged: return what `next` gave. What it throws reaches the caller.
 */
export interface ClientInterceptor {
  /**
   * Around every call, those that have a hook of their own included: that one is then called within this. Of a history it
   * stands around the reading, from the first event to the last that is taken.
   */
  call?<Reply>(call: ClientCall, next: () => Promise<Reply>): Promise<Reply>;
  /** Around `start`, `signalWithStart` and `updateWithStart`, and around each start of `startMany`. */
  start?<Started extends StartedRun>(
    call: StartClientCall,
    next: (changes?: StartChanges) => Promise<Started>,
  ): Promise<Started>;
  signal?(call: SignalClientCall, next: () => Promise<void>): Promise<void>;
  /** Around sending an update: until it is stored. */
  update?<Sent>(call: UpdateClientCall, next: () => Promise<Sent>): Promise<Sent>;
  /** Around waiting for what becomes of one. */
  updateResult?<Outcome>(call: UpdateResultClientCall, next: () => Promise<Outcome>): Promise<Outcome>;
  query?<Answer>(call: QueryClientCall, next: () => Promise<Answer>): Promise<Answer>;
  cancel?(call: EndingClientCall, next: () => Promise<void>): Promise<void>;
  terminate?(call: EndingClientCall, next: () => Promise<void>): Promise<void>;
  /** Around waiting for a run to close. How it closed is told by `status`: RUN_FAILED is thrown after this. */
  result?<Closed extends { readonly status: ClosedStatus }>(
    call: RunCall,
    next: () => Promise<Closed>,
  ): Promise<Closed>;
}

/** Stands around what clients, runs and steps do. Of several the first is the outermost. */
export interface Interceptor {
  readonly client?: ClientInterceptor | undefined;
  readonly workflow?: WorkflowInterceptor | undefined;
  readonly step?: StepInterceptor | undefined;
}

const HOOKS = {
  client: ["call", "start", "signal", "update", "updateResult", "query", "cancel", "terminate", "result"],
  workflow: [
    "execute",
    "handleSignal",
    "handleUpdate",
    "handleQuery",
    "ask",
    "askStep",
    "askChild",
    "askContinueAsNew",
  ],
  step: ["execute"],
} as const satisfies {
  client: readonly (keyof ClientInterceptor)[];
  workflow: readonly (keyof WorkflowInterceptor)[];
  step: readonly (keyof StepInterceptor)[];
};

/** Refuses what would silently never be called. Throws CONFIGURATION_INVALID. */
export function checkedInterceptors(given: readonly Interceptor[] | undefined): readonly Interceptor[] {
  if (given === undefined) return [];
  if (!Array.isArray(given)) throw invalid("a list of interceptors");
  for (const interceptor of given as readonly Interceptor[]) {
    if (!isObject(interceptor)) throw invalid("objects with `client`, `workflow` or `step`");
    const side = Object.keys(interceptor).find((key) => !Object.hasOwn(HOOKS, key));
    if (side !== undefined) throw invalid(`objects with \`client\`, \`workflow\` or \`step\`; got "${side}"`);
    for (const [name, hooks] of Object.entries(HOOKS)) checkPart(interceptor[name as keyof Interceptor], name, hooks);
  }
  return given;
}

/** Its other members are its own affair: it may be an object of a class. */
function checkPart(part: object | undefined, name: string, hooks: readonly string[]): void {
  if (part === undefined) return;
  const known = hooks.map((hook) => `${hook}()`).join(", ");
  if (!isObject(part)) throw invalid(`an object for \`${name}\``);
  const members = hooks.map((hook) => (part as Readonly<Record<string, unknown>>)[hook]);
  if (members.every((member) => member === undefined)) throw invalid(`one of ${known} in \`${name}\``);
  const hook = hooks.find((_, index) => members[index] !== undefined && typeof members[index] !== "function");
  if (hook !== undefined) throw invalid(`a function for \`${name}.${hook}\``);
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null;
}

function invalid(expected: string): EverstepError {
  return new EverstepError("CONFIGURATION_INVALID", `The option interceptors takes ${expected}.`, {
    details: { setting: "interceptors" },
  });
}
