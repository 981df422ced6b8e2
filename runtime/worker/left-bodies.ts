// Bodies of steps that their runs have abandoned: they go on, and nobody waits for what they come to. Their worker does not
// end before they have, as long as it lets bodies go on at all.

export interface LeftBody {
  /** Tells it to stop, and does not wait. */
  discard(reason: Error): void;
}

export class LeftBodies {
  readonly #bodies = new Set<LeftBody>();
  /** Called when the last one has ended. */
  onEmpty: (() => void) | undefined;

  get size(): number {
    return this.#bodies.size;
  }

  add(body: LeftBody): void {
    this.#bodies.add(body);
  }

  /** Also of bodies that were told to stop, which are none of these. */
  ended(body: LeftBody): void {
    if (this.#bodies.delete(body) && this.#bodies.size === 0) this.onEmpty?.();
  }

  discardAll(reason: Error): void {
    for (const body of [...this.#bodies]) body.discard(reason);
  }
}
