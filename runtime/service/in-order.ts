// Work that may take its time, with its results in the order of asking: per key, so that one slow piece of work holds up
// nobody but those behind it in the same line.

export class InOrder {
  readonly #lines = new Map<string, Promise<unknown>>();

  /** Begins `work` at once. Resolves with its result once all that was asked before under the key has settled. */
  after<T>(key: string, work: Promise<T>): Promise<T> {
    const before = this.#lines.get(key) ?? Promise.resolve();
    const turn = before.then(() => work);
    const settled = turn.then(
      () => {},
      () => {},
    );
    this.#lines.set(key, settled);
    void settled.then(() => {
      if (this.#lines.get(key) === settled) this.#lines.delete(key);
    });
    // Whoever waits in line hears of it in its turn.
    work.catch(() => {});
    return turn;
  }
}
