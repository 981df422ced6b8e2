// A history as a file, brought into another database: to be read there, or to go on there.

import { expect, test } from "vitest";
import {
  condition,
  defineAttributes,
  defineSignal,
  defineUpdate,
  note,
  sleep,
  step,
  upsertAttributes,
  upsertMemo,
  workflow,
} from "../../sdk/index.ts";
import type { Event } from "../../sdk/protocol/event.ts";
import { type StoredEvent, toRecord } from "../../sdk/protocol/event-record.ts";
import type { HistoryFile } from "../../sdk/protocol/history-file.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay } from "../support/replaying.ts";

const add = defineSignal<number>("add");
const end = defineSignal("end");
const raise = defineUpdate<number, number>("raise");
const data = defineAttributes({ customer: "keyword" });

let charged = 0;

const order = workflow("order", async () => {
  let sum = 0;
  raise.handle(
    async (by) => {
      sum += await step("weigh", () => by);
      return sum;
    },
    {
      validate: (by) => {
        if (by < 0) throw new RangeError("never down");
      },
    },
  );
  add.handle((by) => {
    sum += by;
  });
  let isEnded = false;
  end.handle(() => {
    isEnded = true;
  });
  await step("charge", () => {
    charged++;
    return 5;
  });
  note("charged");
  upsertAttributes(data({ customer: "c1" }));
  upsertMemo({ at: new Date(5) });
  await sleep("1ms");
  await condition(() => isEnded);
  return sum;
});

/** As it is written to a disk and read again. */
const written = (file: HistoryFile) => JSON.parse(JSON.stringify(file)) as HistoryFile;

test("a closed run is read in another database as it was", async () => {
  const [from, to] = [openHouse(), openHouse()];
  await from.startWorker([order]);
  const run = await from.client.start(order, { summary: "an order", details: "at length", memo: { by: "ann" } });
  await run.update(raise, 2);
  await run.signal(end);
  const result = await run.result();
  const file = written(await run.export());

  const copy = await to.client.importRun(file);
  expect([copy.workflowId, copy.runId]).toEqual([run.workflowId, run.runId]);
  expect(await copy.result()).toBe(result);
  expect(await copy.describe()).toEqual(await run.describe());
  expect(await copy.export()).toEqual(file);
  expect(await historyOf(copy)).toEqual(await historyOf(run));
  expect(await to.client.count({ where: { attributes: data.where({ customer: "c1" }) } })).toBe(1);
  await expect(copy.signal(end)).rejects.toMatchObject({ code: "RUN_CLOSED" });
});

test("an open run goes on where it was, with its untaken mail, and no step is made again", async () => {
  const [from, to] = [openHouse(), openHouse()];
  const worker = await from.startWorker([order]);
  const run = await from.client.start(order, { id: "order-1" });
  await run.signal(add, 1, { signalId: "one" });
  expect(await run.update(raise, 10, { updateId: "ten" })).toBe(11);
  await expect(run.update(raise, -1, { updateId: "down" })).rejects.toMatchObject({ code: "UPDATE_REJECTED" });
  await eventually("the timer has fired", async () => (await typesOf(run)).includes("TimerFired"));
  await worker.stop(0);
  await run.signal(add, 100, { signalId: "hundred" });
  await run.update(raise, 1_000, { updateId: "thousand", waitFor: "stored" });
  const before = charged;
  const file = written(await run.export());
  expect(file.mail.map(({ mailId }) => mailId)).toEqual(["signal:hundred", "update:thousand"]);
  await run.terminate("goes on elsewhere");

  const copy = await to.client.importRun(file);
  await to.startWorker([order]);
  // Sent again it counts once, whether it was taken there or not.
  await copy.signal(add, 1, { signalId: "one" });
  await copy.signal(add, 100, { signalId: "hundred" });
  const moved = to.client.get(order, "order-1");
  expect(await moved.update(raise, 10, { updateId: "ten" })).toBe(11);
  expect(await moved.update(raise, 1_000, { updateId: "thousand" })).toBe(1_111);
  await moved.signal(end);
  expect(await moved.result()).toBe(1_111);
  expect(charged).toBe(before);
  const history = await historyOf(copy);
  expect(history.slice(0, file.events.length).map(({ at }) => at)).toEqual(file.events.map(({ at }) => at));
  expect((await replay(order, history)).engine.broken).toBeUndefined();
});

