// Reading a history with interceptors around the whole of it: what they stand around begins before the first event is read, and
// ends when the reader has the last or wants no more.

import { EverstepError } from "../protocol/errors.ts";

/** Of the end of a walk, for whoever stands around it. */
export interface Walked {
  readonly events: number;
}

/** Calls the interceptors around `walk`, which ends with the reading. */
type Through = (walk: () => Promise<Walked>) => Promise<Walked>;

/** `read` is called when the interceptors have let it begin. */
export function interceptedWalk<Item>(read: () => AsyncIterable<Item>, through: Through): AsyncIterable<Item> {
  return { [Symbol.asyncIterator]: () => walkThrough(read, through) };
}

async function* walkThrough<Item>(read: () => AsyncIterable<Item>, through: Through): AsyncGenerator<Item, void, void> {
  const walk = new Walk();
  const around = through(() => walk.begin());
  // Awaited below, but perhaps not before it rejects.
  around.catch(() => {});
  await Promise.race([walk.begun, around]);
  if (!walk.hasBegun) {
    const message = "An interceptor around client calls answered history() without going on. Return what next() gave.";
    throw new EverstepError("ARGUMENT_INVALID", message, { details: { argument: "interceptors.client.call" } });
  }
  let events = 0;
  try {
    for await (const item of read()) {
      events++;
      yield item;
    }
  } catch (error) {
    walk.fail(error);
    await around;
    throw error;
  } finally {
    walk.end({ events });
    await around;
  }
}

/** From the call of `next` to the end of the reading. */
class Walk {
  readonly begun: Promise<void>;
  hasBegun = false;
  #tellBegun!: () => void;
  readonly #ended: Promise<Walked>;
  end!: (walked: Walked) => void;
  fail!: (error: unknown) => void;

  constructor() {
    this.begun = new Promise((resolve) => {
      this.#tellBegun = resolve;
    });
    this.#ended = new Promise((resolve, reject) => {
      this.end = resolve;
      this.fail = reject;
    });
    // An interceptor that has thrown meanwhile does not wait for it.
    this.#ended.catch(() => {});
  }

  begin(): Promise<Walked> {
    this.hasBegun = true;
    this.#tellBegun();
    return this.#ended;
  }
}
