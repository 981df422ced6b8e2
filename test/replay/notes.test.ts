// What a run says to people: notes in its history, details of the moment, and what its starter said of it.

import { expect, test } from "vitest";
import {
  condition,
  defineQuery,
  defineSignal,
  note,
  setCurrentDetails,
  sleep,
  step,
  upsertMemo,
  workflow,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const go = defineSignal("go");

const main = workflow("order", async () => {
  note("received");
  setCurrentDetails("## charging");
  await step("charge", noop);
  note("warn", "charged twice before");
  upsertMemo({ isCharged: true });
  note("error", "no stock");
  setCurrentDetails("## waiting");
  await step("ship", noop);
  return "shipped";
});

test("a note waits for nothing, and is recorded in the order of asking", async () => {
  const run = await runWorkflow(main);
  await run.completes("charge");
  await run.completes("ship");
  expect(run.result).toBe("shipped");
  expect(run.history.slice(1)).toMatchObject([
    { type: "RunNoted", command: 1, name: "info", text: "received" },
    { type: "StepCompleted", command: 2 },
    { type: "RunNoted", command: 3, name: "warn", text: "charged twice before" },
    { type: "MemoUpserted", command: 4 },
    { type: "RunNoted", command: 5, name: "error", text: "no stock" },
    { type: "StepCompleted", command: 6 },
  ]);
});

test("every prefix of a history leads to the details of then, and on to the same end", async () => {
  const run = await runWorkflow(main);
  await run.completes("charge");
  await run.completes("ship");
  for (let length = 1; length <= run.history.length; length++) {
    const again = await replay(main, run.history.slice(0, length));
    expect(again.engine.data.currentDetails).toBe(length < 3 ? "## charging" : "## waiting");
    await again.redeliver(run.history.slice(length));
    expect(again.engine.broken).toBeUndefined();
    expect(again.result).toBe("shipped");
    expect([...again.engine.data.entries]).toEqual([]);
  }
});

const recorded = async () => {
  await step("a", noop);
  note("warn", "odd");
  await step("b", noop);
};

const changed: Record<string, { readonly main: () => Promise<unknown>; readonly says: string }> = {
  "another text": {
    main: async () => {
      await step("a", noop);
      note("warn", "even");
      await step("b", noop);
    },
    says: 'Event 3 is RunNoted("warn") for command 2; the code asked for Note with another text as command 2',
  },
  "another level": {
    main: async () => {
      await step("a", noop);
      note("odd");
      await step("b", noop);
    },
    says: 'Event 3 is RunNoted("warn") for command 2; the code asked for Note("info") as command 2',
  },
  "a removed note": {
    main: async () => {
      await step("a", noop);
      await step("b", noop);
    },
    says: 'Event 3 is RunNoted("warn") for command 2; the code asked for RunStep("b") as command 2',
  },
  "an added note": {
    main: async () => {
      await step("a", noop);
      note("warn", "odd");
      note("more");
      await step("b", noop);
    },
    says: 'Event 4 is StepCompleted("b") for command 3; the code asked for Note("info") as command 3',
  },
};

test.each(Object.entries(changed))("%s is a divergence that says both sides", async (_, { main: other, says }) => {
  const run = await runWorkflow(workflow("order", recorded));
  await run.completes("a");
  await run.completes("b");
  const again = await replay(workflow("order", other), run.history);
  expect(again.engine.broken).toMatchObject({ code: "DIVERGENCE" });
  expect(again.engine.broken?.message).toContain(says);
});

test("a note that a closed history lacks is a divergence", async () => {
  const again = await replay(
    workflow("order", async () => note("more")),
    [
      { type: "RunStarted", workflow: "order", input: null, seed: "s", seq: 1, at: 1 },
      { type: "RunCompleted", result: null, unread: [], seq: 2, at: 2 },
    ],
  );
  expect(again.engine.broken?.message).toContain("the code asked for Note before it ended");
});

test("details are no part of the history: code that sets others fits", async () => {
  const run = await runWorkflow(main);
  await run.completes("charge");
  const silent = workflow("order", async () => {
    note("received");
    await step("charge", noop);
    setCurrentDetails("other");
    note("warn", "charged twice before");
    upsertMemo({ isCharged: true });
    note("error", "no stock");
    setCurrentDetails("");
    await step("ship", noop);
  });
  const again = await replay(silent, run.history);
  expect(again.engine.broken).toBeUndefined();
  expect(again.engine.data.currentDetails).toBeNull();
});

test("what is too long is cut between characters, and the run goes on", async () => {
  const long = workflow("long", async () => {
    note("é".repeat(3_000));
    note("😀".repeat(500));
    setCurrentDetails("x".repeat(20_001));
    await go.receive();
  });
  const run = await runWorkflow(long);
  const [first, second] = run.history.slice(1) as { text: string }[];
  expect(first?.text).toBe(`${"é".repeat(998)}…`);
  expect(second?.text).toBe("😀".repeat(500));
  expect(run.engine.data.currentDetails).toBe(`${"x".repeat(19_997)}…`);
});

test("what is no note is refused where it is said, and recorded nowhere", async () => {
  const wrong = workflow("wrong", async () => {
    const refusals: unknown[] = [];
    const calls = [
      () => note(""),
      () => note("loud" as never, "text"),
      () => note("info", 5 as never),
      () => setCurrentDetails(undefined as never),
    ];
    for (const call of calls) {
      try {
        call();
      } catch (error) {
        refusals.push((error as Error).message);
      }
    }
    return refusals;
  });
  const run = await runWorkflow(wrong);
  expect(run.result).toEqual([
    'note() takes a text that is not empty as its text; got "".',
    'note() takes one of info, warn, error as its level; got "loud".',
    "note() takes a text that is not empty as its text; got 5.",
    "setCurrentDetails() takes a text as its markdown; got undefined.",
  ]);
  expect(run.history).toHaveLength(1);
  expect(() => note("outside")).toThrow(expect.objectContaining({ code: "OUTSIDE_WORKFLOW" }));
});

test("a query and a condition may only look", async () => {
  const ask = defineQuery<unknown>("ask");
  const tell = defineQuery<unknown>("tell");
  const looking = workflow("looking", async () => {
    ask.handle(() => note("seen"));
    tell.handle(() => setCurrentDetails("seen"));
    await condition(() => false);
  });
  const run = await runWorkflow(looking);
  expect(() => run.engine.query("ask", null)).toThrow(/note\(\) was called in a query handler/);
  expect(() => run.engine.query("tell", null)).toThrow(/setCurrentDetails\(\) was called in a query handler/);
  expect(run.engine.data.currentDetails).toBeNull();
});

test("a canceled run may still say why", async () => {
  const cleaning = workflow("cleaning", async () => {
    try {
      await sleep("1h");
    } finally {
      note("warn", "canceled");
    }
  });
  const run = await runWorkflow(cleaning);
  await run.cancels();
  expect(run.history.at(-1)).toMatchObject({ type: "RunNoted", text: "canceled" });
  expect(run.outcome?.type).toBe("canceled");
});

test("code that goes on after the end of its run says nothing", async () => {
  const ended = workflow("ended", async () => {
    const goOn = async () => {
      for (let n = 0; n < 10; n++) await null;
      note("too late");
      setCurrentDetails("too late");
    };
    void goOn();
    note("in time");
  });
  const run = await runWorkflow(ended);
  expect(run.outcome?.type).toBe("completed");
  expect(run.history.slice(1)).toMatchObject([{ type: "RunNoted", text: "in time" }]);
  expect(run.engine.data.currentDetails).toBeNull();
  expect([...run.engine.data.entries]).toEqual([]);
});

test("describe tells the last notes, open, parked and closed, and the details while the run is open", async () => {
  const house = openHouse();
  const counting = workflow("counting", async () => {
    setCurrentDetails("counting");
    for (let n = 1; n <= 12; n++) note(n === 12 ? "error" : "info", `note ${n}`);
    await go.receive();
    setCurrentDetails("done");
  });
  await house.startWorker([counting]);
  const run = await house.client.start(counting);
  const last = Array.from({ length: 10 }, (_, n) => ({ level: n === 9 ? "error" : "info", text: `note ${n + 3}` }));
  const described = await eventually("the notes are in", async () => {
    const told = await run.describe();
    return told.pending !== null && told.notes.length === 10 ? told : null;
  });
  expect(described).toMatchObject({ notes: last, pending: { currentDetails: "counting" } });
  expect(described?.notes.map(({ seq }) => seq)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13]);
  await eventually("the run is parked", async () => (await run.describe()).ownerId === null);
  expect(await run.describe()).toMatchObject({ notes: last, pending: { currentDetails: "counting" } });
  await run.signal(go);
  await run.result();
  expect(await run.describe()).toMatchObject({ notes: last, pending: null });
  expect((await typesOf(run)).filter((type) => type === "RunNoted")).toHaveLength(12);
  expect((await replay(counting, await historyOf(run))).engine.broken).toBeUndefined();
});

