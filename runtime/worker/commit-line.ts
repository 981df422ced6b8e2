// Runs that have something to append, in the order in which they had, and how many commits of theirs are under way.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { Committing } from "./committing.ts";
import type { SentTurn } from "./outbox.ts";

/** A run, and the turn of it that is on its way. */
export interface Pair {
  readonly run: Committing;
  readonly sent: SentTurn;
}

export interface CommitLimits {
  /** Commits under way at once. */
  readonly concurrency: number;
  readonly runsPerCommit: () => number;
  readonly maxBytesPerCommit: number;
}

export class CommitLine {
  readonly #limits: CommitLimits;
  readonly #runs = new Set<Committing>();
  #underWay = 0;
  #commits = 0;

  constructor(limits: CommitLimits) {
    this.#limits = limits;
  }

  /** Runs that wait for a commit, or for the answer to one. */
  get size(): number {
    return this.#runs.size + this.#underWay;
  }

  get mayGo(): boolean {
    return this.#runs.size > 0 && this.#commits < this.#limits.concurrency;
  }

  add(run: Committing): void {
    this.#runs.add(run);
  }

  clear(): void {
    this.#runs.clear();
  }

  /** The next commit, as far as its limits allow; empty when nobody has a turn to send. `ended` has to be called for others. */
  begin(): readonly Pair[] {
    const { runsPerCommit, maxBytesPerCommit } = this.#limits;
    const mostRuns = runsPerCommit();
    const batch: Pair[] = [];
    let bytes = 0;
    for (const run of this.#runs) {
      if (batch.length >= mostRuns || bytes >= maxBytesPerCommit) break;
      this.#runs.delete(run);
      const sent = run.takeTurn();
      if (sent === undefined) continue;
      bytes += sent.bytes;
      batch.push({ run, sent });
    }
    if (batch.length > 0) this.#commits++;
    this.#underWay += batch.length;
    return batch;
  }

  ended(batch: readonly Pair[]): void {
    this.#commits--;
    this.#underWay -= batch.length;
    // A line that lost count would hold its runs back for ever, or claims by its size.
    const isCounted = this.#commits > 0 ? this.#underWay > 0 : this.#commits === 0 && this.#underWay === 0;
    if (!isCounted) invariant(false, "a commit ends once", { commits: this.#commits, underWay: this.#underWay });
  }
}
