// Chance that can be had again: a generator whose every value follows from its seed. Workflow code draws from it, so the
// sequence for a seed must never change: old histories replay for ever. Not for secrets.

import { hashText } from "./hash.ts";

export interface SeededRandom {
  /** The next 32 random bits, as a number from 0 up to 2^32 − 1. */
  next(): number;
  /** From 0 up to, never 1, with 53 random bits: what `Math.random` promises, from two draws. */
  float(): number;
  /** A version 4 UUID (RFC 9562) from four draws. */
  uuid(): string;
}

/** A generator seeded by a text; its state is the text's hash under two seeds. */
export function seededRandom(seed: string): SeededRandom {
  const state: number[] = [...hashText(seed, 1), ...hashText(seed, 2)];
  // The one state that the generator never leaves.
  if (!state.some((word) => word !== 0)) state[0] = 1;
  return randomFrom(state);
}

/**
 * xoshiro128** 1.1 by David Blackman and Sebastiano Vigna (public domain, https://prng.di.unimi.it/xoshiro128starstar.c),
 * from a state of four 32-bit words that are not all zero.
 */
export function randomFrom(state: readonly number[]): SeededRandom {
  let [a = 0, b = 0, c = 0, d = 0] = state;

  function next(): number {
    const result = Math.imul(rotateLeft(Math.imul(b, 5), 7), 9) >>> 0;
    const shifted = b << 9;
    c ^= a;
    d ^= b;
    b ^= c;
    a ^= d;
    c ^= shifted;
    d = rotateLeft(d, 11);
    return result;
  }

  function float(): number {
    const high = next() >>> 5;
    const low = next() >>> 6;
    return (high * 2 ** 26 + low) / 2 ** 53;
  }

  function uuid(): string {
    const hex = (word: number) => (word >>> 0).toString(16).padStart(8, "0");
    const first = hex(next());
    const second = hex((next() & 0xffff0fff) | 0x4000);
    const third = hex((next() & 0x3fffffff) | 0x80000000);
    const fourth = hex(next());
    return `${first}-${second.slice(0, 4)}-${second.slice(4)}-${third.slice(0, 4)}-${third.slice(4)}${fourth}`;
  }

  return { next, float, uuid };
}

function rotateLeft(word: number, by: number): number {
  return (word << by) | (word >>> (32 - by));
}
