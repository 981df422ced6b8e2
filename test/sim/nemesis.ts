// Does to processes and servers what the seed has in store for them, until the simulation heals.

import type { Simulation } from "./simulation.ts";

export class Nemesis {
  readonly #simulation: Simulation;

  constructor(simulation: Simulation) {
    this.#simulation = simulation;
  }

  rage(): void {
    const { faults, workers, probes, settings, keeper, storeServer, leaseServer, codecServer, scheduler } =
      this.#simulation;
    const dice = this.#simulation.dice.split("nemesis");
    const victim = () => workers[dice.int(0, workers.length - 1)];
    const again = (everyMs: number, fault: string, strike: () => void) => {
      if (everyMs <= 0) return;
      scheduler.after(dice.float() * 2 * everyMs, null, () => {
        if (this.#simulation.isHealed) return;
        probes.hit(`fault: ${fault}`);
        strike();
        again(everyMs, fault, strike);
      });
    };
    const outage = (server: { isDown: boolean }, mostMs: number) => {
      server.isDown = true;
      scheduler.after(dice.int(20, mostMs), null, () => {
        server.isDown = false;
      });
    };
    again(faults.killEveryMs, "kill", () => victim()?.kill());
    again(faults.pauseEveryMs, "pause", () => victim()?.pause(dice.int(10, settings.leaseTtlMs * 3)));
    again(faults.gracefulStopEveryMs, "stopped by a signal", () => victim()?.stop());
    again(faults.storeDownEveryMs, "store down", () => outage(storeServer, 1_500));
    again(faults.leasesDownEveryMs, "leases down", () => outage(leaseServer, settings.leaseTtlMs * 2));
    if (this.#simulation.parts.has("codecs")) {
      again(faults.isCalm ? 0 : dice.int(800, 4_000), "codecs down", () => outage(codecServer, 1_500));
    }
    again(faults.leaseEvictedEveryMs, "lease evicted", () => keeper.release(victim()?.workerId ?? ""));
    again(faults.leasesEmptiedEveryMs, "leases emptied", () => keeper.forget());
  }
}
