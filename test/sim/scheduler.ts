// One virtual time for everything that is simulated. Events wait in one heap ordered by time, then by a random number of
// the seed, then by their own number. Between two events every promise reaction runs: the next event is fired from a
// real setImmediate, taken before the guards of workflow code replace it.

import type { Dice } from "./dice.ts";

/** Times are multiples of 1/16 ms: sums of them are exact, so that nothing seems early by a rounding. */
const GRID = 16;

const immediately = globalThis.setImmediate;

/** Who an event belongs to: whether it may fire now, never, or has to wait. */
export interface Holder {
  readonly state: "running" | "paused" | "dead";
  hold(event: ScheduledEvent): void;
}

export interface ScheduledEvent {
  at: number;
  tie: number;
  readonly id: number;
  readonly holder: Holder | null;
  /** Null once it has fired or was taken back. */
  fire: (() => void) | null;
}

export class Scheduler {
  readonly #dice: Dice;
  readonly #heap: ScheduledEvent[] = [];
  readonly #onThrow: (error: unknown) => void;
  #now = 0;
  #ids = 0;
  #hash = 0;
  fired = 0;

  constructor(dice: Dice, onThrow: (error: unknown) => void) {
    this.#dice = dice;
    this.#onThrow = onThrow;
  }

  /** Virtual ms since the simulation began. */
  get now(): number {
    return this.#now;
  }

  /** Tells two traces apart: every event fired and every fact mixed in so far. */
  get hash(): number {
    return this.#hash >>> 0;
  }

  mix(value: number): void {
    this.#hash = Math.imul((this.#hash ^ value) | 0, 0x01000193) + 0x9e3779b9;
    this.#hash ^= this.#hash >>> 15;
  }

  mixText(text: string): void {
    for (let index = 0; index < text.length; index++) this.mix(text.charCodeAt(index));
  }

  /** Answers the event, whose `fire` may be set to null to take it back. */
  after(ms: number, holder: Holder | null, fire: () => void): ScheduledEvent {
    const event = {
      at: this.#now + Math.ceil(Math.max(0, ms) * GRID) / GRID,
      tie: this.#dice.bits(),
      id: ++this.#ids,
      holder,
      fire,
    };
    this.#push(event);
    return event;
  }

  /** Events that were held back fire now, in the order in which they were due. */
  release(events: readonly ScheduledEvent[]): void {
    for (const event of events) {
      event.at = this.#now;
      event.tie = -1;
      this.#push(event);
    }
  }

  /** Fires events until `isDone`, which is asked after each, or until none is left before `until`. True when done. */
  run(until: number, isDone: () => boolean): Promise<boolean> {
    return new Promise((resolve) => {
      const next = () => {
        if (isDone()) return resolve(true);
        const event = this.#nextLive(until);
        if (event === undefined) return resolve(false);
        this.#now = event.at;
        this.fired++;
        this.mix(event.id);
        this.mix(Math.trunc(event.at * 16));
        const { fire } = event;
        event.fire = null;
        try {
          fire?.();
        } catch (error) {
          this.#onThrow(error);
        }
        immediately(next);
      };
      immediately(next);
    });
  }

  #nextLive(until: number): ScheduledEvent | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined || first.at > until) return undefined;
      this.#pop();
      if (first.fire === null || first.holder?.state === "dead") continue;
      if (first.holder?.state === "paused") first.holder.hold(first);
      else return first;
    }
  }

  #push(event: ScheduledEvent): void {
    const heap = this.#heap;
    let place = heap.length;
    heap.push(event);
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = heap[above] as ScheduledEvent;
      if (!precedes(event, parent)) break;
      heap[place] = parent;
      place = above;
    }
    heap[place] = event;
  }

  #pop(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      if (left >= heap.length) break;
      const right = left + 1;
      const below =
        right < heap.length && precedes(heap[right] as ScheduledEvent, heap[left] as ScheduledEvent) ? right : left;
      if (!precedes(heap[below] as ScheduledEvent, last)) break;
      heap[place] = heap[below] as ScheduledEvent;
      place = below;
    }
    heap[place] = last;
  }
}

function precedes(a: ScheduledEvent, b: ScheduledEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.tie !== b.tie) return a.tie < b.tie;
  return a.id < b.id;
}
