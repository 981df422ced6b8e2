// What Everstep's functions are to the rules: all that "everstep" exports to be called, and the methods of what that gives. Held
// to their types, and to what they do in a step, in a query and in a condition, by tests: a function that is not here fails one.

export interface Verb {
  /**
   * Where it may be called: wherever code runs; where a run is, else it throws OUTSIDE_WORKFLOW; only in workflow code that
   * may ask for something, else it throws COMMAND_IN_READ_ONLY in a query handler or a condition.
   */
  readonly where: "anywhere" | "run" | "workflow";
  /** What becomes of its promise when nobody waits for it; absent for what gives none. */
  readonly unawaited?: "takenBack" | "sent" | "lost";
  /** The name of the type of what it gives, or what its promise gives, if that has methods. */
  readonly gives?: Thing;
}

const ANYWHERE: Verb = { where: "anywhere" };
const LOOKS: Verb = { where: "run" };
const ASKS: Verb = { where: "workflow" };
const WAITS: Verb = { where: "workflow", unawaited: "takenBack" };
const SENDS: Verb = { where: "workflow", unawaited: "sent" };

/** By the name of the export. */
export const VERBS = {
  allHandlersFinished: LOOKS,
  cancelScope: { where: "run", gives: "CancellableScope" },
  condition: WAITS,
  continueAsNew: ASKS,
  createWebhook: { ...WAITS, gives: "Webhook" },
  defineAttributes: { where: "anywhere", gives: "AttributeSet" },
  defineQuery: { where: "anywhere", gives: "QueryDefinition" },
  defineSemaphore: { where: "anywhere", gives: "SemaphoreDefinition" },
  defineSignal: { where: "anywhere", gives: "SignalDefinition" },
  defineStep: { where: "anywhere", gives: "StepDefinition" },
  defineUpdate: { where: "anywhere", gives: "UpdateDefinition" },
  deprecatePatch: ASKS,
  endEntity: ASKS,
  entity: { where: "anywhere", gives: "Entity" },
  executeChild: WAITS,
  externalRun: { where: "anywhere", gives: "ExternalRun" },
  isCanceled: ANYWHERE,
  isEverstepError: ANYWHERE,
  map: WAITS,
  nonCancellable: { where: "run", unawaited: "takenBack" },
  note: ASKS,
  operation: { where: "anywhere", gives: "CheckedOperation" },
  parallel: WAITS,
  patched: ASKS,
  poll: WAITS,
  race: WAITS,
  saga: { ...WAITS, gives: "Saga" },
  setCurrentDetails: ASKS,
  sleep: WAITS,
  sleepUntil: WAITS,
  startChild: { where: "workflow", gives: "ChildRun" },
  step: WAITS,
  tellEntity: { where: "anywhere", gives: "ToldEntity" },
  transaction: WAITS,
  upsertAttributes: ASKS,
  upsertMemo: ASKS,
  waitForAny: WAITS,
  withLock: WAITS,
  withTimeout: WAITS,
  workflow: { where: "anywhere", gives: "Workflow" },
  workflowInfo: LOOKS,
} as const satisfies Readonly<Record<string, Verb>>;

/** Any method, where they have names of the author's. */
export const ANY_METHOD = "*";
/** Calling the thing itself. */
export const ITSELF = "()";

/** The methods of what Everstep's functions give, by the name of the type. */
export const METHODS = {
  AttributeSet: { [ITSELF]: ANYWHERE, of: ANYWHERE, where: ANYWHERE },
  CancellableScope: { cancel: ASKS, run: WAITS },
  CheckedOperation: { [ITSELF]: ANYWHERE },
  ChildRun: { cancel: SENDS, signal: SENDS },
  Compensations: { add: ANYWHERE },
  Entity: { initial: ANYWHERE, workflowId: ANYWHERE },
  ExternalRun: { cancel: SENDS, signal: SENDS },
  QueryDefinition: { handle: ASKS },
  Saga: { add: ANYWHERE, compensate: { where: "run", unawaited: "takenBack" } },
  SemaphoreDefinition: { with: WAITS },
  SignalDefinition: { handle: ASKS, receive: WAITS },
  StepDefinition: { [ITSELF]: WAITS },
  StepTransaction: { query: { where: "anywhere", unawaited: "lost" } },
  ToldEntity: { [ANY_METHOD]: SENDS },
  UpdateDefinition: { handle: ASKS },
  Webhook: { receive: WAITS },
  Workflow: { continueAsNew: ASKS, main: { where: "anywhere", unawaited: "takenBack" } },
  WorkflowLog: { debug: LOOKS, error: LOOKS, info: LOOKS, warn: LOOKS },
} as const satisfies Readonly<Record<string, Readonly<Record<string, Verb>>>>;

export type Thing = keyof typeof METHODS;

export function verbOf(name: string): Verb | undefined {
  return Object.hasOwn(VERBS, name) ? (VERBS as Readonly<Record<string, Verb>>)[name] : undefined;
}

export function methodOf(thing: Thing, name: string): Verb | undefined {
  const methods: Readonly<Record<string, Verb>> = METHODS[thing];
  return Object.hasOwn(methods, name) ? methods[name] : methods[ANY_METHOD];
}
