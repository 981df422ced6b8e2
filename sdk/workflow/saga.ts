// Undoing what was done when the rest cannot be done. Nothing is stored for it but the steps, and that it has begun: a replay
// registers the same compensations again, so they survive every process.

import { EverstepError } from "../protocol/errors.ts";
import { CanceledFailure } from "../protocol/failures.ts";
import { requireRun } from "./ambient.ts";
import { CancelScope } from "./cancel-scope.ts";
import { CompensationFailure, type FailedCompensation } from "./compensation-failure.ts";
import type { RunContext } from "./run-context.ts";
import { stopScope } from "./stop-scope.ts";

export interface SagaOptions {
  /** "reverse": one after the other, the last added first. "parallel": all at once. Default "reverse". */
  readonly order?: "reverse" | "parallel";
  /** When a compensation fails: go on with the others, or stop there. Default "continue". */
  readonly onFailure?: "continue" | "stop";
}

/** Collects what would undo what has been done so far. */
export interface Compensations {
  /**
   * Adds a compensation, to be called at most once. Add it before the step when the step may have had its effect although
   * it failed (and make it bear that there was none), after the step when not.
   *
   * Throws ARGUMENT_INVALID for an unusable name or function, and when the saga has ended: it would never be called.
   */
  add(name: string, compensation: () => unknown): void;
}

export interface Saga extends Compensations {
  /**
   * Calls the compensations that were added, out of reach of any cancellation, and ends the saga. `cause` is what made it
   * necessary. Rejects with `CompensationFailure` when one of them failed. A second call has the outcome of the first.
   */
  compensate(cause?: unknown): Promise<void>;
}

/**
 * Runs `body`; when it throws or is canceled, cancels what is left of it, waits until that has ended, calls the
 * compensations that it added, and throws the same error on. In them steps, timers and waits work as ever, also in a
 * canceled run. When a compensation fails as well, it rejects with `CompensationFailure`, caused by that error: a run that
 * is left half undone ends as failed, even if it was canceled.
 *
 * Without a body it gives the saga itself, for code that decides when to compensate.
 *
 * Rejects with `CanceledFailure`, and does not call `body`, when the run or its scope is canceled before. Throws
 * ARGUMENT_INVALID and OUTSIDE_WORKFLOW.
 */
export function saga<Result>(body: (undo: Compensations) => Promise<Result>, options?: SagaOptions): Promise<Result>;
export function saga(options?: SagaOptions): Saga;
export function saga<Result>(
  bodyOrOptions?: ((undo: Compensations) => Promise<Result>) | SagaOptions,
  options: SagaOptions = {},
): Promise<Result> | Saga {
  const { run, scope } = requireRun("saga()");
  if (typeof bodyOrOptions !== "function") return new OpenSaga(run, checked(bodyOrOptions ?? {}));
  return around(bodyOrOptions, new OpenSaga(run, checked(options)), run, scope);
}

async function around<Result>(
  body: (undo: Compensations) => Promise<Result>,
  undo: OpenSaga,
  run: RunContext,
  outer: CancelScope,
): Promise<Result> {
  run.refuseInReadOnly("saga()");
  if (outer.canceledBy !== undefined) throw outer.canceledBy;
  const scope = new CancelScope(outer);
  try {
    const result = await run.runInScope(scope, () => body(undo));
    undo.close();
    return result;
  } catch (error) {
    // What a step that is still under way has done must be undone as well.
    await stopScope(run, scope, new CanceledFailure("the saga that this belongs to is undone"));
    await undo.compensate(error);
    throw error;
  }
}

interface Compensation {
  readonly name: string;
  readonly compensation: () => unknown;
}

class OpenSaga implements Saga {
  readonly #run: RunContext;
  readonly #options: Required<SagaOptions>;
  readonly #added: Compensation[] = [];
  readonly #failures: FailedCompensation[] = [];
  readonly #since: number;
  #isClosed = false;
  #compensated: Promise<void> | undefined;

  constructor(run: RunContext, options: Required<SagaOptions>) {
    this.#run = run;
    this.#options = options;
    this.#since = run.seenEvents;
  }

  add(name: string, compensation: () => unknown): void {
    if (typeof name !== "string" || name === "" || typeof compensation !== "function") {
      const message = "saga.add() takes a name and a function that undoes what was done.";
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "compensation" } });
    }
    if (this.#isClosed) {
      const message = `Compensation "${name}" of run ${this.#run.info.workflowId} was added when its saga had ended, so it would never be called. Add it while the saga's body runs.`;
      throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "name", name } });
    }
    this.#added.push({ name, compensation });
  }

  close(): void {
    this.#isClosed = true;
  }

  compensate(cause?: unknown): Promise<void> {
    this.#compensated ??= this.#compensate(cause);
    return this.#compensated;
  }

  async #compensate(cause: unknown): Promise<void> {
    if (this.#added.length > 0) this.#run.beginCompensation(this.#since);
    await this.#run.runInScope(new CancelScope(null), () => this.#undoAll());
    this.close();
    if (this.#failures.length === 0) return;
    const skipped = this.#added.splice(0).map(({ name }) => name);
    throw new CompensationFailure(this.#failures, skipped.reverse(), cause);
  }

  // What is added meanwhile is undone as well.
  async #undoAll(): Promise<void> {
    const { order, onFailure } = this.#options;
    while (this.#added.length > 0 && (onFailure === "continue" || this.#failures.length === 0)) {
      const next = order === "parallel" ? this.#added.splice(0).reverse() : this.#added.splice(-1);
      await Promise.all(next.map((each) => this.#undo(each)));
    }
  }

  async #undo({ name, compensation }: Compensation): Promise<void> {
    try {
      await compensation();
    } catch (error) {
      this.#failures.push({ name, error });
    }
  }
}

function checked({ order = "reverse", onFailure = "continue" }: SagaOptions): Required<SagaOptions> {
  const check = (value: unknown, argument: string, allowed: readonly string[]) => {
    if (allowed.includes(value as string)) return;
    const message = `saga({ ${argument} }) is ${allowed.map((one) => `"${one}"`).join(" or ")}; got ${String(value)}.`;
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument } });
  };
  check(order, "order", ["reverse", "parallel"]);
  check(onFailure, "onFailure", ["continue", "stop"]);
  return { order, onFailure };
}
