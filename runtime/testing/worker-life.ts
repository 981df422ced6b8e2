// The life of one worker of an environment: the ports it holds until it is killed. From then on nothing that it asks is
// carried out, nothing is answered, no timer fires and nothing is logged, as if its process were gone. Step bodies under
// way cannot be stopped from outside in JavaScript: they go on, and whatever they come to is heard by nobody.

import type { Leases } from "../lease/leases.ts";
import type { Store } from "../store/store.ts";
import type { Wakeups } from "../wake/wakeups.ts";
import type { CancelTimer, Clock, Log, World } from "../world/world.ts";

export interface StoreCall {
  readonly name: keyof Store;
  readonly values: readonly unknown[];
  /** Ends the worker that makes the call: it does not hear the answer. */
  kill(): void;
}

/** Stands between a worker and the store: carries a call out, or not, and answers it, or not. */
export type Traffic = (call: StoreCall, execute: () => Promise<unknown>) => Promise<unknown>;

export interface WorkerLifeOptions {
  readonly world: World;
  readonly store: Store;
  readonly leases: Leases;
  readonly wakeups: Wakeups;
  readonly traffic: Traffic;
  /** False once the environment stops: a worker that is asked to end in order is not killed over it. */
  readonly mayDie: () => boolean;
  /** Called once, when the worker is killed. */
  readonly onKilled: () => void;
}

export class WorkerLife {
  readonly world: World;
  readonly store: Store;
  readonly leases: Leases;
  readonly wakeups: Wakeups;
  readonly #options: WorkerLifeOptions;
  readonly #timers = new Set<CancelTimer>();
  #isOver = false;

  constructor(options: WorkerLifeOptions) {
    this.#options = options;
    const { world, store, leases, wakeups } = options;
    this.world = { clock: this.#clock(world.clock), chance: world.chance, log: this.#log(world.log) };
    this.store = this.#calls(store, (name, values, execute) => this.#send(name as keyof Store, values, execute));
    this.leases = this.#calls(leases, (_name, _values, execute) => this.answer(execute));
    this.wakeups = {
      publish: (topics) => {
        if (!this.#isOver) wakeups.publish(topics);
      },
      subscribe: (topic, listen) => wakeups.subscribe(topic, () => this.#ifAlive(listen)),
      close: () => wakeups.close(),
    };
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  kill(): void {
    if (this.#isOver || !this.#options.mayDie()) return;
    this.#isOver = true;
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
    void this.#options.wakeups.close();
    this.#options.onKilled();
  }

  #ifAlive(call: () => void): void {
    if (!this.#isOver) call();
  }

  #clock(clock: Clock): Clock {
    return {
      now: () => clock.now(),
      monotonic: () => clock.monotonic(),
      setTimer: (ms, fire) => {
        if (this.#isOver) return () => {};
        const end = () => {
          this.#timers.delete(end);
          cancel();
        };
        const cancel = clock.setTimer(ms, () => {
          this.#timers.delete(end);
          this.#ifAlive(fire);
        });
        this.#timers.add(end);
        return end;
      },
      afterDrain: (call) => clock.afterDrain(() => this.#ifAlive(call)),
    };
  }

  #log(log: Log): Log {
    const line =
      (level: keyof Log): Log["info"] =>
      (fields, message) =>
        this.#ifAlive(() => log[level](fields, message));
    return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  }

  /** A port whose every call goes through `send`. What a worker closes is its own end, not what stands behind it. */
  #calls<Port extends object>(
    port: Port,
    send: (name: string | symbol, values: readonly unknown[], execute: () => Promise<unknown>) => Promise<unknown>,
  ): Port {
    return new Proxy(port, {
      get: (target, name) => {
        if (name === "close") return async () => {};
        const method: unknown = Reflect.get(target, name);
        if (typeof method !== "function") return method;
        return (...values: unknown[]) => send(name, values, () => method.apply(target, this.#mortal(values)));
      },
    });
  }

  /** What the store calls back (the body of a transaction) fails once the worker is gone, so that nothing of it stays. */
  #mortal(values: readonly unknown[]): unknown[] {
    return values.map((value) => {
      if (typeof value !== "function") return value;
      return async (...given: unknown[]) => {
        const result: unknown = await value(...given);
        if (this.#isOver) throw new Error("the worker was killed");
        return result;
      };
    });
  }

  #send(name: keyof Store, values: readonly unknown[], execute: () => Promise<unknown>): Promise<unknown> {
    const call: StoreCall = { name, values, kill: () => this.kill() };
    return this.answer(() => this.#options.traffic(call, execute));
  }

  /** What the worker is told of it: nothing, once it is killed. */
  answer<T>(execute: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#isOver) return;
      execute().then(
        (value) => this.#ifAlive(() => resolve(value)),
        (error) => this.#ifAlive(() => reject(error)),
      );
    });
  }
}
