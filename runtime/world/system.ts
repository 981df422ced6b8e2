// The real world. Everything here is captured when this module loads, before a worker puts the history's clock and
// chance in place of the globals: the runtime itself must go on seeing real ones.

import { randomFillSync } from "node:crypto";
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

function draw(): number {
  if (used >= pool.length) {
    fillRandom(pool);
    used = 0;
  }
  return pool[used++] ?? 0;
}

export const systemChance: Chance = {
  float() {
    const high = draw();
    const low = draw();
    // 53 random bits: every float in [0, 1) of that precision is equally likely.
    return ((high >>> 5) * 2 ** 26 + (low >>> 6)) / 2 ** 53;
  },
  uuid() {
    // Version 4, variant 1.
    const drawn = [draw(), (draw() & 0xffff0fff) | 0x4000, (draw() & 0x3fffffff) | 0x80000000, draw()] as const;
    let place = 0;
    for (const word of drawn) {
      for (let shift = 28; shift >= 0; shift -= 4) {
        if (place === 8 || place === 13 || place === 18 || place === 23) uuidText[place++] = HYPHEN;
        uuidText[place++] = HEX_DIGITS.charCodeAt((word >>> shift) & 15);
      }
    }
    return uuidText.toString("latin1");
  },
};

// Filled anew by each call: one text is made of it at once, where node's own is one of many pieces.
const uuidText = Buffer.alloc(36);
const HYPHEN = "-".charCodeAt(0);
const HEX_DIGITS = "0123456789abcdef";

/** Unpredictable bytes: for nonces. */
export function drawBytes(count: number): Uint8Array {
  return fillRandom(new Uint8Array(count));
}
