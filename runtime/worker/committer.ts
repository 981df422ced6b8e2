// Group commit. Whatever runs have to append goes out as one statement for all of them; while it is under way the next
// one fills. No timer and no fixed size: alone, a turn goes out at once; under load, batches form by themselves.
//
// A run has at most one turn on its way. A turn whose answer is lost is resolved by its tag before anything else is said
// about the run; it is sent again as it was, or the run is given up.

import { isEverstepError } from "../../sdk/protocol/errors.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { MailItem } from "../store/mail.ts";
import type { WorkerStore } from "../store/store.ts";
import type { AppendTurn, ResolvedTurn, ToWake } from "../store/turns.ts";
import { Backoff } from "../world/backoff.ts";
import { pause } from "../world/pause.ts";
import type { World } from "../world/world.ts";
import { CommitLine, type Pair } from "./commit-line.ts";
import type { Committing } from "./committing.ts";
import type { StoreClock } from "./store-clock.ts";

export interface CommitterOptions {
  readonly store: WorkerStore;
  readonly world: World;
  readonly storeClock: StoreClock;
  readonly workerId: () => string;
  /** Commits under way at once: of runs that have just begun, and as many of all others. */
  readonly concurrency: number;
  readonly maxRunsPerCommit: number;
  /** In place of `maxRunsPerCommit`, for runs that have not just begun. */
  readonly wokenRunsPerCommit: () => number;
  readonly maxBytesPerCommit: number;
  /** A commit has put mail into mailboxes of other runs than those that it is of. */
  readonly wake: (who: ToWake) => void;
  /** A commit has been answered, whatever the answer. */
  readonly onAnswer: () => void;
}

export interface CommitterCounts {
  commits: number;
  turns: number;
  events: number;
  inDoubt: number;
  refused: number;
}

export class Committer {
  readonly counts: CommitterCounts = { commits: 0, turns: 0, events: 0, inDoubt: 0, refused: 0 };
  readonly #options: CommitterOptions;
  // Lines apart: while thousands are woken at once, a run that begins meanwhile waits neither behind them nor for their commits.
  readonly #begun: CommitLine;
  readonly #others: CommitLine;
  readonly #stopping = new AbortController();
  #isScheduled = false;

  constructor(options: CommitterOptions) {
    this.#options = options;
    const { concurrency, maxRunsPerCommit, maxBytesPerCommit, wokenRunsPerCommit } = options;
    this.#begun = new CommitLine({ concurrency, maxBytesPerCommit, runsPerCommit: () => maxRunsPerCommit });
    this.#others = new CommitLine({ concurrency, maxBytesPerCommit, runsPerCommit: wokenRunsPerCommit });
  }

  /** Runs that wait for a commit, or for the answer to one. */
  get backlog(): number {
    return this.#begun.size + this.#others.size;
  }

  submit(run: Committing): void {
    (run.isNew ? this.#begun : this.#others).add(run);
    this.#schedule();
  }

  /** Ends waiting and retrying. Turns under way are left to whoever owns their runs next. */
  stop(): void {
    this.#stopping.abort();
    this.#begun.clear();
    this.#others.clear();
  }

  /** Finds out what has become of turns, and carries on from there, until each is settled. */
  async #settle(pairs: readonly Pair[]): Promise<void> {
    let open = pairs;
    const backoff = this.#backoff();
    while (open.length > 0) {
      open = open.filter(({ run }) => run.isOurs);
      if (open.length === 0 || this.#stopping.signal.aborted) return;
      try {
        open = await this.#settleOnce(open);
        if (open.length > 0) await this.#pause(this.#msUntilAllowed(open) ?? backoff.next());
      } catch {
        await this.#pause(backoff.next());
      }
    }
  }

  #schedule(): void {
    if (this.#isScheduled || !(this.#begun.mayGo || this.#others.mayGo)) return;
    this.#isScheduled = true;
    this.#options.world.clock.afterDrain(() => {
      this.#isScheduled = false;
      for (const line of [this.#begun, this.#others]) if (line.mayGo) void this.#commitNext(line);
      this.#schedule();
    });
  }

  async #commitNext(line: CommitLine): Promise<void> {
    const batch = line.begin();
    if (batch.length === 0) return;
    try {
      // Turns with effects on other runs go by a way of their own: a batch has only such turns, or none of them.
      const [plain, effective] = [
        batch.filter((pair) => !hasEffects([pair])),
        batch.filter((pair) => hasEffects([pair])),
      ];
      await Promise.all([plain, effective].filter(({ length }) => length > 0).map((part) => this.#append(part)));
    } finally {
      line.ended(batch);
      this.#schedule();
      this.#options.onAnswer();
    }
  }

  async #append(batch: readonly Pair[]): Promise<void> {
    try {
      const unsettled = await this.#send(batch);
      if (unsettled.length > 0) void this.#settle(unsettled);
    } catch (error) {
      if (isEverstepError(error, "STORE_REJECTED")) return this.#isolate(batch, error);
      this.counts.inDoubt += batch.length;
      // Not awaited: the store may be away for long, and other runs' turns must not wait behind these.
      void this.#settle(batch);
    }
  }

  /** Sends turns; tells the committed runs. Answers those that were refused. */
  async #send(batch: readonly Pair[]): Promise<readonly Pair[]> {
    const { store, storeClock } = this.#options;
    const turns = batch.map(({ sent }) => sent.turn);
    const askedAt = this.#options.world.clock.monotonic();
    const { at, committed, mail, toWake } = await (hasEffects(batch)
      ? store.appendWithEffects(turns)
      : store.appendTurns(turns));
    storeClock.observe(at, askedAt);
    this.counts.commits++;
    const refused: Pair[] = [];
    for (const pair of batch) {
      if (committed.has(pair.run.runId)) this.#tellCommitted(pair, at);
      else refused.push(pair);
    }
    if (mail !== undefined) handOver(batch, mail);
    if (toWake !== undefined) this.#options.wake(toWake);
    this.counts.refused += refused.length;
    return refused;
  }

