// Wake-ups in memory: the contract, and that hints of one moment are one.

import { expect, test } from "vitest";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedLog } from "../support/recorded-log.ts";
import { wakeupsContract } from "./wakeups.ts";

wakeupsContract("memory", async () => {
  const bus = new MemoryWakeBus();
  return { open: (world) => bus.open(world), close: async () => {} };
});

test("hints of the same moment are told once", async () => {
  const clock = new ManualClock();
  const wakeups = new MemoryWakeBus().open({ clock, log: new RecordedLog() });
  let calls = 0;
  wakeups.subscribe("queue/default", () => calls++);
  for (let hint = 0; hint < 10; hint++) wakeups.publish(["queue/default", "queue/default"]);
  await clock.advance(0);
  expect(calls).toBe(1);
  wakeups.publish(["queue/default"]);
  await clock.advance(0);
  expect(calls).toBe(2);
});
