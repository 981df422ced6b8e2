// What sagas have begun to undo. That it has begun follows from what the code does, so no command says it: history tells it, and
// a replay comes to it at the same place. Whoever makes a copy of a beginning of the history must know.

import type { CompensationBegun } from "../../sdk/protocol/event.ts";

export class Compensations {
  /** By the code, and not told by the history. */
  readonly #begun: CompensationBegun[] = [];
  #taken = 0;

  begin(since: number): void {
    this.#begun.push({ type: "CompensationBegun", since });
  }

  /** What has begun since the last look, for the history to tell. */
  takeFresh(): readonly CompensationBegun[] {
    const fresh = this.#begun.slice(this.#taken);
    this.#taken = this.#begun.length;
    return fresh;
  }

  /** False when the code has begun no such thing. */
  tell({ since }: CompensationBegun): boolean {
    const place = this.#begun.findIndex((each) => each.since === since);
    if (place < 0) return false;
    this.#begun.splice(place, 1);
    if (place < this.#taken) this.#taken--;
    return true;
  }
}
