// What a live run knows of its mailbox: how far it has read, whether it is reading, and whether what it reads comes before
// its first line.

import type { Event } from "../../sdk/protocol/event.ts";
import type { Answer } from "../store/errands.ts";
import type { MailItem } from "../store/store.ts";

/** An event that comes by mail. */
type MailedEvent = Extract<Event, { mail: number }>;

export class RunMail {
  #known: number;
  #requests = 0;
  #isReading = false;
  #isEarly = false;

  /** `taken`: the position that is in the history already. */
  constructor(taken: number) {
    this.#known = taken;
  }

  /** The newest item that was read. */
  get known(): number {
    return this.#known;
  }

  /** How often mail was announced. */
  get requests(): number {
    return this.#requests;
  }

  get isReading(): boolean {
    return this.#isReading;
  }

  /** The main function has not begun and waits for the signals that are there before its first line. */
  get isEarly(): boolean {
    return this.#isEarly;
  }

  holdFirstLine(): void {
    this.#isEarly = true;
  }

  /** True when there was something to hold. */
  releaseFirstLine(): boolean {
    const wasEarly = this.#isEarly;
    this.#isEarly = false;
    return wasEarly;
  }

  /** There may be more. True when reading has to begin; false when it is under way and will see it. */
  announce(): boolean {
    this.#requests++;
    const begins = !this.#isReading;
    this.#isReading = true;
    return begins;
  }

  endReading(): void {
    this.#isReading = false;
  }

  /** The events of what is new among `items`, in order. */
  read(items: readonly MailItem[]): MailedEvent[] {
    const events: MailedEvent[] = [];
    for (const item of items) {
      if (item.mail <= this.#known) continue;
      this.#known = item.mail;
      events.push(this.#event(item));
    }
    return events;
  }

  #event({ mail, kind, name, mailId, payload }: MailItem): MailedEvent {
    switch (kind) {
      case "cancel":
        return { type: "CancelRequested", mail, reason: name };
      case "signal":
        return { type: "SignalReceived", name, signalId: mailId, mail, payload, isEarly: this.#isEarly };
      case "answer":
        return { ...(JSON.parse(payload ?? "{}") as Answer), mail };
    }
  }
}
