// Updates through a real worker: stored first, decided in order, answered once, whatever comes together.

import { expect, test } from "vitest";
import { condition, defineQuery, defineSignal, defineUpdate, sleep, step, workflow } from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";
import { withCalls } from "../support/store-calls.ts";

const add = defineUpdate<number, number>("add");
const total = defineQuery<number>("total");
const done = defineSignal("done");
const note = defineSignal<number>("note");

/** Adds what is small enough, until it is done. */
const counter = workflow("counter", async () => {
  let sum = 0;
  let isDone = false;
  add.handle(
    (n) => {
      sum += n;
      return sum;
    },
    {
      validate: (n) => {
        if (sum + n > 10) throw new RangeError(`${sum + n} is too much`);
      },
    },
  );
  total.handle(() => sum);
  done.handle(() => {
    isDone = true;
  });
  await condition(() => isDone);
  return sum;
});

test("an update is answered with what its handler returned", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const run = await house.client.start(counter);
  expect(await run.update(add, 3)).toBe(3);
  expect(await run.update(add, 4)).toBe(7);
  await run.signal(done);
  expect(await run.result()).toBe(7);
  expect(await typesOf(run)).toEqual([
    "RunStarted",
    "UpdateAccepted",
    "UpdateCompleted",
    "UpdateAccepted",
    "UpdateCompleted",
    "SignalReceived",
    "RunCompleted",
  ]);
});

test("a rejected update tells its sender why, leaves no event, and the run can be parked", async () => {
  const house = openHouse();
  const worker = await house.startWorker([counter], { lingerMs: 1 });
  const run = await house.client.start(counter);
  const rejected = run.update(add, 11, { updateId: "too much" });
  await expect(rejected).rejects.toMatchObject({
    code: "UPDATE_REJECTED",
    message: expect.stringContaining("11 is too much"),
    cause: { name: "RangeError", message: "11 is too much" },
  });
  expect(await typesOf(run)).toEqual(["RunStarted"]);
  expect((await run.describe()).unreadMail).toBe(0);
  await eventually("the run is parked", () => worker.stats.liveRuns === 0 && worker.stats.parked > 0);
  // The same id has the same answer, also when the state would now allow it, and after the close.
  await expect(run.update(add, 1, { updateId: "too much" })).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  await run.signal(done);
  expect(await run.result()).toBe(0);
  await expect(run.getUpdate(add, "too much").result()).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
});

test("each update is judged by what those before it have done, however many come together", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const run = await house.client.start(counter);
  const answers = await Promise.allSettled(Array.from({ length: 8 }, () => run.update(add, 3)));
  const sums = answers.map((answer) => (answer.status === "fulfilled" ? answer.value : "no"));
  expect(sums).toEqual([3, 6, 9, "no", "no", "no", "no", "no"]);
  expect(await run.query(total)).toBe(9);
});

test("an update that is sent again with its id counts once and has one answer, also after the close", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const run = await house.client.start(counter);
  const options = { updateId: "the one" };
  expect(await Promise.all([run.update(add, 2, options), run.update(add, 2, options)])).toEqual([2, 2]);
  await run.update(add, 1);
  await run.signal(done);
  expect(await run.result()).toBe(3);
  expect(await run.update(add, 2, options)).toBe(2);
  await expect(run.update(add, 2)).rejects.toMatchObject({ code: "RUN_CLOSED" });
});

test("updates and signals are delivered in the order in which they were sent", async () => {
  const house = openHouse();
  const mixed = workflow("mixed", async () => {
    const seen: string[] = [];
    add.handle(async (n) => {
      seen.push(`add ${n}`);
      await step(`look at ${n}`, () => {});
      return seen.length;
    });
    note.handle((n) => {
      seen.push(`note ${n}`);
    });
    await condition(() => seen.length === 6);
    return seen;
  });
  const run = await house.client.start(mixed);
  for (const n of [1, 2, 3]) {
    await run.update(add, n, { waitFor: "stored" });
    await run.signal(note, n);
  }
  await house.startWorker([mixed]);
  expect(await run.result()).toEqual(["add 1", "note 1", "add 2", "note 2", "add 3", "note 3"]);
  const history = await historyOf(run);
  expect((await replay(mixed, history)).engine.broken).toBeUndefined();
});

