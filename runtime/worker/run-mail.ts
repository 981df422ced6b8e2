// What a live run knows of its mailbox: how far it has read, whether it is reading, and whether what it reads comes before
// its first line.

import type { CancelRequested, SignalReceived } from "../../sdk/protocol/event.ts";
import type { MailItem } from "../store/store.ts";

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
  read(items: readonly MailItem[]): (SignalReceived | CancelRequested)[] {
    const events: (SignalReceived | CancelRequested)[] = [];
    for (const { mail, kind, name, mailId, payload } of items) {
      if (mail <= this.#known) continue;
      this.#known = mail;
      if (kind === "cancel") events.push({ type: "CancelRequested", mail, reason: name });
      else events.push({ type: "SignalReceived", name, signalId: mailId, mail, payload, isEarly: this.#isEarly });
    }
    return events;
  }
}