test("a run that waits for a timer goes on when its time has come, or at once when that has passed", async () => {
  const [from, to] = [openHouse(), openHouse()];
  const waiting = workflow("waiting", async () => {
    await sleep("50ms");
    await end.receive();
    return "woken";
  });
  const worker = await from.startWorker([waiting]);
  const run = await from.client.start(waiting);
  await eventually("the timer is started", async () => (await typesOf(run)).includes("TimerStarted"));
  await worker.stop(0);
  const file = written(await run.export());
  const copy = await to.client.importRun(file);
  await to.startWorker([waiting]);
  await copy.signal(end);
  expect(await copy.result()).toBe("woken");
});

test("a run comes in once, and no second open one beside another", async () => {
  const house = openHouse();
  const run = await house.client.start(order, { id: "order-1" });
  const file = written(await run.export());
  await expect(house.client.importRun(file)).rejects.toMatchObject({
    code: "RUN_ALREADY_STARTED",
    message: expect.stringContaining(`Run ${run.runId} (order-1) is in this database already`),
  });
  const other = openHouse();
  await other.client.start(order, { id: "order-1" });
  await expect(other.client.importRun(file)).rejects.toMatchObject({
    code: "RUN_ALREADY_STARTED",
    message: expect.stringContaining("Run order-1 is open in this database"),
  });
});

const started: Event = { type: "RunStarted", workflow: "order", input: null, seed: "s" };
const stepped: Event = { type: "StepCompleted", command: 1, name: "a", result: "1", attempt: 1, inputHash: null };
const received: Event = { type: "SignalReceived", name: "add", signalId: "x", mail: 1, payload: "1", isEarly: false };
const ended: Event = { type: "RunCompleted", result: null, unread: [] };

const whole: HistoryFile = {
  format: "everstep.history",
  version: 1,
  workflow: "order",
  workflowId: "order-1",
  runId: "01JD3Q9Z7N8T1V5R0K2M4P6X8Y",
  queue: "default",
  startedAt: 1,
  closedAt: null,
  deadlineAt: null,
  events: eventsOf(started, stepped),
  mail: [{ mail: 1, kind: "signal", mailId: "signal:a", name: "add", payload: "1" }],
};

function eventsOf(...events: readonly Event[]): StoredEvent[] {
  return events.map((event, index) => ({ ...toRecord(event), seq: index + 1, at: 1_000 }));
}

function withEvent(change: Partial<StoredEvent>): Partial<HistoryFile> {
  const [first, second] = whole.events as [StoredEvent, StoredEvent];
  return { events: [first, { ...second, ...change }] };
}

const [letter] = whole.mail as [HistoryFile["mail"][number]];
const failed = { type: 3, payload: '{"kind":"application"}' };

