// Which run, or which step of it, the code that is executing right now belongs to. The workflow functions are ambient:
// they find their run here, through AsyncLocalStorage, so that authors thread no context through their code.

import { AsyncLocalStorage } from "node:async_hooks";
import { EverstepError } from "../protocol/errors.ts";
import type { CancelScope } from "./cancel-scope.ts";
import type { RunContext } from "./run-context.ts";
import type { StepContext } from "./step.ts";

export interface StepAmbient {
  readonly kind: "step";
  readonly name: string;
  readonly step: StepContext;
  /** Ends the attempt by an error that nobody caught; harmless once it has ended. */
  fail(error: unknown): void;
}

/** A key whose lock is held around the code, and those around that. */
export interface HeldKey {
  readonly key: string;
  readonly outer: HeldKey | undefined;
}

export interface WorkflowAmbient {
  readonly kind: "workflow";
  readonly run: RunContext;
  readonly scope: CancelScope;
  /** Absent where no lock is held around the code. */
  readonly held?: HeldKey | undefined;
}

export type Ambient = WorkflowAmbient | StepAmbient;

// One storage per process, also when the package is loaded twice (once as source, once as built, or in two versions):
// a workflow imported from one copy must find the run that the other copy's worker executes.
export const AMBIENT_KEY = "everstep.ambient.v1";
const STORAGE_KEY: unique symbol = Symbol.for(AMBIENT_KEY);
const registry = globalThis as { [STORAGE_KEY]?: AsyncLocalStorage<Ambient> };
registry[STORAGE_KEY] ??= new AsyncLocalStorage<Ambient>();
const storage: AsyncLocalStorage<Ambient> = registry[STORAGE_KEY];

export function currentAmbient(): Ambient | undefined {
  return storage.getStore();
}

export function runWithAmbient<T>(ambient: Ambient, body: () => T): T {
  return storage.run(ambient, body);
}

/**
 * Rejects a promise with what was ambient of ours where it was made. Of a rejection that nobody handles, Node says whose it is by
 * where the promise was made, and from 24 on by where it was rejected: the two are one for what a run's code is given.
 */
export function rejectWithAmbient(
  ambient: Ambient | undefined,
  reject: (error: unknown) => void,
  error: unknown,
): void {
  if (ambient === undefined) reject(error);
  else storage.run(ambient, reject, error);
}

/** For code that belongs to no run, whoever happens to call it. */
export function runOutsideRuns<T>(body: () => T): T {
  return storage.exit(body);
}

/** The run that the caller belongs to; throws OUTSIDE_WORKFLOW, naming what was called. */
export function requireRun(caller: string): WorkflowAmbient {
  const ambient = storage.getStore();
  if (ambient?.kind === "workflow") return ambient;
  const where =
    ambient === undefined
      ? `${caller} was called where no run is. Call it from a workflow function (or from a function that one calls), executed by a worker.`
      : `${caller} was called inside step "${ambient.name}". A step is plain code that may touch the world; call ${caller} from the workflow function instead.`;
  throw new EverstepError("OUTSIDE_WORKFLOW", where, { details: { caller } });
}
