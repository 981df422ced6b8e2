// What goes wrong between a worker and what it depends on, by a seed: requests and replies that are lost, wake-ups that
// never come, runs that others have taken because the lease ran out, and crashes. After each of them a worker finds out what
// it has missed by looking, as in production, where it looks every second. Here it looks for some seconds and then no more,
// or time could not skip; and nothing strikes at the moment of a look, or faults that only looks meet would go on for ever.

import { EverstepError } from "../../sdk/protocol/errors.ts";
import { type SeededRandom, seededRandom } from "../../sdk/protocol/random.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { Conditions, Laboratory } from "./laboratory.ts";
import type { Traffic } from "./worker-life.ts";

/**
 * How often each happens: from 0, never, to 1, always. They strike the worker; calls of the test's own client succeed. A
 * run is not lost so often in a row that it would be quarantined. A query may time out, as when a worker dies with it.
 */
export interface Faults {
  /** What strikes when. */
  readonly seed: number;
  /** A call does not reach the store. Per call. Default 0.1. */
  readonly lostRequests?: number;
  /** A call is carried out, and the worker is told that the store is unavailable. Per call. Default 0.1. */
  readonly lostReplies?: number;
  /** A hint that there is news is lost: the news is found up to a second later. Per hint. Default 0.3. */
  readonly lostWakeups?: number;
  /** The worker's runs are taken from it before it notices, as when its lease has run out. Per call. Default 0.02. */
  readonly lostRuns?: number;
  /** The worker dies, before or after a call is carried out, and another takes over. Per call. Default 0.02. */
  readonly crashes?: number;
}

const DEFAULTS = { lostRequests: 0.1, lostReplies: 0.1, lostWakeups: 0.3, lostRuns: 0.02, crashes: 0.02 } as const;

type Rates = { readonly [Rate in keyof typeof DEFAULTS]: number };

const LOOK_EVERY_MS = 1_000;
const LOOKS_AFTER_A_FAULT = 4;

/** Throws ARGUMENT_INVALID for a rate that is none. */
export function faultyConditions({ seed, ...given }: Faults): Conditions {
  const rates: Rates = { ...DEFAULTS, ...given };
  for (const [name, rate] of Object.entries(rates)) {
    if (typeof rate === "number" && rate >= 0 && rate <= 1) continue;
    throw new EverstepError("ARGUMENT_INVALID", `faults: ${name} is a rate from 0 to 1; got ${String(rate)}.`, {
      details: { argument: name },
    });
  }
  const lookouts = new WeakMap<Laboratory, Lookout>();
  const lookoutOf = (laboratory: Laboratory): Lookout => {
    const lookout = lookouts.get(laboratory) ?? new Lookout(laboratory);
    lookouts.set(laboratory, lookout);
    return lookout;
  };
  return {
    traffic: (laboratory) => {
      const random = seededRandom(`faults ${seed}/worker ${laboratory.workers}`);
      return faultyTraffic(laboratory, { rates, random, lookout: lookoutOf(laboratory) });
    },
    wakeups: (laboratory, whose, wakeups) => {
      const random = seededRandom(`faults ${seed}/wake-ups of ${whose}`);
      return faultyWakeups(wakeups, () => lookoutOf(laboratory).strikes(random, rates.lostWakeups));
    },
  };
}

interface Trouble {
  readonly rates: Rates;
  readonly random: SeededRandom;
  readonly lookout: Lookout;
}

function faultyTraffic(laboratory: Laboratory, { rates, random, lookout }: Trouble): Traffic {
  const strikes = (rate: keyof Rates) => lookout.strikes(random, rates[rate]);
  return async (call, execute) => {
    if (strikes("lostRuns") && (await laboratory.canLoseRuns())) await laboratory.takeRunsAway();
    if (strikes("lostRequests")) throw unavailable(call.name, "the request was lost");
    const isFatal = strikes("crashes") && (await laboratory.canLoseRuns());
    if (isFatal) call.kill();
    // Its last request has left, or not.
    const answer = isFatal && random.float() < 0.5 ? undefined : await execute();
    if (strikes("lostReplies")) throw unavailable(call.name, "the reply was lost");
    return answer;
  };
}

function faultyWakeups(wakeups: Wakeups, isLost: () => boolean): Wakeups {
  return {
    publish: (topics) => {
      if (topics.length > 0 && !isLost()) wakeups.publish(topics);
    },
    subscribe: (topic, listen) => wakeups.subscribe(topic, listen),
    close: () => wakeups.close(),
  };
}

/** Decides what strikes, and looks every second until nothing has gone wrong for a while. */
class Lookout {
  readonly #laboratory: Laboratory;
  #looksLeft = 0;
  #lookedAt = -1;

  constructor(laboratory: Laboratory) {
    this.#laboratory = laboratory;
  }

  strikes(random: SeededRandom, rate: number): boolean {
    if (this.#laboratory.clock.monotonic() === this.#lookedAt || rate === 0 || random.float() >= rate) return false;
    const isLooking = this.#looksLeft > 0;
    this.#looksLeft = LOOKS_AFTER_A_FAULT;
    if (!isLooking) this.#lookSoon();
    return true;
  }

  #lookSoon(): void {
    this.#laboratory.clock.setTimer(LOOK_EVERY_MS, () => {
      this.#looksLeft--;
      this.#lookedAt = this.#laboratory.clock.monotonic();
      if (this.#looksLeft > 0) this.#lookSoon();
      void this.#laboratory.look();
    });
  }
}

function unavailable(call: string, why: string): EverstepError {
  return new EverstepError("STORE_UNAVAILABLE", `A fault of the test environment: ${call}: ${why}.`);
}
