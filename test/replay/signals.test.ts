// Signals inside a run: kept until received, in order, each once.

import { expect, test } from "vitest";
import { condition, defineSignal, sleep, step, workflow } from "../../sdk/index.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const note = defineSignal<string>("note");
const other = defineSignal<string>("other");

test("a signal that came before anybody asked is received later, oldest first", async () => {
  const main = workflow("main", async () => {
    await step("a", noop);
    return [await note.receive(), await note.receive()];
  });
  const run = await runWorkflow(main);
  await run.tell(run.signalEvent("note", "one"), run.signalEvent("other", "x"), run.signalEvent("note", "two"));
  await run.completes("a");
  expect(run.result).toEqual(["one", "two"]);
});

test("several receivers are served in the order in which they asked", async () => {
  const main = workflow("main", async () => {
    const order: string[] = [];
    const take = async (who: string) => order.push(`${who} got ${await note.receive()}`);
    await Promise.all([take("first"), take("second"), take("third")]);
    return order;
  });
  const run = await runWorkflow(main);
  for (const payload of ["x", "y", "z"]) await run.signals("note", payload);
  expect(run.result).toEqual(["first got x", "second got y", "third got z"]);
});

test("signals from before the start are there before the first line", async () => {
  const main = workflow("main", async () => {
    const got: string[] = [];
    note.handle((text) => {
      got.push(text);
    });
    const atOnce = [...got];
    return { atOnce, waiting: await other.receive({ timeout: 0 }) };
  });
  const early = [
    { name: "note", payload: "one" },
    { name: "other", payload: "x" },
    { name: "note", payload: "two" },
  ];
  const run = await runWorkflow(main, { early });
  expect(run.result).toEqual({ atOnce: ["one", "two"], waiting: "x" });
  expect(run.changes()).toEqual([]);
  expect((await replay(main, run.history)).result).toEqual(run.result);
});

test("a handler gets what waits already synchronously and in order, then each new one as it comes", async () => {
  const seen: string[] = [];
  const main = workflow("main", async () => {
    await step("a", noop);
    seen.push("before");
    note.handle((text) => {
      seen.push(text);
    });
    seen.push("after");
    await step("b", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note", "one");
  await run.signals("note", "two");
  await run.completes("a");
  await run.signals("note", "three");
  expect(seen).toEqual(["before", "one", "two", "after", "three"]);
});

test("while there is a handler, receive gets nothing; a later handler replaces it", async () => {
  const seen: string[] = [];
  const main = workflow("main", async () => {
    note.handle((text) => {
      seen.push(`first ${text}`);
    });
    void note.receive().then((text) => seen.push(`received ${text}`));
    await step("a", noop);
    note.handle((text) => {
      seen.push(`second ${text}`);
    });
    await step("b", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note", "x");
  await run.completes("a");
  await run.signals("note", "y");
  expect(seen).toEqual(["first x", "second y"]);
});

test("a handler that takes over from receivers leaves them waiting", async () => {
  const seen: string[] = [];
  const main = workflow("main", async () => {
    void note.receive().then((text) => seen.push(`received ${text}`));
    note.handle((text) => {
      seen.push(`handled ${text}`);
    });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note", "x");
  expect(seen).toEqual(["handled x"]);
});

test("an async handler runs beside the main function and may use steps and timers", async () => {
  const main = workflow("main", async () => {
    let handled = 0;
    note.handle(async (text) => {
      await step(`look up ${text}`, noop);
      await sleep("1s");
      handled++;
    });
    await condition(() => handled === 2);
    return handled;
  });
  const run = await runWorkflow(main);
  await run.tell(run.signalEvent("note", "x"), run.signalEvent("note", "y"));
  expect(run.pending).toEqual(["1 step look up x", "2 step look up y"]);
  await run.completes("look up y");
  await run.completes("look up x");
  await run.fires("sleep");
  await run.fires("sleep");
  expect(run.result).toBe(2);
});

test.each(["synchronously", "in its promise"])("an error that a handler throws %s fails the run", async (how) => {
  const main = workflow("main", async () => {
    note.handle((text) => {
      const error = new RangeError(`bad ${text}`);
      if (how === "synchronously") throw error;
      return Promise.reject(error);
    });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note", "x");
  expect(run.failure).toBe("failed: RangeError: bad x");
});

test("receive with a timeout gives the signal, or undefined when time ran out", async () => {
  const main = workflow("main", async () => [
    await note.receive({ timeout: "1m" }),
    await note.receive({ timeout: "1m" }),
  ]);
  const run = await runWorkflow(main);
  await run.signals("note", "x");
  expect(run.pending).toEqual(["2 timer receive note"]);
  await run.fires("receive note");
  expect(run.result).toEqual(["x", undefined]);
});

test("a receiver whose time ran out takes no later signal from the next one", async () => {
  const main = workflow("main", async () => {
    const first = await note.receive({ timeout: "1m" });
    return { first, second: await note.receive() };
  });
  const run = await runWorkflow(main);
  await run.fires("receive note");
  await run.signals("note", "x");
  expect(run.result).toEqual({ first: undefined, second: "x" });
});

test("receive with a timeout of 0 takes what is there, and asks for no timer", async () => {
  const main = workflow("main", async () => {
    const before = await note.receive({ timeout: 0 });
    await step("a", noop);
    return [before, await note.receive({ timeout: 0 }), await note.receive({ timeout: 0 })];
  });
  const run = await runWorkflow(main);
  await run.signals("note", "x");
  await run.completes("a");
  expect(run.result).toEqual([undefined, "x", undefined]);
  expect(run.changes()).toEqual(["asked 1 step a"]);
});

test("a payload of undefined is a signal all the same", async () => {
  const main = workflow("main", async () => {
    await note.receive({ timeout: "1m" });
    await step("after", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note");
  expect(run.pending).toEqual(["2 step after"]);
});

test("what nobody took is known at the end, in order of arrival", async () => {
  const main = workflow("main", async () => {
    await other.receive();
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.signals("note", 1);
  await run.signals("other", 2);
  await run.signals("other", 3);
  await run.signals("note", 4);
  await run.completes("a");
  expect(run.engine.unreadSignals()).toEqual([
    { name: "note", signalId: "signal-1" },
    { name: "other", signalId: "signal-3" },
    { name: "note", signalId: "signal-4" },
  ]);
});

test("signals that were stored before the close still reach their handlers", async () => {
  const seen: string[] = [];
  const main = workflow("main", async () => {
    note.handle((text) => {
      seen.push(text);
    });
    await step("a", noop);
    return seen.length;
  });
  const run = await runWorkflow(main);
  await run.tell(run.completed("a"), run.signalEvent("note", "late"));
  expect(run.result).toBe(0);
  expect(seen).toEqual(["late"]);
  expect(run.engine.unreadSignals()).toEqual([]);
});

test("a payload that cannot be read blocks the run, naming the signal, and fails nothing", async () => {
  const main = workflow("main", async () => note.receive());
  const run = await runWorkflow(main);
  await run.tell({ type: "SignalReceived", name: "note", signalId: "s", mail: 1, payload: "{", isEarly: false });
  expect(run.engine.outcome).toBeUndefined();
  expect(run.engine.broken?.code).toBe("PAYLOAD_UNREADABLE");
  expect(run.engine.broken?.message).toMatch(/^payload of signal "note" to run \S+ cannot be read back/);
});
