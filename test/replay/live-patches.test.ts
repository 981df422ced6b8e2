// patched() on a real worker: nothing that hangs on the answer happens before it is committed.

import { expect, test } from "vitest";
import { defineQuery, defineSignal, log, patched, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { houseWithGate } from "../support/gated-house.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";

const go = defineSignal("go");
const way = defineQuery<string>("way");

function changing(bodies: string[], { isPatched }: { isPatched: boolean }) {
  const body = (name: string) => step(name, () => void bodies.push(name));
  return workflow("changing", async () => {
    let taken = "none";
    way.handle(() => taken);
    await body("before");
    taken = isPatched && patched("p") ? "new" : "old";
    await body(taken);
    await go.receive();
    return taken;
  });
}

test("a step behind a patch begins when the mark is committed", async () => {
  const bodies: string[] = [];
  const { house, open, kept } = houseWithGate("PatchMarked");
  await house.startWorker([changing(bodies, { isPatched: true })]);
  const run = await house.client.start(changing([], { isPatched: true }), {});
  await eventually("the mark is on its way", () => kept.length > 0);
  expect(await run.query(way)).toBe("none"); // what a worker that took the run over now would make of it
  expect(bodies).toEqual(["before"]);
  open();
  await eventually("the new way is taken", () => bodies.includes("new"));
  expect(await run.query(way)).toBe("new");
  await run.signal(go);
  expect(await run.result()).toBe("new");
  expect(await typesOf(run)).toEqual([
    ...["RunStarted", "StepCompleted", "PatchMarked", "StepCompleted", "SignalReceived", "RunCompleted"],
  ]);
});

test("a worker that is lost before the mark is committed leaves nothing of the new way behind", async () => {
  const bodies: string[] = [];
  const { house, open, kept } = houseWithGate("PatchMarked");
  const first = await house.startWorker([changing(bodies, { isPatched: true })]);
  const run = await house.client.start(changing([], { isPatched: true }), {});
  await eventually("the mark is on its way", () => kept.length > 0);
  await first.stop(0);
  await house.startWorker([changing(bodies, { isPatched: false })]);
  await eventually("the old way is taken", () => bodies.includes("old"));
  open(); // the first worker's append arrives now, and is refused
  await run.signal(go);
  expect(await run.result()).toBe("old");
  // What the step before it came to was in the same turn as the mark, so it is made again.
  expect(bodies).toEqual(["before", "before", "old"]);
  expect(await typesOf(run)).not.toContain("PatchMarked");
});

test("a run that meets a changed worker while a step is under way makes that step again, not another", async () => {
  const bodies: string[] = [];
  const house = openHouse();
  let isHanging = true;
  const main = (isPatched: boolean) =>
    workflow("changing", async () => {
      const name = isPatched && patched("p") ? "new" : "charge";
      return step(name, async ({ signal, idempotencyKey }) => {
        bodies.push(`${name} ${idempotencyKey}`);
        if (isHanging) await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
        return name;
      });
    });
  const first = await house.startWorker([main(false)]);
  const run = await house.client.start(main(false), {});
  await eventually("the step is under way", () => bodies.length === 1);
  isHanging = false;
  await first.stop(0);
  await house.startWorker([main(true)]);
  expect(await run.result()).toBe("charge");
  expect(new Set(bodies).size).toBe(1);
});

test("a step that ends while its worker hands over is followed by the mark, and the next owner goes on behind it", async () => {
  const bodies: string[] = [];
  const house = openHouse();
  let end = () => {};
  const main = workflow("changing", async () => {
    await step(
      "before",
      () =>
        new Promise<void>((resolve) => {
          bodies.push("before");
          end = resolve;
        }),
    );
    const taken = patched("p") ? "new" : "old";
    await step(taken, () => void bodies.push(taken));
    return taken;
  });
  const first = await house.startWorker([main]);
  const run = await house.client.start(main, {});
  await eventually("the step is under way", () => bodies.length === 1);
  const stopped = first.stop(10_000);
  end();
  await stopped;
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted", "PatchMarked"]);
  expect(bodies).toEqual(["before"]);
  await house.startWorker([main]);
  expect(await run.result()).toBe("new");
});

test("a run whose last step ends while its worker hands over is closed by that worker", async () => {
  const house = openHouse();
  let end = () => {};
  const main = workflow("ending", async () =>
    step(
      "last",
      () =>
        new Promise<void>((resolve) => {
          end = resolve;
        }),
    ).then(() => "done"),
  );
  const first = await house.startWorker([main]);
  const run = await house.client.start(main, {});
  await eventually("the step is under way", () => first.stats.stepsUnderWay === 1);
  const stopped = first.stop(10_000);
  end();
  await stopped;
  expect(await typesOf(run)).toEqual(["RunStarted", "StepCompleted", "RunCompleted"]);
});

test("asked for in the turn that ends the run, the mark is in the history before the end", async () => {
  const house = openHouse();
  const main = workflow("ending", async () => patched("last"));
  await house.startWorker([main]);
  const run = await house.client.start(main, {});
  expect(await run.result()).toBe(true);
  expect((await historyOf(run)).slice(1)).toMatchObject([
    { type: "PatchMarked", name: "last", since: 1 },
    { type: "RunCompleted", result: "true" },
  ]);
});

test("code that no longer asks blocks the run with both sides told, and it goes on with code that does", async () => {
  const house = openHouse();
  const first = await house.startWorker([changing([], { isPatched: true })]);
  const run = await house.client.start(changing([], { isPatched: true }), {});
  await eventually("the new way is taken", async () => (await typesOf(run)).length === 4);
  await first.stop(0);
  const second = await house.startWorker([changing([], { isPatched: false })]);
  await run.signal(go);
  const blocked = await eventually("the run is blocked", async () => (await run.describe()).blocked);
  expect(blocked).toMatchObject({
    kind: "divergence",
    message: expect.stringContaining(
      'Event 3 is PatchMarked("p"), asked for after event 2; the code called no patched("p") or deprecatePatch("p")',
    ),
  });
  await second.stop(0);
  await house.startWorker([changing([], { isPatched: true })]);
  expect(await run.result()).toBe("new");
});

test("what a new run's first lines log is written", async () => {
  const house = openHouse();
  const main = workflow("logging", async () => {
    log.info("the first line");
    await step("a", () => {});
  });
  await house.startWorker([main]);
  await (await house.client.start(main, {})).result();
  expect(house.log.at("info")).toContain("the first line");
});
