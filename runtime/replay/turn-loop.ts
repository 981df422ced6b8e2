// Delivers events to many runs side by side: one event each, then one drain for all, and round again. What a drain costs
// is so shared by every run that has something to deliver.

import type { HistoryEvent } from "../../sdk/protocol/event.ts";
import type { RunEngine } from "./engine.ts";

interface Track {
  readonly engine: RunEngine;
  events: readonly HistoryEvent[];
  next: number;
  begins: boolean;
  isDraining: boolean;
  onQuiet: () => void;
}

export class TurnLoop {
  readonly #afterDrain: (call: () => void) => void;
  readonly #tracks = new Map<RunEngine, Track>();
  #isScheduled = false;

  /** `afterDrain` calls back once every promise reaction is through; see `Clock`. */
  constructor(afterDrain: (call: () => void) => void) {
    this.#afterDrain = afterDrain;
  }

  /** Runs whose code is being run. */
  get size(): number {
    return this.#tracks.size;
  }

  /**
   * Delivers `events`, and begins the run before the first that needs it, or at the end if `begins`. Calls `onQuiet` once
   * all is delivered and the code is quiet, or the engine broke; feeding more before that prolongs the same round.
   * Keeps `events` as they are: whoever feeds them does not change them afterwards.
   */
  feed(engine: RunEngine, events: readonly HistoryEvent[], begins: boolean, onQuiet: () => void): void {
    engine.foresee(events);
    const track = this.#tracks.get(engine);
    if (track === undefined) {
      this.#tracks.set(engine, { engine, events, next: 0, begins, isDraining: false, onQuiet });
    } else {
      track.events = [...track.events, ...events];
      track.begins ||= begins;
      track.onQuiet = onQuiet;
    }
    this.#schedule();
  }

  /** Forgets a run that was given up; its code is never called again. */
  drop(engine: RunEngine): void {
    this.#tracks.delete(engine);
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#afterDrain(() => this.#pass());
  }

  #pass(): void {
    this.#isScheduled = false;
    const quiet: Track[] = [];
    for (const track of this.#tracks.values()) if (advance(track)) quiet.push(track);
    for (const track of quiet) this.#tracks.delete(track.engine);
    for (const track of quiet) track.onQuiet();
    if (this.#tracks.size > 0) this.#schedule();
  }
}

/** Moves one run to its next drain. True when it is quiet with nothing left to deliver. */
function advance(track: Track): boolean {
  const { engine, events } = track;
  if (track.isDraining) {
    if (engine.settle()) return false;
    track.isDraining = false;
  }
  while (engine.broken === undefined) {
    const event = events[track.next];
    if (event === undefined ? track.begins && !engine.hasBegun : engine.mustBeginBefore(event)) {
      engine.begin();
      track.isDraining = true;
      return false;
    }
    if (event === undefined) return true;
    track.next++;
    if (engine.deliver(event)) {
      track.isDraining = true;
      return false;
    }
  }
  return true;
}
