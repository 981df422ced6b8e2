// Natural batching for callers: while one statement is under way, what others ask for collects and goes out together as
// the next. Alone, a request goes out at once.

import type { Clock } from "../world/world.ts";

interface Waiting<Request, Reply> {
  readonly request: Request;
  readonly onAnswer: OnAnswer<Reply> | undefined;
  resolve(reply: Reply): void;
  reject(error: unknown): void;
}

/** Told before whoever has asked. Undefined: nobody knows what has become of the request. */
type OnAnswer<Reply> = (reply: Reply | undefined) => void;

export class Batcher<Request, Reply> {
  readonly #clock: Clock;
  readonly #send: (requests: readonly Request[]) => Promise<readonly Reply[]>;
  readonly #most: number;
  #waiting: Waiting<Request, Reply>[] = [];
  #active = 0;
  #isScheduled = false;

  constructor(options: {
    readonly clock: Clock;
    /** Replies in the order of the requests. */
    readonly send: (requests: readonly Request[]) => Promise<readonly Reply[]>;
    readonly most: number;
  }) {
    this.#clock = options.clock;
    this.#send = options.send;
    this.#most = options.most;
  }

  ask(request: Request, onAnswer?: OnAnswer<Reply>): Promise<Reply> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ request, onAnswer, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#active >= CONCURRENT_BATCHES || this.#waiting.length === 0) return;
    this.#isScheduled = true;
    this.#clock.afterDrain(() => {
      this.#isScheduled = false;
      void this.#flush(this.#waiting.splice(0, this.#most));
    });
  }

  async #flush(batch: readonly Waiting<Request, Reply>[]): Promise<void> {
    this.#active++;
    this.#schedule();
    try {
      const replies = await this.#send(batch.map(({ request }) => request));
      for (let place = 0; place < batch.length; place++)
        answer(batch[place] as Waiting<Request, Reply>, replies[place] as Reply);
    } catch (error) {
      for (const each of batch) lose(each, error);
    } finally {
      this.#active--;
      this.#schedule();
    }
  }
}

/** An `onAnswer` that throws harms only its own caller. */
function answer<Reply>({ onAnswer, resolve, reject }: Waiting<unknown, Reply>, reply: Reply): void {
  try {
    onAnswer?.(reply);
    resolve(reply);
  } catch (error) {
    reject(error);
  }
}

function lose<Reply>({ onAnswer, reject }: Waiting<unknown, Reply>, error: unknown): void {
  try {
    onAnswer?.(undefined);
  } catch {
    // What the sending threw says more.
  }
  reject(error);
}

// Two, so that one is prepared and sent while the other waits for its commit.
const CONCURRENT_BATCHES = 2;
