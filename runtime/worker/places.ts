// A fixed number of places; whoever comes when all are taken waits in line.

export class Places {
  readonly #size: number;
  #line: (() => void)[] = [];
  #served = 0;
  #taken = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get taken(): number {
    return this.#taken;
  }

  get waiting(): number {
    return this.#line.length - this.#served;
  }

  /** Calls `begin` as soon as there is a place, at once if there is one now. The place is kept until `leave`. */
  enter(begin: () => void): void {
    if (this.#taken >= this.#size) {
      this.#line.push(begin);
      return;
    }
    this.#taken++;
    begin();
  }

  leave(): void {
    const next = this.#line[this.#served];
    if (next === undefined) {
      this.#taken--;
      return;
    }
    this.#served++;
    // The served part is cut off now and then, so that a long line costs no quadratic time and no memory for ever.
    if (this.#served > 1_024 && this.#served * 2 > this.#line.length) {
      this.#line = this.#line.slice(this.#served);
      this.#served = 0;
    }
    next();
  }
}