test("signals before an early update are there before the first line, the update after it", async () => {
  const house = openHouse();
  const early = workflow("early", async () => {
    const seen: string[] = [];
    note.handle((n) => {
      seen.push(`note ${n}`);
    });
    seen.push("first line");
    add.handle((n) => {
      seen.push(`add ${n}`);
      return n;
    });
    await condition(() => seen.length === 4);
    return seen;
  });
  const run = await house.client.start(early);
  await run.signal(note, 1);
  const update = await run.update(add, 7, { waitFor: "stored" });
  await run.signal(note, 2);
  await house.startWorker([early]);
  expect(await update.result()).toBe(7);
  expect(await run.result()).toEqual(["note 1", "first line", "add 7", "note 2"]);
  const history = await historyOf(run);
  expect(history.flatMap((event) => (event.type === "SignalReceived" ? event.isEarly : []))).toEqual([true, false]);
  expect((await replay(early, history)).result).toEqual(["note 1", "first line", "add 7", "note 2"]);
});

test("waiting for the acceptance only gives a handle to the rest", async () => {
  const house = openHouse();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const slow = workflow("slow", async () => {
    let isDone = false;
    add.handle(async (n) => {
      await step("slow", () => held);
      isDone = true;
      return n * 2;
    });
    await condition(() => isDone);
  });
  await house.startWorker([slow]);
  const run = await house.client.start(slow);
  const update = await run.update(add, 4, { waitFor: "accepted", updateId: "u" });
  expect(update.updateId).toBe("u");
  await expect(update.result({ timeout: 20 })).rejects.toMatchObject({
    code: "UPDATE_TIMED_OUT",
    retryable: true,
    message: expect.stringContaining("Its handler goes on"),
  });
  release();
  expect(await update.result()).toBe(8);
  expect(await run.getUpdate(add, "u").result()).toBe(8);
});

test("an error in the handler fails the update and not the run", async () => {
  const house = openHouse();
  const fragile = workflow("fragile", async () => {
    add.handle((n) => {
      throw new RangeError(`${n} is odd`);
    });
    await done.receive();
    return "fine";
  });
  await house.startWorker([fragile]);
  const run = await house.client.start(fragile);
  await expect(run.update(add, 1)).rejects.toMatchObject({
    code: "UPDATE_FAILED",
    cause: { name: "RangeError", message: "1 is odd" },
  });
  await run.signal(done);
  expect(await run.result()).toBe("fine");
});

test("a run that closes first tells whether the update had begun", async () => {
  const house = openHouse();
  const leaves = workflow("leaves", async () => {
    add.handle(async (n) => {
      await sleep("1h");
      return n;
    });
    await done.receive();
  });
  await house.startWorker([leaves]);
  const run = await house.client.start(leaves);
  const begun = await run.update(add, 1, { waitFor: "accepted" });
  await run.signal(done);
  await expect(begun.result()).rejects.toMatchObject({ code: "UPDATE_ABANDONED" });
  expect(house.log.lines.filter(({ level }) => level === "warn")).toMatchObject([
    {
      fields: { code: "HANDLERS_UNFINISHED", handlers: [expect.stringContaining('update "add"')], status: "completed" },
      message: "run closed while handlers were under way",
    },
  ]);
  const parked = await house.client.start(leaves, { delay: "1h", queue: "nobody's" });
  const waiting = await parked.update(add, 1, { waitFor: "stored" });
  await parked.terminate();
  await expect(waiting.result()).rejects.toMatchObject({ code: "RUN_CLOSED" });
  await expect(parked.getUpdate(add, "never sent").result()).rejects.toMatchObject({ code: "UPDATE_NOT_FOUND" });
});

test("an update that comes as the run ends is refused, not lost", async () => {
  const house = openHouse();
  let release = () => {};
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const ends = workflow("ends", async () => {
    add.handle((n) => n);
    await step("last", () => held);
  });
  await house.startWorker([ends], { pollMs: 60_000 });
  const run = await house.client.start(ends);
  await eventually("the step is under way", async () => (await run.describe()).pending?.steps.length === 1);
  const sent = run.update(add, 7, { waitFor: "stored" });
  release();
  const update = await sent;
  await run.result();
  const answer = await update.result().catch((error) => error.code);
  expect([7, "RUN_CLOSED"]).toContain(answer);
  expect((await typesOf(run)).includes("UpdateCompleted")).toBe(answer === 7);
});

