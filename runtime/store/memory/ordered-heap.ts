// A binary heap that knows where each of its items is, so that any of them can leave at once. What orders an item must
// not change while it is inside.

import { invariant } from "../../../sdk/protocol/errors.ts";

export class OrderedHeap<T> {
  readonly #items: T[] = [];
  readonly #places = new Map<T, number>();
  readonly #precedes: (a: T, b: T) => boolean;

  constructor(precedes: (a: T, b: T) => boolean) {
    this.#precedes = precedes;
  }

  get first(): T | undefined {
    return this.#items[0];
  }

  add(item: T): void {
    invariant(!this.#places.has(item), "an item is in its heap once");
    this.#put(item, this.#items.length);
    this.#rise(item);
  }

  remove(item: T): void {
    const place = this.#places.get(item);
    invariant(place !== undefined, "an item leaves the heap it is in");
    this.#places.delete(item);
    const last = this.#items.pop();
    if (last === undefined || last === item) return;
    this.#put(last, place);
    this.#rise(last);
    this.#sink(last);
  }

  #put(item: T, place: number): void {
    this.#items[place] = item;
    this.#places.set(item, place);
  }

  #rise(item: T): void {
    let place = this.#places.get(item) ?? 0;
    while (place > 0) {
      const above = (place - 1) >> 1;
      const parent = this.#items[above];
      if (parent === undefined || !this.#precedes(item, parent)) return;
      this.#put(parent, place);
      this.#put(item, above);
      place = above;
    }
  }

  #sink(item: T): void {
    let place = this.#places.get(item) ?? 0;
    for (;;) {
      const left = this.#items[2 * place + 1];
      const right = this.#items[2 * place + 2];
      if (left === undefined) return;
      const [child, below] =
        right !== undefined && this.#precedes(right, left) ? [right, 2 * place + 2] : [left, 2 * place + 1];
      if (!this.#precedes(child, item)) return;
      this.#put(child, place);
      this.#put(item, below);
      place = below;
    }
  }
}
