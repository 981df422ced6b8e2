// Waits for runs to close: woken by hints, with a regular look at all that are waited for as the net.

import type { StoredEvent } from "../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import { FewMap } from "../../sdk/workflow/few-map.ts";
import type { ClientStore } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { CancelTimer, World } from "../world/world.ts";
import type { LocalWorkers } from "./local-workers.ts";

export interface StoredOutcome {
  readonly status: ClosedStatus;
  readonly event: StoredEvent;
}

export interface OutcomeCaller {
  closed(outcome: StoredOutcome): void;
  /** The run is not there any more: it closed and was deleted, and nobody here has heard of it. */
  gone(): void;
  /** The waiter itself was closed: nobody looks any more. */
  abandoned(): void;
}

interface Waiting {
  readonly callers: FewMap<OutcomeCaller, OutcomeCaller>;
  readonly unsubscribe: () => void;
}

export interface OutcomeWaiterOptions {
  readonly store: ClientStore;
  readonly wakeups: Wakeups;
  readonly world: World;
  readonly pollMs: number;
  readonly locals: LocalWorkers;
}

const MAX_RUNS_PER_LOOK = 1_000;
/** In polls: what is deleted before its end was heard of tells nobody, and a wait for it would never end. */
const LOOK_FOR_GONE_EVERY = 10;

export class OutcomeWaiter {
  readonly #options: OutcomeWaiterOptions;
  readonly #waiting = new Map<string, Waiting>();
  readonly #stopListening: () => void;
  #hinted = new Set<string>();
  #isScheduled = false;
  #isLooking = false;
  #cancelPoll: CancelTimer | undefined;
  #polls = 0;

  constructor(options: OutcomeWaiterOptions) {
    this.#options = options;
    this.#stopListening = options.locals.onClosed((runId, outcome) => this.#tell(runId, outcome));
  }

  /** Tells the caller once the run is closed, unless it leaves before. */
  wait(runId: string, caller: OutcomeCaller): void {
    let waiting = this.#waiting.get(runId);
    if (waiting === undefined) {
      const unsubscribe = this.#options.wakeups.subscribe(`run/${runId}`, () => this.#look([runId]));
      waiting = { callers: new FewMap(), unsubscribe };
      this.#waiting.set(runId, waiting);
    }
    waiting.callers.set(caller, caller);
    // It may have closed before anybody listened. What is executed here has not, and its end will be told.
    if (!this.#options.locals.carries(runId)) this.#look([runId]);
    this.#schedulePoll();
  }

  /** The caller waits no more. */
  leave(runId: string, caller: OutcomeCaller): void {
    const waiting = this.#waiting.get(runId);
    if (waiting === undefined || !waiting.callers.delete(caller) || waiting.callers.size > 0) return;
    waiting.unsubscribe();
    this.#waiting.delete(runId);
  }

  close(): void {
    this.#cancelPoll?.();
    this.#stopListening();
    const abandoned = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const { unsubscribe, callers } of abandoned) {
      unsubscribe();
      for (const caller of callers.values()) caller.abandoned();
    }
  }

  #look(runIds: Iterable<string>): void {
    for (const runId of runIds) this.#hinted.add(runId);
    if (this.#isScheduled || this.#isLooking || this.#hinted.size === 0) return;
    this.#isScheduled = true;
    this.#options.world.clock.afterDrain(() => {
      this.#isScheduled = false;
      void this.#read();
    });
  }

  async #read(): Promise<void> {
    const runIds = [...this.#hinted].filter((runId) => this.#waiting.has(runId)).slice(0, MAX_RUNS_PER_LOOK);
    for (const runId of runIds) this.#hinted.delete(runId);
    if (runIds.length === 0) {
      this.#hinted.clear();
      return;
    }
    this.#isLooking = true;
    try {
      const outcomes = await this.#options.store.readOutcomes(runIds);
      for (const [runId, outcome] of outcomes) this.#tell(runId, outcome);
    } catch (error) {
      this.#options.world.log.debug({ error: String(error) }, "cannot look for results, looking again later");
    } finally {
      this.#isLooking = false;
      this.#look([]);
    }
  }

  #tell(runId: string, outcome: StoredOutcome): void {
    this.#end(runId, (caller) => caller.closed(outcome));
  }

  #end(runId: string, tell: (caller: OutcomeCaller) => void): void {
    const waiting = this.#waiting.get(runId);
    if (waiting === undefined) return;
    waiting.unsubscribe();
    this.#waiting.delete(runId);
    for (const caller of waiting.callers.values()) tell(caller);
  }

  #schedulePoll(): void {
    if (this.#cancelPoll !== undefined) return;
    const { world, pollMs } = this.#options;
    this.#cancelPoll = world.clock.setTimer(pollMs * (0.75 + world.chance.float() / 2), () => {
      this.#cancelPoll = undefined;
      if (this.#waiting.size === 0) return;
      const elsewhere = [...this.#waiting.keys()].filter((runId) => !this.#options.locals.carries(runId));
      this.#look(elsewhere);
      if (++this.#polls % LOOK_FOR_GONE_EVERY === 0) void this.#lookForGone(elsewhere);
      this.#schedulePoll();
    });
  }

  async #lookForGone(runIds: readonly string[]): Promise<void> {
    const { store, world } = this.#options;
    try {
      for (let first = 0; first < runIds.length; first += MAX_RUNS_PER_LOOK) {
        const missing = await store.missingRuns(runIds.slice(first, first + MAX_RUNS_PER_LOOK));
        for (const runId of missing) this.#end(runId, (caller) => caller.gone());
      }
    } catch (error) {
      world.log.debug({ error: String(error) }, "cannot look for runs that are gone, looking again later");
    }
  }
}
