// Mail from run to run: sent exactly once, in order, and answered.

import { expect, test } from "vitest";
import { defineSignal, externalRun, isEverstepError, sleep, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const note = defineSignal<number>("note");

const collect = workflow("collect", async (expected: number) => {
  const got: number[] = [];
  while (got.length < expected) got.push(await note.receive());
  return got;
});

test("signals arrive once each, in the order they were asked for", async () => {
  const house = openHouse();
  const sender = workflow("sender", async () => {
    const other = externalRun("collector");
    await Promise.all([0, 1, 2, 3, 4].map((n) => other.signal(note, n)));
    for (let n = 5; n < 10; n++) await other.signal(note, n);
    void other.signal(note, 10);
  });
  await house.startWorker([sender, collect]);
  const collector = await house.client.start(collect, { id: "collector", input: 11 });
  const run = await house.client.start(sender);
  await run.result();
  expect(await collector.result()).toEqual([...Array(11).keys()]);
  const types = await typesOf(run);
  expect(types.filter((type) => type === "ExternalRequested")).toHaveLength(11);
  const events = await historyOf(run);
  for (let length = 1; length <= events.length; length++) {
    const again = await replay(sender, events.slice(0, length));
    await again.redeliver(events.slice(length));
    expect(again.engine.broken?.message).toBeUndefined();
  }
});

test("whom it does not find, and who is closed, it is told", async () => {
  const house = openHouse();
  const sender = workflow("sender", async (id: string) => {
    const told: unknown[] = [];
    for (const send of [() => externalRun(id).signal(note, 1), () => externalRun(id).cancel()]) {
      told.push(await send().catch((error) => (isEverstepError(error) ? error.code : error)));
    }
    return told;
  });
  await house.startWorker([sender, collect]);
  await (await house.client.start(collect, { id: "closed", input: 0 })).result();
  const told = async (input: string) => (await house.client.start(sender, { input })).result();
  expect(await told("nobody")).toEqual(["RUN_NOT_FOUND", "RUN_NOT_FOUND"]);
  expect(await told("closed")).toEqual(["RUN_CLOSED", "RUN_CLOSED"]);
});

test("a cancel request from another run is one like any other", async () => {
  const house = openHouse();
  const sender = workflow("sender", async () => externalRun("target").cancel("says the other"));
  const target = workflow("target", async () => sleep("1h"));
  await house.startWorker([sender, target]);
  const run = await house.client.start(target, { id: "target" });
  await (await house.client.start(sender)).result();
  await expect(run.result()).rejects.toMatchObject({ status: "canceled", cause: { message: "says the other" } });
});

test("two runs that send to each other all the time do not stand in each other's way", async () => {
  const house = openHouse();
  const player = workflow("player", async ({ to, begins }: { to: string; begins: boolean }) => {
    let ball = 0;
    if (begins) await externalRun(to).signal(note, ball);
    while (ball < 20) {
      ball = (await note.receive()) + 1;
      await externalRun(to)
        .signal(note, ball)
        .catch((error) => {
          if (!isEverstepError(error, "RUN_CLOSED")) throw error;
        });
    }
    return ball;
  });
  await house.startWorker([player]);
  await house.startWorker([player]);
  const one = await house.client.start(player, { id: "one", input: { to: "two", begins: false } });
  const two = await house.client.start(player, { id: "two", input: { to: "one", begins: true } });
  expect(await one.result()).toBeGreaterThanOrEqual(20);
  expect(await two.result()).toBeGreaterThanOrEqual(20);
});

test("a run that is canceled stops waiting for mail that is on its way; the mail arrives", async () => {
  const house = openHouse();
  const sender = workflow("sender", async () => {
    const error = await Promise.all([sleep("1h"), externalRun("collector").signal(note, 7)]).catch((thrown) => thrown);
    return [error.name, await step("after", () => 1).catch((thrown) => thrown.name)];
  });
  await house.startWorker([sender, collect]);
  const collector = await house.client.start(collect, { id: "collector", input: 1 });
  const run = await house.client.start(sender);
  await eventually("it was delivered", async () => (await typesOf(run)).includes("ExternalDelivered"));
  await run.cancel();
  expect(await run.result()).toEqual(["CanceledFailure", "CanceledFailure"]);
  expect(await collector.result()).toEqual([7]);
});
