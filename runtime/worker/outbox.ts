// What a run has to append, in order, until it is committed.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { Event } from "../../sdk/protocol/event.ts";
import { type EventRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { Errand } from "../store/errands.ts";
import type { AppendTurn, Claim, Successor, TurnEffects } from "../store/store.ts";

export interface Outgoing {
  readonly event: Event;
  /** For TimerFired: when the timer is due, by the store's clock. */
  readonly notBefore?: number;
  readonly close?: ClosedStatus;
  /** For RunContinued: the run that follows, started with this event. */
  readonly successor?: Successor;
  /** What the event asks of another run. */
  readonly errand?: Errand;
  /** With `close`: other runs have to be told, or to be dealt with. */
  readonly hasKin?: boolean;
}

/** A turn on its way, with the events it is made of. Frozen: it is sent again as it is, or not at all. */
export interface SentTurn {
  readonly turn: AppendTurn;
  readonly events: readonly Event[];
  readonly bytes: number;
}

export class Outbox {
  #waiting: Outgoing[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  push(outgoing: Outgoing): void {
    this.#waiting.push(outgoing);
  }

  /**
   * Forgets what was to be said about a command that the code took back. What came by mail is kept: the mailbox is read
   * once, and its order is part of the history.
   */
  forget(command: number): void {
    const isForgotten = (event: Event) => "command" in event && event.command === command && !("mail" in event);
    this.#waiting = this.#waiting.filter(({ event }) => !isForgotten(event));
  }

  /** Takes back an end that is not on its way yet, because something comes before it. True when there was one. */
  withdrawClose(): boolean {
    const before = this.#waiting.length;
    this.#waiting = this.#waiting.filter(({ close }) => close === undefined);
    return this.#waiting.length < before;
  }

  take(
    claim: Claim,
    head: { readonly events: number; readonly takenMail: number },
    tag: string,
    most: number,
  ): SentTurn {
    const taken = this.#cut(most);
    const events: Event[] = [];
    const records: EventRecord[] = [];
    let takenMail = head.takenMail;
    let notBefore: number | null = null;
    let close: ClosedStatus | null = null;
    let bytes = 0;
    for (const outgoing of taken) {
      if (close !== null) invariant(false, "nothing follows the end of a run", { runId: claim.runId });
      const { event, notBefore: due } = outgoing;
      if ("mail" in event) takenMail = Math.max(takenMail, event.mail);
      if (due !== undefined) notBefore = Math.max(notBefore ?? due, due);
      close = outgoing.close ?? null;
      const record = toRecord(event);
      bytes += sizeOf(record);
      events.push(event);
      records.push(record);
    }
    const effects = effectsOf(taken);
    const turn: AppendTurn = { claim, tag, base: head.events, events: records, takenMail, notBefore, close, effects };
    return { turn, events, bytes };
  }

  #cut(most: number): Outgoing[] {
    if (this.#waiting.length > most) return this.#waiting.splice(0, most);
    const all = this.#waiting;
    this.#waiting = [];
    return all;
  }
}

/** Null for what concerns no other run: that is appended by the fastest way. */
function effectsOf(taken: readonly Outgoing[]): TurnEffects | null {
  const errands = taken.flatMap(({ errand }) => errand ?? []);
  const successor = taken.at(-1)?.successor ?? null;
  return errands.length === 0 && successor === null && taken.at(-1)?.hasKin !== true ? null : { errands, successor };
}

// What a row weighs besides its texts, roughly: good enough to bound a batch and the memory of a run.
const ROW_BYTES = 64;

export function sizeOf(record: EventRecord): number {
  return (record.payload?.length ?? 0) + (record.data?.length ?? 0) + ROW_BYTES;
}