  #tellCommitted({ run, sent }: Pair, at: number): void {
    this.counts.turns++;
    this.counts.events += sent.events.length;
    if (run.isOurs) run.committed(sent, sent.turn.at ?? at);
  }

  /** One turn that the store rejects must not stop the others of its batch. */
  async #isolate(batch: readonly Pair[], error: Error): Promise<void> {
    const [only] = batch;
    if (batch.length === 1 && only !== undefined) {
      if (only.run.isOurs) only.run.rejected(error, only.sent);
      return;
    }
    for (const pair of batch) await this.#append([pair]);
  }

  async #settleOnce(pairs: readonly Pair[]): Promise<readonly Pair[]> {
    const { store, storeClock, workerId } = this.#options;
    const answers = await store.resolveTurns(pairs.map(({ sent }) => sent.turn));
    const byRun = new Map(answers.map((answer) => [answer.runId, answer]));
    const landed: [Pair, number][] = [];
    const again: Pair[] = [];
    for (const pair of pairs) {
      const answer = byRun.get(pair.run.runId);
      if (answer?.landed === true) landed.push([pair, answer.at ?? answer.now]);
      else if (answer?.owned !== true || answer.events !== pair.sent.turn.base) pair.run.lost();
      else if (waitsForMail(pair.sent.turn.close) && answer.newestMail > pair.sent.turn.takenMail) {
        pair.run.mailBeforeClose(pair.sent);
      } else if (isSetBack(pair.sent.turn, answer)) pair.run.giveBack("the store's clock was set back");
      else again.push(this.#noteClock(pair, answer));
    }
    // A commit that was read back may not have reached a standby yet; one that comes after it has.
    if (landed.length > 0) await store.confirm(workerId());
    for (const [pair, at] of landed) {
      storeClock.observe(at);
      this.#tellCommitted(pair, at);
      // The answer that was lost may have had some.
      if (pair.run.isOurs && hasEffects([pair])) pair.run.wantMail();
    }
    const sendable = again.filter((pair) => this.#msUntilAllowed([pair]) === null);
    const early = again.filter((pair) => !sendable.includes(pair));
    if (sendable.length === 0) return early;
    try {
      return [...early, ...(await this.#send(sendable))];
    } catch (error) {
      if (isEverstepError(error, "STORE_REJECTED")) await this.#isolate(sendable, error);
      else return [...early, ...sendable];
      return early;
    }
  }

  #noteClock(pair: Pair, answer: ResolvedTurn): Pair {
    const { notBefore } = pair.sent.turn;
    if (notBefore !== null && answer.now < notBefore) this.#options.storeClock.correct(answer.now);
    else this.#options.storeClock.observe(answer.now);
    return pair;
  }

  /** Until the first of these turns may be sent; null when one may be now. */
  #msUntilAllowed(pairs: readonly Pair[]): number | null {
    const waits = pairs.map(({ sent }) =>
      sent.turn.notBefore === null ? 0 : this.#options.storeClock.msUntil(sent.turn.notBefore),
    );
    const shortestMs = Math.min(...waits);
    return shortestMs > 0 ? shortestMs : null;
  }

  #backoff(): Backoff {
    return new Backoff(this.#options.world.chance, { firstMs: 20, maxMs: 1_000 });
  }

  #pause(ms: number): Promise<void> {
    return pause(this.#options.world.clock, ms, this.#stopping.signal);
  }
}

/** Waiting until it is as late as the code has seen it to be could take hours. */
function isSetBack({ at }: AppendTurn, { now }: ResolvedTurn): boolean {
  return at !== null && now < at - MOST_AHEAD_MS;
}

/** No estimate of the store's clock is ahead by more. */
const MOST_AHEAD_MS = 1_000;

/** A run that continues as new leaves its mail to the next one. */
function waitsForMail(close: ClosedStatus | null): boolean {
  return close !== null && close !== "continuedAsNew";
}

function handOver(batch: readonly Pair[], mail: readonly MailItem[]): void {
  const runs = new Map(batch.map(({ run }) => [run.runId, run]));
  for (const item of mail) runs.get(item.runId)?.receive(item);
}

function hasEffects(batch: readonly Pair[]): boolean {
  return batch.some(({ sent }) => sent.turn.effects !== null);
}
