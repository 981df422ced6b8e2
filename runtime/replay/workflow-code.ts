// The code of one run, and when it may run. It begins once, runs in turns, and ends or breaks off. Nothing but the history
// wakes it: code that asks for something or ends between two turns was woken by something else. While a query, a validator
// or a condition is evaluated, it may only look. Time and chance, as the code sees them, come from the history.

import { EverstepError, invariant } from "../../sdk/protocol/errors.ts";
import type { CancelRequested, HistoryEvent } from "../../sdk/protocol/event.ts";
import { CanceledFailure, isCanceled } from "../../sdk/protocol/failures.ts";
import { decodePayload, type Payload } from "../../sdk/protocol/payload.ts";
import { type SeededRandom, seededRandom } from "../../sdk/protocol/random.ts";
import { currentAmbient, runWithAmbient } from "../../sdk/workflow/ambient.ts";
import { CancelScope } from "../../sdk/workflow/cancel-scope.ts";
import type { Answerable, RunContext } from "../../sdk/workflow/run-context.ts";
import type { AnyWorkflow } from "../../sdk/workflow/workflow.ts";
import { askedFromOutside, endedFromOutside } from "./foreign-wait.ts";
import { type Outcome, returned, threw } from "./outcome.ts";
import type { RunFacts } from "./run-info.ts";
import type { CalledHandler, HandlerKind, WorkflowHooks } from "./workflow-hooks.ts";

export interface CodeOptions {
  readonly workflow: AnyWorkflow;
  readonly run: RunFacts;
  /** Interceptors around the code. Default: none. */
  readonly hooks?: WorkflowHooks | undefined;
}

const NEVER: Promise<never> = new Promise(() => {});

export class WorkflowCode {
  readonly #options: CodeOptions;
  readonly #context: RunContext;
  readonly #onEnd: (outcome: Outcome) => void;
  readonly #rootScope = new CancelScope(null);
  // Most code never draws: a generator is made for the first that does.
  #seed = "";
  #random: SeededRandom | undefined;
  #now = 0;
  #turns = 0;
  #phase: "fresh" | "started" | "ended" = "fresh";
  #isInTurn = false;
  #isReadOnly = false;
  #isCancelRequested = false;
  #outcome: Outcome | undefined;
  #broken: EverstepError | undefined;

  /** `context`: what the code finds when it asks. `onEnd`: the main function has ended. */
  constructor(options: CodeOptions, context: RunContext, onEnd: (outcome: Outcome) => void) {
    this.#options = options;
    this.#context = context;
    this.#onEnd = onEnd;
  }

  get hasBegun(): boolean {
    return this.#phase !== "fresh";
  }

  get hasEnded(): boolean {
    return this.#phase === "ended";
  }

  get isInTurn(): boolean {
    return this.#isInTurn;
  }

  /** What is called now may only look. */
  get isReadOnly(): boolean {
    return this.#isReadOnly;
  }

  /** It has begun, and neither ended nor broken off. */
  get goesOn(): boolean {
    return this.#phase === "started" && this.#broken === undefined;
  }

  /** The run was told to cancel before its code ended. */
  get isCancelRequested(): boolean {
    return this.#isCancelRequested;
  }

  /** How the main function ended, once it has. */
  get outcome(): Outcome | undefined {
    return this.#outcome;
  }

  /** Why this run cannot go on as it is: divergence, foreign wait, unreadable payload. */
  get broken(): EverstepError | undefined {
    return this.#broken;
  }

  get now(): number {
    return this.#now;
  }

  /** How many events have let code run: the place in the history of what comes to the run now. */
  get turns(): number {
    return this.#turns;
  }

  get random(): SeededRandom {
    this.#random ??= seededRandom(this.#seed);
    return this.#random;
  }

  // ---------------------------------------------------------------- as history says

  /** Chance begins anew from here. */
  seed(seed: string): void {
    this.#seed = seed;
    this.#random = undefined;
  }

  passTime(at: number): void {
    this.#now = Math.max(this.#now, at);
  }

