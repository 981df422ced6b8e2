// The real world. Everything here is captured when this module loads, before a worker puts the history's clock and
// chance in place of the globals: the runtime itself must go on seeing real ones.

import { randomFillSync, randomUUID } from "node:crypto";
import { performance } from "node:perf_hooks";
import { systemLog } from "./system-log.ts";
import type { Chance, Clock, Log, World } from "./world.ts";

export interface SystemWorldOptions {
  readonly log?: Log;
}

export function systemWorld({ log = systemLog() }: SystemWorldOptions = {}): World {
  return { clock: systemClock, chance: systemChance, log };
}

const wallNow = Date.now;
const monotonicNow = performance.now.bind(performance);
const { setTimeout: startTimeout, clearTimeout: endTimeout, setImmediate: startImmediate } = globalThis;
const drawUuid = randomUUID;
const fillRandom = randomFillSync;

/** The longest wait that setTimeout keeps; a longer one fires at once. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => wallNow(),
  monotonic: () => monotonicNow(),
  setTimer(ms, fire) {
    const endsAt = monotonicNow() + ms;
    const arm = (leftMs: number): NodeJS.Timeout =>
      startTimeout(onTimeout, Math.min(Math.ceil(leftMs), LONGEST_TIMEOUT_MS)).unref();
    // Node counts whole milliseconds and can be early by a fraction of one: what is left is waited for as well.
    const onTimeout = (): void => {
      const leftMs = endsAt - monotonicNow();
      if (leftMs > 0) timeout = arm(leftMs);
      else fire();
    };
    let timeout = arm(Math.max(0, ms));
    return () => endTimeout(timeout);
  },
  afterDrain(call) {
    startImmediate(call);
  },
};

// Filled at once and used up bit by bit: a call for each number costs more than the numbers.
const pool = new Uint32Array(1_024);
let used = pool.length;

export const systemChance: Chance = {
  float() {
    if (used >= pool.length) {
      fillRandom(pool);
      used = 0;
    }
    const high = pool[used++] ?? 0;
    const low = pool[used++] ?? 0;
    // 53 random bits: every float in [0, 1) of that precision is equally likely.
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
  uuid: () => drawUuid(),
};

/** Unpredictable bytes: for nonces. */
export function drawBytes(count: number): Uint8Array {
  return fillRandom(new Uint8Array(count));
}