test("a run that goes without pause takes updates all the same", async () => {
  const house = openHouse();
  const restless = workflow("restless", async () => {
    let isDone = false;
    add.handle((n) => {
      isDone = true;
      return n;
    });
    const spin = async (name: string) => {
      while (!isDone) await step(name, () => {});
    };
    await Promise.all(["a", "b", "c", "d"].map(spin));
  });
  await house.startWorker([restless]);
  const run = await house.client.start(restless);
  await eventually("it goes", async () => (await historyOf(run)).length > 5);
  expect(await run.update(add, 5)).toBe(5);
  await run.result();
  expect((await replay(restless, await historyOf(run))).engine.broken).toBeUndefined();
});

test("updateWithStart starts a run or takes the open one, with the update in one transaction", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const options = { id: "basket", update: add } as const;
  const first = await house.client.updateWithStart(counter, { ...options, updateInput: 2 });
  expect(await first.update.result()).toBe(2);
  const second = await house.client.updateWithStart(counter, { ...options, updateInput: 3 });
  expect(second.run.runId).toBe(first.run.runId);
  expect(await second.update.result()).toBe(5);
  const refused = await house.client.updateWithStart(counter, { ...options, updateInput: 100 });
  await expect(refused.update.result()).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  await refused.run.signal(done);
  expect(await first.run.result()).toBe(5);
});

test("a repeated updateWithStart with a request id has one run and one answer", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const options = { id: "basket", requestId: "r", update: add, updateInput: 2 } as const;
  const [first, again] = [
    await house.client.updateWithStart(counter, options),
    await house.client.updateWithStart(counter, options),
  ];
  expect(again.run.runId).toBe(first.run.runId);
  expect([await first.update.result(), await again.update.result()]).toEqual([2, 2]);
});

test("an update outlives the worker that took it, and is answered by the next", async () => {
  const house = openHouse();
  const patient = workflow("patient", async () => {
    let count = 0;
    add.handle(async (n) => {
      await sleep(150);
      count++;
      return n;
    });
    await condition(() => count === 2);
  });
  const worker = await house.startWorker([patient], { lingerMs: 60_000 });
  const run = await house.client.start(patient);
  const update = await run.update(add, 9, { waitFor: "accepted" });
  await worker.stop(0);
  const waiting = await run.update(add, 8, { waitFor: "stored" });
  await house.startWorker([patient]);
  expect(await update.result()).toBe(9);
  expect(await waiting.result()).toBe(8);
});

test("lost answers to appends and refusals change nothing for the senders", async () => {
  let lost = 0;
  const house = openHouse({
    // Every other append lands and is not heard of.
    wrapStore: (store) =>
      withCalls(store, {
        async appendTurns(turns) {
          const answer = await store.appendTurns(turns);
          if (lost++ % 2 === 0) throw new Error("the answer is lost");
          return answer;
        },
      }),
  });
  await house.startWorker([counter]);
  const run = await house.client.start(counter);
  const sums: unknown[] = [];
  for (const n of [1, 20, 2, 30, 3]) sums.push(await run.update(add, n).catch((error) => error.code));
  expect(sums).toEqual([1, "UPDATE_REJECTED", 3, "UPDATE_REJECTED", 6]);
  expect(lost).toBeGreaterThan(5);
  expect((await typesOf(run)).filter((type) => type === "UpdateAccepted")).toHaveLength(3);
});

test("an unknown update, and arguments that make no sense", async () => {
  const house = openHouse();
  await house.startWorker([counter]);
  const run = await house.client.start(counter);
  await expect(run.update(defineUpdate("other"))).rejects.toMatchObject({
    code: "UPDATE_UNKNOWN",
    message: expect.stringContaining('"add"'),
  });
  await expect(run.update(add, 1, { waitFor: "never" as "stored" })).rejects.toMatchObject({
    code: "ARGUMENT_INVALID",
  });
  await expect(run.update(add, 1, { updateId: "" })).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  await expect(house.client.getUntyped("nobody").update(add, 1)).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});
