// What a run has to append, in order, until it is committed.

import { invariant } from "../../sdk/protocol/errors.ts";
import type { Event } from "../../sdk/protocol/event.ts";
import { type EventRecord, toRecord } from "../../sdk/protocol/event-record.ts";
import type { ClosedStatus } from "../../sdk/protocol/run.ts";
import type { AppendTurn, Claim } from "../store/store.ts";

export interface Outgoing {
  readonly event: Event;
  /** For TimerFired: when the timer is due, by the store's clock. */
  readonly notBefore?: number;
  readonly close?: ClosedStatus;
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

  /** Forgets what was to be said about a command that the code took back. */
  forget(command: number): void {
    this.#waiting = this.#waiting.filter(({ event }) => !("command" in event && event.command === command));
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
    const taken = this.#waiting.splice(0, most);
    let takenMail = head.takenMail;
    let notBefore: number | null = null;
    let bytes = 0;
    for (const [place, { event, notBefore: due, close }] of taken.entries()) {
      invariant(close === undefined || place === taken.length - 1, "nothing follows the end of a run", {
        runId: claim.runId,
      });
      if ("mail" in event) takenMail = Math.max(takenMail, event.mail);
      if (due !== undefined) notBefore = Math.max(notBefore ?? due, due);
    }
    const records = taken.map(({ event }) => toRecord(event));
    for (const record of records) bytes += sizeOf(record);
    const turn: AppendTurn = {
      claim,
      tag,
      base: head.events,
      events: records,
      takenMail,
      notBefore,
      close: taken.at(-1)?.close ?? null,
    };
    return { turn, events: taken.map(({ event }) => event), bytes };
  }
}

// What a row weighs besides its texts, roughly: good enough to bound a batch and the memory of a run.
const ROW_BYTES = 64;

export function sizeOf(record: EventRecord): number {
  return (record.payload?.length ?? 0) + (record.data?.length ?? 0) + ROW_BYTES;
}
