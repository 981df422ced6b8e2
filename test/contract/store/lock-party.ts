// A run that asks for locks and lets go of them, as its owner would have it.

import { expect } from "vitest";
import type { ClaimedRun } from "../../../runtime/store/claims.ts";
import { type Answer, eventOfAnswer } from "../../../runtime/store/errands.ts";
import type { LockChanges } from "../../../runtime/store/locks.ts";
import type { MailItem } from "../../../runtime/store/mail.ts";
import type { AppendAnswer, AppendTurn, Successor } from "../../../runtime/store/turns.ts";
import type { Event, LockGranted } from "../../../sdk/protocol/event.ts";
import { type Stage, turnOf } from "./stage.ts";

interface Wanted {
  readonly permits?: number;
  readonly capacity?: number;
}

/** A run that asks and lets go, one turn after the other. */
export class Party {
  readonly run: ClaimedRun;
  readonly #stage: Stage;
  #events: number;
  #commands = 0;
  /** The number of the command that asked last. */
  get command(): number {
    return this.#commands;
  }

  constructor(stage: Stage, run: ClaimedRun) {
    this.#stage = stage;
    this.run = run;
    this.#events = run.events;
  }

  asking(key: string, { permits = 1, capacity = 1 }: Wanted = {}): AppendTurn {
    this.#commands += 1;
    const command = this.#commands;
    const request = { runId: this.run.runId, command, key, permits, capacity };
    return this.turn(
      { requests: [request], releases: [] },
      { type: "LockRequested", command, name: key, permits, capacity },
    );
  }

  releasing(key: string, command = this.#commands): AppendTurn {
    const releases = [{ runId: this.run.runId, command }];
    return this.turn({ requests: [], releases }, { type: "LockReleased", command, name: key });
  }

  turn(locks: LockChanges, ...events: Event[]): AppendTurn {
    return turnOf(this.run, { base: this.#events, effects: { errands: [], successor: null, locks } }, ...events);
  }

  /** What the last turn of a run says that the store keeps places for. */
  async ending(successor: Successor | null = null): Promise<Pick<AppendTurn, "base" | "takenMail" | "effects">> {
    const { runId } = this.run;
    const takenMail = (await this.#stage.store.readMail([{ runId, after: 0 }], 1_000)).length;
    const locks = { requests: [], releases: [{ runId, command: null }] };
    return { base: this.#events, takenMail, effects: { errands: [], successor, locks } };
  }

  /** How many events its history has. */
  get events(): number {
    return this.#events;
  }

  async commit(turn: AppendTurn): Promise<AppendAnswer> {
    const answer = await this.#stage.store.appendWithEffects([turn]);
    expect([...answer.committed]).toEqual([this.run.runId]);
    this.#events += turn.events.length;
    return answer;
  }

  /** Grants that its mailbox has. */
  async grants(): Promise<LockGranted[]> {
    return grantsIn(await this.#stage.store.readMail([{ runId: this.run.runId, after: 0 }], 1_000));
  }
}

export function grantsIn(mail: readonly MailItem[]): LockGranted[] {
  return mail
    .filter(({ kind }) => kind === "answer")
    .map(({ payload, mail: place }) => eventOfAnswer(JSON.parse(payload ?? "") as Answer, place) as LockGranted);
}
