import { expect, test } from "vitest";
import { LocalWorkers } from "../../runtime/service/local-workers.ts";
import { OutcomeWaiter, type StoredOutcome } from "../../runtime/service/outcome-waiter.ts";
import { MemoryStore } from "../../runtime/store/memory/memory-store.ts";
import { MemoryWakeBus } from "../../runtime/wake/memory/memory-wakeups.ts";
import { systemChance } from "../../runtime/world/system.ts";
import { startRequest } from "../contract/store/stage.ts";
import { ManualClock } from "../support/manual-clock.ts";
import { RecordedLog } from "../support/recorded-log.ts";

async function openWaiter() {
  const clock = new ManualClock();
  const log = new RecordedLog();
  const store = new MemoryStore({ clock });
  const bus = new MemoryWakeBus();
  const wakeups = bus.open({ clock, log });
  const world = { clock, chance: systemChance, log };
  const waiter = new OutcomeWaiter({ store, wakeups, world, locals: new LocalWorkers(), pollMs: 1_000 });
  const { runId } = startRequest();
  await store.startRuns([startRequest({ runId })]);
  const heard: string[] = [];
  const caller = (name: string) => ({
    closed: ({ status }: StoredOutcome) => heard.push(`${name} ${status}`),
    gone: () => heard.push(`${name} gone`),
    abandoned: () => heard.push(`${name} abandoned`),
  });
  return { clock, store, wakeups, waiter, runId, heard, caller };
}

test("everybody who waits for a run is told once when a hint says that it closed", async () => {
  const { clock, store, wakeups, waiter, runId, heard, caller } = await openWaiter();
  for (const name of ["ann", "bob"]) waiter.wait(runId, caller(name));
  await clock.advance(1);
  expect(heard).toEqual([]);
  await store.terminateRun(runId, "enough");
  wakeups.publish([`run/${runId}`, `run/${runId}`]);
  await clock.advance(1);
  wakeups.publish([`run/${runId}`]);
  await clock.advance(5_000);
  expect(heard).toEqual(["ann terminated", "bob terminated"]);
  waiter.close();
});

test("a run that closed before anybody listened is found at once", async () => {
  const { clock, store, waiter, runId, heard, caller } = await openWaiter();
  await store.terminateRun(runId, "enough");
  waiter.wait(runId, caller("ann"));
  await clock.advance(1);
  expect(heard).toEqual(["ann terminated"]);
  waiter.close();
});

test("without any hint, the regular look finds it", async () => {
  const { clock, store, waiter, runId, heard, caller } = await openWaiter();
  waiter.wait(runId, caller("ann"));
  await clock.advance(1);
  await store.terminateRun(runId, "enough");
  await clock.advance(1_300);
  expect(heard).toEqual(["ann terminated"]);
  waiter.close();
});

test("who has not heard of the end of a run before it was deleted is told that it is gone", async () => {
  const { clock, store, waiter, runId, heard, caller } = await openWaiter();
  const other = startRequest();
  await store.startRuns([other]);
  waiter.wait(runId, caller("ann"));
  waiter.wait(other.runId, caller("bob"));
  await clock.advance(1);
  await store.terminateRun(runId, "enough");
  await store.deleteRuns([runId]);
  await clock.advance(20_000);
  expect(heard).toEqual(["ann gone"]);
  waiter.close();
});

test("a store that is away for a look is asked again", async () => {
  const { clock, store, waiter, runId, heard, caller } = await openWaiter();
  await store.terminateRun(runId, "enough");
  const readOutcomes = store.readOutcomes.bind(store);
  let failures = 0;
  store.readOutcomes = async (runIds) => {
    if (failures++ < 2) throw new Error("away");
    return readOutcomes(runIds);
  };
  waiter.wait(runId, caller("ann"));
  await clock.advance(5_000);
  expect(heard).toEqual(["ann terminated"]);
  waiter.close();
});

test("who stopped waiting is not told; at the close the others are told that nobody looks any more", async () => {
  const { clock, store, waiter, runId, heard, caller } = await openWaiter();
  const ann = caller("ann");
  waiter.wait(runId, ann);
  waiter.wait(runId, caller("bob"));
  waiter.leave(runId, ann);
  waiter.leave(runId, ann);
  waiter.close();
  await store.terminateRun(runId, "enough");
  await clock.advance(5_000);
  expect(heard).toEqual(["bob abandoned"]);
});
