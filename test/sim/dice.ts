// Chance of a simulation: every draw follows from the seed. One stream per concern, so that a new kind of fault does not
// reshuffle the programs of old seeds.

import { type SeededRandom, seededRandom } from "../../sdk/protocol/random.ts";

export class Dice {
  readonly #name: string;
  readonly #random: SeededRandom;

  constructor(name: string) {
    this.#name = name;
    this.#random = seededRandom(name);
  }

  /** A stream of its own, the same for the same name. */
  split(name: string): Dice {
    return new Dice(`${this.#name}/${name}`);
  }

  /** In [0, 1). */
  float(): number {
    return this.#random.float();
  }

  /** 32 random bits. */
  bits(): number {
    return this.#random.next();
  }

  /** From `least` to `most`, both included. */
  int(least: number, most: number): number {
    return least + Math.floor((this.#random.next() / 2 ** 32) * (most - least + 1));
  }

  /** True with this probability. Draws nothing for 0 or less. */
  hits(probability: number): boolean {
    return probability > 0 && this.#random.next() / 2 ** 32 < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.int(0, items.length - 1)] ?? items[0];
  }

  uuid(): string {
    return this.#random.uuid();
  }
}
