// A fixed number of places; whoever comes when all are taken waits in line.

export interface Guest {
  /** There is a place now. It is kept until `leave`, which is called later, never from inside `begin`. */
  begin(): void;
}

export class Places {
  readonly #size: number;
  #line: Guest[] = [];
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

  /** Lets the guest begin as soon as there is a place, at once if there is one now. */
  enter(guest: Guest): void {
    if (this.#taken >= this.#size) {
      this.#line.push(guest);
      return;
    }
    this.#taken++;
    guest.begin();
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
    next.begin();
  }
}
