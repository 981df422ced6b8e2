// Keeps a listening connection for as long as it is wanted. pg-listen makes it and notices its loss; every loss, also
// of the first attempt, ends that subscriber, and a fresh one is made after a pause of ours. A connection is only
// announced once LISTEN is in force: what was sent before is lost.

import pgListen, { type Subscriber } from "pg-listen";
import { Backoff } from "../../world/backoff.ts";
import type { CancelTimer, World } from "../../world/world.ts";

export interface ListenerOptions {
  readonly url: string;
  readonly channel: string;
  readonly world: World;
  readonly onPayload: (payload: string) => void;
  readonly onListening: () => void;
  /** Called for every failed attempt as well. */
  readonly onLost: (error: unknown) => void;
}

const CONNECT_TIMEOUT_MS = 5_000;
const CHECK_EVERY_MS = 10_000;

export class Listener {
  readonly #options: ListenerOptions;
  readonly #backoff: Backoff;
  #subscriber: Subscriber | undefined;
  #cancelRetry: CancelTimer = () => {};
  #isClosed = false;

  constructor(options: ListenerOptions) {
    this.#options = options;
    this.#backoff = new Backoff(options.world.chance, { firstMs: 100, maxMs: 5_000 });
    this.#open();
  }

  /** Takes the connection for dead, whatever it looks like. */
  reconnect(reason: Error): void {
    if (this.#subscriber !== undefined) this.#lost(this.#subscriber, reason);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    const subscriber = this.#subscriber;
    this.#subscriber = undefined;
    if (subscriber !== undefined) await subscriber.close().catch(() => {});
  }

  #open(): void {
    const { url, channel, onPayload } = this.#options;
    const subscriber = pgListen.default(
      {
        connectionString: url,
        application_name: "everstep-wake-listen",
        connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
        query_timeout: CONNECT_TIMEOUT_MS,
      },
      // retryLimit 1 means no retry within pg-listen: its loop cannot be stopped and says nothing of a failed LISTEN.
      { retryLimit: 1, paranoidChecking: CHECK_EVERY_MS, parse: (payload: string) => payload },
    );
    this.#subscriber = subscriber;
    // What it says then is only that it may not retry.
    subscriber.events.on("error", () => this.#lost(subscriber, new Error("The connection was closed.")));
    subscriber.notifications.on(channel, (payload: unknown) => {
      if (typeof payload === "string") onPayload(payload);
    });
    void this.#listen(subscriber);
  }

  async #listen(subscriber: Subscriber): Promise<void> {
    const { channel, onListening } = this.#options;
    try {
      await subscriber.connect();
      await subscriber.listenTo(channel);
    } catch (error) {
      this.#lost(subscriber, error);
      return;
    }
    if (subscriber !== this.#subscriber) return;
    this.#backoff.reset();
    onListening();
  }

  #lost(subscriber: Subscriber, error: unknown): void {
    if (subscriber !== this.#subscriber || this.#isClosed) return;
    this.#subscriber = undefined;
    subscriber.close().catch(() => {});
    this.#options.onLost(error);
    this.#cancelRetry = this.#options.world.clock.setTimer(this.#backoff.next(), () => this.#open());
  }
}