  /** Calls the main function, up to its first wait. */
  begin(storedInput: Payload): void {
    const { workflow, run, hooks } = this.#options;
    invariant(this.#phase === "fresh", "a run begins once", { runId: run.runId });
    this.#phase = "started";
    this.#isInTurn = true;
    const { main } = workflow;
    let input: unknown;
    try {
      input = decodePayload(storedInput, `input of run ${run.workflowId}`);
    } catch (error) {
      return this.breakOff(error);
    }
    this.inContext(() => {
      try {
        const result =
          hooks === undefined ? main(input as never) : hooks.execute(this.#context.info, () => main(input as never));
        Promise.resolve(result).then(
          (value) => this.#end(() => returned(value, workflow.name)),
          (error) => this.fail(error),
        );
      } catch (error) {
        this.fail(error);
      }
    });
  }

  /** Lets code run by what `wake` settles. */
  turn(at: number, wake: () => void): boolean {
    this.beginTurn(at);
    wake();
    return true;
  }

  /** Code may run, by what is settled now. */
  beginTurn(at: number): void {
    this.#now = Math.max(this.#now, at);
    this.#turns++;
    this.#isInTurn = true;
  }

  /** The code is quiet. */
  endTurn(): void {
    this.#isInTurn = false;
  }

  /** The run is told to cancel. Once: whoever asks again has been heard. */
  cancel({ at, reason }: CancelRequested & HistoryEvent): boolean {
    if (this.#isCancelRequested || this.#phase === "ended") return false;
    this.#isCancelRequested = true;
    return this.turn(at, () => this.#rootScope.cancel(new CanceledFailure(reason)));
  }

  /** The run was ended around its code. */
  close(): void {
    this.#phase = "ended";
  }

  // ---------------------------------------------------------------- as the code does

  /** The run ends by what its code threw. */
  fail(error: unknown): void {
    this.#end(() => threw(error, this.#options.workflow.name, this.#isCancelRequested));
  }

  /** A promise of this run's code was rejected with nobody there to handle it: the run fails, as a process would. */
  rejectedUnhandled(reason: unknown): void {
    // A cancellation rejects everything that waits in its scope. What nobody awaits has stopped, as it was told to: that
    // must not end the run, nor cut short what cleans up.
    if (!isCanceled(reason)) this.fail(reason);
  }

  #end(decide: () => Outcome): void {
    if (!this.goesOn) return;
    if (!this.#isInTurn) return this.breakOff(endedFromOutside(this.#options.run));
    this.#phase = "ended";
    this.#outcome = decide();
    this.#onEnd(this.#outcome);
  }

  breakOff(error: unknown): void {
    const { workflowId } = this.#options.run;
    this.#broken ??=
      error instanceof EverstepError
        ? error
        : new EverstepError("INVARIANT_BROKEN", `Run ${workflowId}: ${messageOf(error)}`, { cause: error });
    this.#isInTurn = false;
  }

  /** Throws what `caller` did wrong, where it may not ask for anything now. */
  refuseToAsk(caller: string): void {
    this.refuseInReadOnly(caller);
    if (this.#isInTurn || this.#phase === "ended") return;
    const error = askedFromOutside(this.#options.run, caller);
    this.breakOff(error);
    throw error;
  }

  refuseInReadOnly(caller: string): void {
    if (!this.#isReadOnly) return;
    const { runId, workflowId } = this.#options.run;
    const message = `${caller} was called in a query handler or a condition of run ${workflowId}. Those may only look at the run's state; move the call into the workflow function.`;
    throw new EverstepError("COMMAND_IN_READ_ONLY", message, { details: { runId, caller } });
  }

  /** What the code waits for instead of what it asks for: for ever after its end; not at all in a canceled scope. */
  insteadIn(scope: CancelScope, { onAnswer }: Answerable = {}): Promise<never> | undefined {
    if (this.#phase === "ended") return NEVER;
    const { canceledBy } = scope;
    if (canceledBy === undefined) return undefined;
    onAnswer?.({ isFailed: true, error: canceledBy });
    return Promise.reject(canceledBy);
  }

  // ---------------------------------------------------------------- calling it

  /** Calls `body` as code of the run. */
  inContext<T>(body: () => T): T {
    return runWithAmbient({ kind: "workflow", run: this.#context, scope: this.#rootScope }, body);
  }

  /** In the place of the caller: under the locks that are held around it. */
  inScope<T>(scope: CancelScope, body: () => T): T {
    const around = currentAmbient();
    const held = around?.kind === "workflow" ? around.held : undefined;
    return runWithAmbient({ kind: "workflow", run: this.#context, scope, ...(held && { held }) }, body);
  }

  /** Calls a handler, with the interceptors around it. */
  around<T>(kind: HandlerKind, called: CalledHandler, body: () => T): T {
    const { hooks } = this.#options;
    return hooks === undefined ? body() : hooks.handle(kind, { info: this.#context.info, ...called }, body);
  }

  /** Calls `body` as code that may change nothing, with chance of its own: the run's must not move by being looked at. */
  lookingOnly<T>(seed: string, body: () => T): T {
    const random = this.#random;
    this.#random = seededRandom(seed);
    try {
      return this.readOnly(() => this.inContext(body));
    } finally {
      this.#random = random;
    }
  }

  readOnly<T>(body: () => T): T {
    const before = this.#isReadOnly;
    this.#isReadOnly = true;
    try {
      return body();
    } finally {
      this.#isReadOnly = before;
    }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
