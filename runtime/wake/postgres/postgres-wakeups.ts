// Wake-ups over LISTEN and NOTIFY, for a life without Redis: one channel for all topics of the database, at most one
// statement in 10 ms. Local listeners are told without the round trip, so our own notifications are passed over.
//
// Now and then we send ourselves a probe. A pooler in transaction mode accepts LISTEN and delivers nothing, and a
// connection can go deaf without being lost: the first is told once, the second is made anew.

import { OutageLog } from "../../world/outage.ts";
import { describeFailure } from "../../world/secrets.ts";
import type { CancelTimer, World } from "../../world/world.ts";
import { Outbox } from "../outbox.ts";
import { Subscribers } from "../subscribers.ts";
import type { Topic, Wakeups } from "../wakeups.ts";
import { Listener } from "./listener.ts";
import { CHANNEL, Notifier } from "./notifier.ts";
import { unpackTopics } from "./payloads.ts";

export interface PostgresWakeupsOptions {
  /** A direct connection; behind a pooler only polling remains. */
  readonly url: string;
  readonly world: World;
  /** How long a probe may take before the connection counts as deaf. Default 5,000. */
  readonly probeTimeoutMs?: number;
}

const GAP_MS = 10;
const PROBE_EVERY_MS = 60_000;
/** Not a topic: nobody can subscribe to it. */
const PROBE = "?";

export class PostgresWakeups implements Wakeups {
  readonly #world: World;
  readonly #sender: string;
  readonly #probeTimeoutMs: number;
  readonly #subscribers: Subscribers;
  readonly #notifier: Notifier;
  readonly #outbox: Outbox;
  readonly #listener: Listener;
  readonly #outage: OutageLog;
  readonly #deafness: OutageLog;
  #hasHeard = false;
  #cancelProbe: CancelTimer = () => {};
  #isClosed = false;

  constructor({ url, world, probeTimeoutMs = 5_000 }: PostgresWakeupsOptions) {
    this.#world = world;
    this.#sender = world.chance.uuid();
    this.#probeTimeoutMs = probeTimeoutMs;
    this.#subscribers = new Subscribers(world);
    this.#notifier = new Notifier({ url, sender: this.#sender });
    this.#outbox = new Outbox({ clock: world.clock, gapMs: GAP_MS, send: (topics) => this.#notifier.notify(topics) });
    this.#outage = new OutageLog(world, {
      down: "The Postgres connection of the wake-ups is lost. Work is found by polling until it is back.",
      up: "The Postgres connection of the wake-ups is back.",
    });
    this.#deafness = new OutageLog(world, {
      down: "Postgres takes LISTEN and delivers nothing; a pooler in transaction mode does that. Work is found by polling. Give the wake-ups a direct connection.",
      up: "Postgres delivers notifications now.",
    });
    this.#listener = new Listener({
      url,
      channel: CHANNEL,
      world,
      onPayload: (payload) => this.#receive(payload),
      onListening: () => this.#listening(),
      onLost: (error) => {
        this.#cancelProbe();
        this.#outage.down(describeFailure(error, url));
      },
    });
  }

  publish(topics: readonly Topic[]): void {
    if (this.#isClosed) return;
    this.#subscribers.hint(topics);
    this.#outbox.add(topics);
  }

  subscribe(topic: Topic, listen: () => void): () => void {
    return this.#isClosed ? () => {} : this.#subscribers.add(topic, listen);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelProbe();
    this.#subscribers.clear();
    await Promise.all([this.#listener.close(), this.#outbox.flush()]);
    await this.#notifier.close();
  }

  #receive(payload: string): void {
    const hints = unpackTopics(payload);
    if (hints === undefined) return;
    if (hints.sender !== this.#sender) this.#subscribers.hint(hints.topics as readonly Topic[]);
    else if (hints.topics[0] === PROBE) this.#heard();
  }

  #listening(): void {
    this.#outage.up();
    this.#subscribers.hint(this.#subscribers.topics());
    void this.#probe();
  }

  async #probe(): Promise<void> {
    this.#cancelProbe();
    // Armed before sending: the answer may overtake the reply to the statement.
    this.#cancelProbe = this.#world.clock.setTimer(this.#probeTimeoutMs, () => this.#unheard());
    try {
      await this.#notifier.notify([PROBE]);
    } catch {
      // Nothing was sent, so nothing is learnt.
      this.#probeLater();
    }
  }

  #heard(): void {
    this.#hasHeard = true;
    this.#deafness.up();
    this.#probeLater();
  }

  #unheard(): void {
    if (this.#hasHeard) this.#listener.reconnect(new Error("Notifications no longer arrive."));
    else {
      this.#deafness.down("A notification to ourselves did not arrive.");
      this.#probeLater();
    }
  }

  #probeLater(): void {
    this.#cancelProbe();
    if (!this.#isClosed) this.#cancelProbe = this.#world.clock.setTimer(PROBE_EVERY_MS, () => void this.#probe());
  }
}
