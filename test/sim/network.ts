// The way from one simulated process to a server and back. What can become of a call: it arrives and is answered; its
// request is lost; its reply is lost; it is carried out after its caller was told that it failed; the server is down.

import type { Dice } from "./dice.ts";
import type { Probes } from "./probes.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

/** Which faults calls meet. Read at each call: they stop when the simulation heals. */
export interface Weather {
  readonly latencyMs: number;
  readonly timeoutMs: number;
  readonly lostRequest: number;
  readonly lostReply: number;
  readonly lateExecution: number;
}

export interface Server {
  isDown: boolean;
}

export interface RouteOptions {
  readonly scheduler: Scheduler;
  readonly process: SimulatedProcess;
  readonly server: Server;
  readonly dice: Dice;
  readonly probes: Probes;
  readonly weather: () => Weather;
  /** What the caller is told when its call failed, or seems to have. */
  readonly unavailable: (call: string, reason: string) => Error;
}

export class Route {
  readonly #options: RouteOptions;

  constructor(options: RouteOptions) {
    this.#options = options;
  }

  /**
   * `execute` is called at the server, at most once, perhaps long after the caller gave up. `mayBeLate: false` is for
   * calls that end with their connection.
   */
  call<T>(name: string, execute: () => Promise<T>, { mayBeLate = true } = {}): Promise<T> {
    const { scheduler, process, server, dice, probes, unavailable } = this.#options;
    if (process.state === "dead") return new Promise(() => {});
    const { latencyMs, timeoutMs, lostRequest, lostReply, lateExecution } = this.#options.weather();
    const way = () => (latencyMs === 0 ? 0 : dice.float() * latencyMs);
    return new Promise((resolve, reject) => {
      const fail = (ms: number, reason: string) => {
        scheduler.after(ms, process, () => reject(unavailable(name, reason)));
      };
      if (dice.hits(lostRequest)) {
        probes.hit("fault: request lost");
        return fail(timeoutMs, "the request was lost");
      }
      const isLate = mayBeLate && dice.hits(lateExecution);
      if (isLate) {
        probes.hit("fault: executed after the caller gave up");
        fail(timeoutMs, "no answer in time");
      }
      scheduler.after(isLate ? timeoutMs * (1 + dice.float() ** 2 * 15) : way(), null, () => {
        if (server.isDown) {
          probes.hit("fault: server down");
          return isLate ? undefined : fail(way(), "the server is down");
        }
        // A killed process may have sent what arrives now: the server does not know.
        const answer = execute();
        if (isLate) return void answer.catch(() => {});
        if (dice.hits(lostReply)) {
          probes.hit("fault: reply lost");
          answer.catch(() => {});
          return fail(timeoutMs, "the reply was lost");
        }
        answer.then(
          (value) => void scheduler.after(way(), process, () => resolve(value)),
          (error) => void scheduler.after(way(), process, () => reject(error)),
        );
      });
    });
  }
}
