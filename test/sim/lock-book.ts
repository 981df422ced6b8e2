// Who holds which lock, by the histories alone, in the order in which they grew. A run holds from the event that tells of the
// grant to the one that tells that it let go, or its end: the store's own books may give it more, never less.

import { type HistoryEvent, isClosing } from "../../sdk/protocol/event.ts";
import type { Probes } from "./probes.ts";

interface Place {
  readonly runId: string;
  readonly key: string;
  readonly permits: number;
  readonly capacity: number;
  token: number | null;
  /** A fork held it by what it shares, and has not got it again. */
  isAwaited: boolean;
}

export class LockBook {
  readonly #places = new Map<string, Place>();
  readonly #newest = new Map<string, number>();
  readonly #tokens = new Set<number>();
  readonly #probes: Probes;

  constructor(probes: Probes) {
    this.#probes = probes;
  }

  /** Requests that are neither let go of nor gone with their runs, as `run/command`. */
  get open(): string[] {
    return [...this.#places.keys()].sort();
  }

  /** A fork asks anew for what it shares: it has none of the places of its source. */
  forked(runId: string, shared: readonly HistoryEvent[]): void {
    for (const event of shared) {
      if (event.type === "LockRequested") this.tell(runId, event, () => {});
      if (event.type === "LockReleased") this.#places.delete(`${runId}/${event.command}`);
    }
  }

  /** The run, a fork, may do nothing yet. */
  standsStill(runId: string): boolean {
    for (const place of this.#places.values()) if (place.runId === runId && place.isAwaited) return true;
    return false;
  }

  /** Who has what the run, a fork, is to have again. */
  holdersBefore(runId: string): string[] {
    const places = [...this.#places.values()];
    const keys = new Set(places.filter((place) => place.runId === runId && place.isAwaited).map(({ key }) => key));
    return places.filter(({ key, token }) => keys.has(key) && token !== null).map((place) => place.runId);
  }

  tell(runId: string, event: HistoryEvent, complain: (what: string) => void): void {
    if (isClosing(event)) return this.#ended(runId);
    switch (event.type) {
      case "LockRequested": {
        const { name: key, permits, capacity } = event;
        this.#places.set(`${runId}/${event.command}`, { runId, key, permits, capacity, token: null, isAwaited: false });
        return;
      }
      case "LockReleased":
        if (!this.#places.delete(`${runId}/${event.command}`)) complain(`lock "${event.name}" is let go of twice`);
        return;
      case "RunForked":
        for (const command of event.locks ?? []) {
          const place = this.#places.get(`${runId}/${command}`);
          if (place === undefined) complain(`lock ${command} is to be regained, and was never asked for`);
          else place.isAwaited = true;
        }
        return;
      case "LockRegained": {
        const place = this.#places.get(`${runId}/${event.command}`);
        if (place?.isAwaited !== true) return complain(`lock "${event.name}" is regained by who did not wait for it`);
        place.isAwaited = false;
        this.#probes.hit("lock: regained by a fork");
        return this.#granted(`${runId}/${event.command}`, event.fencingToken, complain);
      }
      case "LockGranted":
        return this.#granted(`${runId}/${event.command}`, event.fencingToken, complain);
    }
  }

  #granted(which: string, token: number, complain: (what: string) => void): void {
    if (this.#tokens.has(token)) complain(`fencing token ${token} is given out twice`);
    this.#tokens.add(token);
    const place = this.#places.get(which);
    if (place === undefined) return this.#probes.hit("lock: granted after it was given up");
    const { key, permits, capacity } = place;
    const others = [...this.#places.values()].filter((each) => each.key === key && each.token !== null);
    const held = others.reduce((sum, each) => sum + each.permits, permits);
    const least = Math.min(capacity, ...others.map((each) => each.capacity));
    if (place.token !== null) complain(`lock "${key}" is granted twice to one request`);
    if (held > least) complain(`${held} of ${least} permits of "${key}" are held, by ${others.length + 1} requests`);
    // Those who share a semaphore may hear of it in any order.
    if (capacity === 1 && token <= (this.#newest.get(key) ?? 0)) complain(`token ${token} of "${key}" goes back`);
    this.#newest.set(key, Math.max(token, this.#newest.get(key) ?? 0));
    place.token = token;
    this.#probes.hit("lock: granted");
  }

  #ended(runId: string): void {
    for (const [which, place] of this.#places) {
      if (place.runId !== runId) continue;
      this.#places.delete(which);
      this.#probes.hit("lock: let go with its run");
    }
  }
}
