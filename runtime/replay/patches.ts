// Which way a run goes where its code was changed. The code is answered at once, the mark comes into the history later:
// behind events that were decided before, and before everything that was decided after. So a mark names the event that
// the code had seen last when it asked, and is known from the whole history before the first of its events is delivered.
// A history that is cut before the mark holds nothing that hangs on it, and leads either way.

import type { PatchMarked } from "../../sdk/protocol/event.ts";

interface Asking {
  readonly isDeprecated: boolean;
  readonly seen: number;
  readonly delivered: number;
  readonly isNew: boolean;
}

export class Patches {
  /** By id: the event from which on the answer is yes. */
  readonly #since = new Map<string, number>();
  /** By id: the event after which the code asked first. */
  readonly #asked = new Map<string, number>();
  /** Marked in history, and asked for again just there. */
  readonly #repeated = new Set<string>();
  #fresh: PatchMarked[] = [];

  /** A mark of a history that is going to be delivered. */
  foresee({ name, since }: PatchMarked): void {
    if (!this.#since.has(name)) this.#since.set(name, since);
  }

  /**
   * `seen`: the last event that the code has seen; what was delivered after it is not for code. A replay may begin the code
   * behind more of that than the run did, so the mark may name any of it. `isNew`: nothing in the history comes after it.
   */
  ask(id: string, { isDeprecated, seen, delivered, isNew }: Asking) {
    if (!this.#asked.has(id)) this.#asked.set(id, seen);
    const since = this.#since.get(id);
    if (since !== undefined && seen <= since && since <= delivered) this.#repeated.add(id);
    if (since !== undefined) return delivered >= since;
    if (!isNew) return false;
    this.#since.set(id, seen);
    this.#repeated.add(id);
    this.#fresh.push({ type: "PatchMarked", name: id, since: seen, isDeprecated });
    return true;
  }

  /** Marks that are to be recorded, before whatever else the code asked for since the last look. */
  takeFresh(): readonly PatchMarked[] {
    if (this.#fresh.length === 0) return NONE;
    const fresh = this.#fresh;
    this.#fresh = [];
    return fresh;
  }

  /** What the code did instead of asking where the history says it did; undefined when it asked, or need not any more. */
  missing({ name, isDeprecated }: PatchMarked): string | undefined {
    if (isDeprecated || this.#repeated.has(name)) return undefined;
    const asked = this.#asked.get(name);
    const call = `patched("${name}") or deprecatePatch("${name}")`;
    return asked === undefined ? `the code called no ${call}` : `the code called ${call} only after event ${asked}`;
  }
}

const NONE: readonly PatchMarked[] = [];
