// Tags of turns: how a turn is known again in a history. Random where it matters, and counted from there: a random number for
// each turn would cost more than what it is for.

import type { Chance } from "../world/world.ts";

const COUNT_DIGITS = 12;
const MOST = 16 ** COUNT_DIGITS;

export class Tags {
  readonly #chance: Chance;
  #prefix = "";
  #next = MOST;

  constructor(chance: Chance) {
    this.#chance = chance;
  }

  /** 32 hex digits, never the same twice: 74 random bits of this worker, and a count. */
  next(): string {
    if (this.#next >= MOST) {
      this.#prefix = this.#chance
        .uuid()
        .replaceAll("-", "")
        .slice(0, 32 - COUNT_DIGITS);
      this.#next = 0;
    }
    return this.#prefix + (this.#next++).toString(16).padStart(COUNT_DIGITS, "0");
  }
}
