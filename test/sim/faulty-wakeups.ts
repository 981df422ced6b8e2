// Wake-ups that are lost, doubled and late. They are only hints: none of this may do more than cost time, not even for
// ever, so these faults go on when all others have stopped.

import type { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import type { Wakeups } from "../../runtime/wake/wakeups.ts";
import type { Dice } from "./dice.ts";
import type { FaultPlan } from "./faults.ts";
import type { Probes } from "./probes.ts";
import type { Scheduler } from "./scheduler.ts";
import type { SimulatedProcess } from "./simulated-process.ts";

export interface FaultyWakeupsOptions {
  readonly bus: MemoryWakeBus;
  readonly process: SimulatedProcess;
  readonly scheduler: Scheduler;
  readonly faults: Pick<FaultPlan, "lostWakeup" | "doubledWakeup" | "lateWakeup">;
  readonly dice: Dice;
  readonly probes: Probes;
}

export function faultyWakeups({ bus, process, scheduler, faults, dice, probes }: FaultyWakeupsOptions): Wakeups {
  const end = bus.open(process.world);
  return {
    publish(topics) {
      if (process.state === "dead" || topics.length === 0) return;
      if (dice.hits(faults.lostWakeup)) return probes.hit("fault: wake-up lost");
      if (dice.hits(faults.doubledWakeup)) {
        probes.hit("fault: wake-up doubled");
        scheduler.after(dice.int(0, 300), null, () => end.publish(topics));
      }
      if (!dice.hits(faults.lateWakeup)) return end.publish(topics);
      probes.hit("fault: wake-up late");
      scheduler.after(dice.int(10, 2_000), null, () => end.publish(topics));
    },
    subscribe: (topic, listen) => end.subscribe(topic, listen),
    close: () => end.close(),
  };
}
