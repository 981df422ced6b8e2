// One thing done to many runs: to each by a call of its own, with ids made of the bulk's, so that a bulk that was cut short
// is repeated without doing anything twice.

import { EverstepError } from "../protocol/errors.ts";
import { assertName } from "../protocol/names.ts";
import { isClosed, OPEN_STATUSES, type RunSummary } from "../protocol/run.ts";
import { assertVersion } from "../protocol/versions.ts";
import type { SignalDefinition } from "../workflow/signal.ts";
import type { StepDefinition } from "../workflow/step.ts";
import { type ActorOptions, actingAs } from "./acting.ts";
import type { BulkCounts, BulkReport, BulkResult } from "./bulk-report.ts";
import { type BulkWalk, goThrough } from "./bulk-walk.ts";
import type { Acting, Deed, FilterCall, ForkCall, FrontDoor, RunReference, StepReportCall } from "./front-door.ts";
import { filterCall, type RunFilter } from "./run-filter.ts";
import {
  type AnyStep,
  type ForkOptions,
  forkCall,
  type ResetOptions,
  type RetriedWork,
  retryCall,
  signalCall,
  stepNameOf,
  type WithInput,
} from "./run-handle.ts";
import { completion, failing } from "./step-reports.ts";

export interface BulkOptions extends ActorOptions {
  /** Which runs are meant, as for `list`. `{}` is all that the action is for. */
  readonly where: RunFilter;
  /**
   * Finds the runs, looks for each whether the action could be done to it, and does nothing. What hangs on what comes
   * meanwhile, or on the runs before it, cannot be foreseen. Default false.
   */
  readonly isDryRun?: boolean;
  /** Runs that are dealt with at once, 1 to 100. Default 10. */
  readonly concurrency?: number;
  /** Once it is aborted no other run is begun with; the report says so. */
  readonly signal?: AbortSignal | undefined;
  /** Of the bulk that is repeated, as its `bulkId` or its report said. Default: a new one. */
  readonly bulkId?: string | undefined;
  /** Called with what became of each run. What it throws ends the bulk. */
  readonly onRun?: ((result: BulkResult) => void) | undefined;
  /** Called after each page of at most 100 runs. What it throws ends the bulk. */
  readonly onProgress?: ((counts: BulkCounts) => void) | undefined;
}

/** The same for all runs, or made for each. */
type ForEach<Options> = Options | ((run: RunSummary) => Options);

const RUN_ID = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const MOST_AT_ONCE = 100;
const OPEN: FilterCall = { status: OPEN_STATUSES };

/**
 * One action on all runs of a filter: begun by the method that names it, once. Each run is dealt with by a call like that of
 * its handle, in a transaction of its own; an error of one keeps none of the others back. Runs that are started meanwhile are
 * not touched, nor are they when the bulk is repeated, but for those of the second after it was first made.
 *
 * Every method resolves to the report, and throws ARGUMENT_INVALID, or STORE_UNAVAILABLE when runs cannot be listed.
 */
export class Bulk {
  /** Known before anything is done: keep it to repeat the bulk should this process end. */
  readonly bulkId: string;
  readonly #door: FrontDoor;
  readonly #where: FilterCall;
  readonly #walk: BulkWalk;
  readonly #by: Acting;
  #hasBegun = false;

