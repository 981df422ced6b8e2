// Tags of turns: how a turn is known again in a history. Random where it matters, and counted from there: a random number for
// each turn would cost more than what it is for.

import type { Chance } from "../world/world.ts";

const COUNT_DIGITS = 12;
const MOST = 16 ** COUNT_DIGITS;
/** The last two digits are looked up, and what stands before them is kept while it is the same. */
const ENDS: readonly string[] = Array.from({ length: 256 }, (_, end) => end.toString(16).padStart(2, "0"));

export class Tags {
  readonly #chance: Chance;
  #random = "";
  #beginning = "";
  #next = MOST;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** 32 hex digits, never the same twice: 74 random bits of this worker, and a count. */
  next(): string {
    if (this.#next >= MOST) {
      this.#random = this.#chance
        .uuid()
        .replaceAll("-", "")
        .slice(0, 32 - COUNT_DIGITS);
      this.#next = 0;
    }
    const end = this.#next % ENDS.length;
    if (end === 0)
      this.#beginning = this.#random + (this.#next / ENDS.length).toString(16).padStart(COUNT_DIGITS - 2, "0");
    this.#next++;
    return this.#beginning + ENDS[end];
  }
}
