// A process that is not one: its own clock, chance and log, through which everything it does must go. Killing it makes
// its ports dead: nothing it waits for ever comes, and nothing else is done about it. Pausing it holds everything back,
// and then lets it come all at once, as after SIGSTOP and SIGCONT.

import type { Clock, Log, World } from "../../runtime/world/world.ts";
import type { Dice } from "./dice.ts";
import type { Holder, ScheduledEvent, Scheduler } from "./scheduler.ts";

/** Where the store's clock stands when virtual time begins. */
export const EPOCH_MS = 1_750_000_000_000;

export interface ProcessOptions {
  readonly name: string;
  readonly scheduler: Scheduler;
  readonly dice: Dice;
  /** How far the wall clock is off. */
  readonly skewMs: number;
  /** How fast its clocks run: 1.02 gains 2 %. */
  readonly rate: number;
  readonly log: (process: SimulatedProcess, level: keyof Log, fields: Record<string, unknown>, message: string) => void;
}

export class SimulatedProcess implements Holder {
  readonly name: string;
  readonly world: World;
  readonly #scheduler: Scheduler;
  readonly #held: ScheduledEvent[] = [];
  #state: Holder["state"] = "running";

  constructor({ name, scheduler, dice, skewMs, rate, log }: ProcessOptions) {
    this.name = name;
    this.#scheduler = scheduler;
    const bootedAt = scheduler.now - dice.int(0, 1_000_000);
    const clock: Clock = {
      now: () => Math.floor(EPOCH_MS + skewMs + scheduler.now * rate),
      monotonic: () => (scheduler.now - bootedAt) * rate,
      setTimer: (ms, fire) => {
        const event = scheduler.after(Math.max(0, ms) / rate, this, fire);
        return () => {
          event.fire = null;
        };
      },
      afterDrain: (call) => void scheduler.after(0, this, call),
    };
    const line =
      (level: keyof Log): Log["info"] =>
      (fields, message) => {
        if (this.#state !== "dead") log(this, level, fields, message);
      };
    this.world = {
      clock,
      chance: { float: () => dice.float(), uuid: () => dice.uuid() },
      log: { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") },
    };
  }

  get state(): Holder["state"] {
    return this.#state;
  }

  hold(event: ScheduledEvent): void {
    this.#held.push(event);
  }

  kill(): void {
    this.#state = "dead";
    this.#held.length = 0;
  }

  pause(): void {
    if (this.#state === "running") this.#state = "paused";
  }

  resume(): void {
    if (this.#state !== "paused") return;
    this.#state = "running";
    this.#scheduler.release(this.#held.splice(0));
  }
}
