// A map for what mostly has one entry or none: the commands of a run that does one thing after the other. A Map makes a new
// table whenever its last entry goes, which for such a run is at every step.

/** Like a Map, in the order in which keys came. Values are never undefined. */
export class FewMap<Key, Value extends NonNullable<unknown>> {
  // The oldest entry, while there is one outside of `#more`. All of `#more` came after it.
  #key: Key | undefined;
  #value: Value | undefined;
  #more: Map<Key, Value> | undefined;

  get size(): number {
    return (this.#value === undefined ? 0 : 1) + (this.#more?.size ?? 0);
  }

  has(key: Key): boolean {
    return this.get(key) !== undefined;
  }

  get(key: Key): Value | undefined {
    return this.#value !== undefined && this.#key === key ? this.#value : this.#more?.get(key);
  }

  set(key: Key, value: Value): void {
    const isFirst = this.#value === undefined ? this.size === 0 : this.#key === key;
    if (isFirst) {
      this.#key = key;
      this.#value = value;
      return;
    }
    this.#more ??= new Map();
    this.#more.set(key, value);
  }

  /** False when it was not there. */
  delete(key: Key): boolean {
    if (this.#value === undefined || this.#key !== key) return this.#more?.delete(key) ?? false;
    this.#key = undefined;
    this.#value = undefined;
    return true;
  }

  clear(): void {
    this.#key = undefined;
    this.#value = undefined;
    this.#more = undefined;
  }

  /** Entries may go meanwhile, as with a Map; of those that come, some are not met. */
  *values(): IterableIterator<Value> {
    if (this.#value !== undefined) yield this.#value;
    if (this.#more !== undefined) yield* this.#more.values();
  }
}