  /** Bulks come from a `Client`. Throws ARGUMENT_INVALID. */
  constructor(door: FrontDoor, options: BulkOptions) {
    const { where, isDryRun = false, concurrency = 10, signal, bulkId: given, onRun, onProgress } = options;
    if (typeof where !== "object" || where === null) throw invalid("where", "takes a filter, as list() does");
    if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > MOST_AT_ONCE) {
      throw invalid("concurrency", `takes a whole number from 1 to ${MOST_AT_ONCE}; got ${String(concurrency)}`);
    }
    if (given !== undefined && !RUN_ID.test(given)) throw invalid("bulkId", "takes the id that an earlier bulk had");
    const { bulkId, after } = door.openBulk(given);
    this.#door = door;
    this.#where = filterCall(where);
    this.#walk = { bulkId, after, isDryRun, concurrency, signal, onRun, onProgress };
    this.#by = actingAs(options, undefined);
    this.bulkId = bulkId;
  }

  get #asked(): { readonly requestId: string } & Acting {
    return { requestId: this.bulkId, ...this.#by };
  }

  /** Open runs that are not paused. */
  pause(reason = "paused by the client"): Promise<BulkReport> {
    return this.#each({ ...OPEN, isPaused: false }, (to) => this.#door.pause(to, reason, this.#asked));
  }

  /** Paused runs. */
  resume(): Promise<BulkReport> {
    return this.#each({ ...OPEN, isPaused: true }, (to) => this.#door.resume(to, this.#asked));
  }

  /** Blocked runs. */
  unblock(): Promise<BulkReport> {
    return this.#each({ status: ["blocked"] }, (to) => this.#door.unblock(to, this.#asked));
  }

  /** Open runs. */
  cancel(reason = "canceled by the client"): Promise<BulkReport> {
    return this.#each(OPEN, (to) => this.#door.cancel(to, reason, this.#by));
  }

  /** Open runs. */
  terminate(reason = "terminated by the client"): Promise<BulkReport> {
    return this.#each(OPEN, (to) => this.#door.terminate(to, reason, this.#by));
  }

  /**
   * Open runs: to another version of their workflow, as by `moveTo` of a run. Those that are of it already stay as they are,
   * and count as done. Null: to the workflow without a version.
   */
  async moveTo(version: string | null): Promise<BulkReport> {
    if (version !== null) assertVersion(version, "bulk.moveTo(version)");
    const deed: Deed = { do: "move", version };
    return this.#each(
      OPEN,
      (to) => this.#door.move(to, version, this.#asked),
      () => deed,
    );
  }

  /** Open runs. Also throws PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
  async signal<Payload>(
    signal: SignalDefinition<Payload, unknown>,
    ...[payload]: WithInput<Payload, []>
  ): Promise<BulkReport> {
    assertName(signal.name, "signal name");
    const call = signalCall(signal, payload as Payload, `${this.bulkId}:${signal.name}`);
    return this.#each(OPEN, (to) => this.#door.signal(to, call));
  }

  /** Open runs: their steps that wait for their next attempts, as by `retryNow` of a run. */
  async retryNow(step?: AnyStep): Promise<BulkReport> {
    const call = { which: step === undefined ? null : stepNameOf(step), ...this.#asked };
    const deed: Deed = { do: "retryNow", call };
    return this.#each(
      OPEN,
      (to) => this.#door.retryNow(to, call),
      () => deed,
    );
  }

  /** Open runs: their sleeps, as by `skipSleep` of a run. */
  async skipSleep(timer?: string): Promise<BulkReport> {
    const call = { which: timer ?? null, ...this.#asked };
    const deed: Deed = { do: "skipSleep", call };
    return this.#each(
      OPEN,
      (to) => this.#door.skipSleep(to, call),
      () => deed,
    );
  }

  /** Open runs: the step of this name that waits to be completed. Also throws PAYLOAD_UNSERIALIZABLE, PAYLOAD_TOO_LARGE. */
  completeStep<Result>(
    step: StepDefinition<never, Result>,
    ...[result]: WithInput<NoInfer<Result>, []>
  ): Promise<BulkReport>;
  completeStep(step: string, result?: unknown): Promise<BulkReport>;
  async completeStep(step: AnyStep, result?: unknown): Promise<BulkReport> {
    const call = { ...completion(result, { reportId: this.bulkId }), ...this.#by };
    return this.#report(stepNameOf(step), call);
  }

  /** Open runs: the attempt of the step of this name that waits to be completed. */
  async failStep(step: AnyStep, error: unknown): Promise<BulkReport> {
    const call = { ...failing(error, { reportId: this.bulkId }), ...this.#by };
    return this.#report(stepNameOf(step), call);
  }

  /** Runs of the statuses that `where` names, which it must. */
  async fork(options: ForEach<ForkOptions> = {}): Promise<BulkReport> {
    return this.#fork(callFor(options));
  }

  /** Runs of the statuses that `where` names, which it must. */
  async reset(options: ForEach<ResetOptions> = {}): Promise<BulkReport> {
    const reset = callFor(options);
    return this.#fork((run) => ({ ...reset(run), replaces: true }));
  }

  /** Runs of the statuses that `where` names, which it must. */
  async retryFrom(work?: RetriedWork, options: Pick<ResetOptions, "signals" | "undone"> = {}): Promise<BulkReport> {
    const call = retryCall(work, options);
    return this.#fork(() => call);
  }

  /** Ends and begins runs anew: which of them is not for us to guess. */
  #fork(callOf: (run: RunSummary) => ForkCall): Promise<BulkReport> {
    if (this.#where.status === undefined) {
      throw invalid("where", 'must name a status here, as in { status: "failed" }: also closed runs can be forked');
    }
    const callFor = (run: RunSummary): ForkCall => ({ ...callOf(run), ...this.#by, bulkId: this.bulkId });
    const act = (to: RunReference, run: RunSummary) => this.#door.fork(to, callFor(run));
    return this.#each({}, act, (run) => ({ do: "fork", call: callFor(run) }));
  }

  #report(step: string, call: StepReportCall): Promise<BulkReport> {
    const deed: Deed = { do: "reportStep", step, call };
    return this.#each(
      OPEN,
      (to) => this.#door.reportStep({ to, step }, call),
      () => deed,
    );
  }

  /** `deed`: what may turn out to be impossible; absent where a run that is found is as it has to be. */
  async #each(
    meant: FilterCall,
    act: (to: RunReference, run: RunSummary) => Promise<unknown>,
    deed?: (run: RunSummary) => Deed,
  ): Promise<BulkReport> {
    if (this.#hasBegun) throw invalid("bulkId", "is of one action: make another bulk for the next");
    this.#hasBegun = true;
    const { status = meant.status, isPaused = meant.isPaused } = this.#where;
    const filter = { ...this.#where, status, isPaused };
    return goThrough(this.#door, filter, this.#walk, {
      act: (run) => act(referenceTo(run), run),
      // Also what cannot be made into a call is an error of its run.
      foresee: deed && (async (run) => this.#door.foresee(referenceTo(run), deed(run))),
    });
  }
}

/** An open run that continues as new before its turn comes goes on in the run that follows. */
function referenceTo({ runId, status }: RunSummary): RunReference {
  return isClosed(status) ? { runId } : { chainOf: runId };
}

/** What is the same for all is looked at once, before the first. */
function callFor(options: ForEach<ForkOptions>): (run: RunSummary) => ForkCall {
  if (typeof options === "function") return (run) => forkCall(options(run));
  const call = forkCall(options);
  return () => call;
}

function invalid(argument: string, why: string): EverstepError {
  return new EverstepError("ARGUMENT_INVALID", `bulk({ ${argument} }) ${why}.`, { details: { argument } });
}