test("what its starter said of a run is shown from its start on, and costs the others nothing", async () => {
  const house = openHouse();
  const delay = "1h";
  const plain = await house.client.start(main, { delay });
  const about = { summary: "lamp for Ann\n\u001b[31m", details: "- one **lamp**\n- a gift" };
  const run = await house.client.start(main, { ...about, delay });
  const detailed = await house.client.start(main, { details: "only at length", delay });
  const [third, second, first] = (await house.client.list({ workflow: "order" })).runs;
  expect([first, second, third].map((each) => each?.staticSummary)).toEqual([null, about.summary, null]);
  expect(await run.describe()).toMatchObject({ staticSummary: about.summary, staticDetails: about.details });
  expect(await detailed.describe()).toMatchObject({ staticSummary: null, staticDetails: "only at length" });
  expect(await plain.describe()).toMatchObject({ staticSummary: null, staticDetails: null, notes: [] });
  const [started] = (await plain.export()).events;
  expect(Object.keys(JSON.parse(started?.data ?? ""))).toEqual(["seed"]);
  await run.terminate();
  expect(await run.describe()).toMatchObject({ staticSummary: about.summary, staticDetails: about.details });
});

test("a summary that is too long, or none, is refused at the door", async () => {
  const house = openHouse();
  for (const options of [{ summary: "x".repeat(401) }, { summary: "" }, { details: "é".repeat(10_001) }]) {
    await expect(house.client.start(main, options)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
  }
  await house.client.start(main, { summary: "x".repeat(400), details: "é".repeat(10_000) });
  expect((await house.client.list()).runs).toHaveLength(1);
});