const broken: Record<string, [change: object, says: string]> = {
  "another format": [{ format: "other" }, "it is of the form other 1"],
  "a later version": [{ version: 2 }, "it is of the form everstep.history 2"],
  "no events": [{ events: [] }, "it has no events"],
  "no list of mail": [{ mail: null }, "it has no list of mail"],
  "a run id that is none": [{ runId: "order-1" }, "its runId is no ULID"],
  "no start time": [{ startedAt: "today" }, "its startedAt is no time"],
  "a deadline that is no time": [{ deadlineAt: 1.5 }, "its deadlineAt is neither a time nor null"],
  "a gap": [withEvent({ seq: 3 }), "event 2 has the seq 3"],
  "an event that is none": [{ events: [whole.events[0], null] }, "entry 2 of its events is no object"],
  "an event without a time": [withEvent({ at: -1 }), "event 2 has no time"],
  "an event of a newer release": [withEvent({ type: 999 }), "event 2 is of the type 999"],
  "a type that is no number": [withEvent({ type: "2" as never }), "event 2 is of the type 2"],
  "a command below 1": [withEvent({ command: 0 }), "event 2 has a command that is no number from 1"],
  "an answer without a command": [withEvent({ command: null }), "event 2 answers no command"],
  "an answer without a name": [withEvent({ name: null }), "event 2 has no name"],
  "a name that cannot be stored": [withEvent({ name: "a\u0000" }), "event 2 has a name that cannot be stored"],
  "a payload that is no JSON": [withEvent({ payload: "{" }), "event 2 has a payload that is no JSON, or too large"],
  "a payload that is too large": [
    withEvent({ payload: JSON.stringify("é".repeat(1024 * 1024)) }),
    "event 2 has a payload that is no JSON, or too large",
  ],
  "data that is no JSON": [withEvent({ data: "attempt" }), "event 2 has data that is no JSON, or too large"],
  "a failure that is none": [withEvent(failed), "event 2 has no failure that can be read"],
  "another first event": [{ events: eventsOf(stepped) }, "its first event is no RunStarted"],
  "another workflow": [{ workflow: "other" }, 'its first event is no RunStarted of workflow "other"'],
  "a limit of its chain that is none": [
    { events: eventsOf({ ...started, chainTimeoutMs: "1h" as never }) },
    "its chain has a limit that is no time",
  ],
  "two starts": [{ events: eventsOf(started, started) }, "event 2 starts the run again"],
  "something after the end": [{ events: eventsOf(started, ended, stepped) }, "event 2 ends the run, and others follow"],
  "an end without a time": [{ events: eventsOf(started, ended), mail: [] }, "its closedAt is no time"],
  "a time without an end": [{ closedAt: 5 }, "its last event does not end the run"],
  "a closed run with mail": [
    { events: eventsOf(started, ended), closedAt: 5 },
    "it is closed, and has mail that it has not taken",
  ],
  "mail taken out of order": [
    { events: eventsOf(started, received, { ...received, signalId: "y" }) },
    "event 3 takes mail 1 out of order",
  ],
  "mail of a kind that is none": [
    { mail: [{ ...letter, kind: "parcel" }] },
    "entry 1 of its mail is of the kind parcel",
  ],
  "mail without an id": [{ mail: [{ ...letter, mailId: 5 }] }, "entry 1 of its mail has an id or a name"],
  "mail that is no JSON": [{ mail: [{ ...letter, payload: "{" }] }, "entry 1 of its mail has a payload"],
  "mail with one id": [{ mail: [letter, letter] }, "two of its mail have one id"],
  "mail that was taken already": [
    { events: eventsOf(started, { ...received, signalId: letter.mailId }) },
    "two of its mail have one id",
  ],
  "an attribute of a type that is none": [
    { events: eventsOf({ ...started, attributes: '{"a":["colour","red"]}' }) },
    'its attribute or memo "a" cannot be kept',
  ],
  "attributes that are none": [
    { events: eventsOf(started, { type: "AttributesUpserted", command: 1, name: "attributes", changes: '{"a":5}' }) },
    "its attributes or memo cannot be read",
  ],
};

test("the file that the others are changed from comes in", async () => {
  const house = openHouse();
  expect((await house.client.importRun(whole)).runId).toBe(whole.runId);
});

test.each(Object.entries(broken))(
  "a file with %s is refused, saying so, and nothing is stored",
  async (_, [change, says]) => {
    const house = openHouse();
    const refused = house.client.importRun({ ...whole, ...change });
    await expect(refused).rejects.toMatchObject({ code: "ARGUMENT_INVALID", message: expect.stringContaining(says) });
    expect(await house.client.count()).toBe(0);
  },
);

test.each([null, undefined, 5, "text", []])("%j is no file", async (file) => {
  const house = openHouse();
  await expect(house.client.importRun(file as never)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
});
