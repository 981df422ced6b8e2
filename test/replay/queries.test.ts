// Questions are answered from the run's state as it is, and change nothing.

import { expect, test } from "vitest";
import { condition, defineQuery, defineSignal, sleep, step, workflow } from "../../sdk/index.ts";
import { requireRun } from "../../sdk/workflow/ambient.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const status = defineQuery<string>("status");
const double = defineQuery<number, number>("double");

function answer(run: DrivenRun, name: string, input: unknown = null) {
  return JSON.parse(run.engine.query(name, JSON.stringify(input)) ?? "null");
}

function refusal(run: DrivenRun, name: string) {
  try {
    return run.engine.query(name, null);
  } catch (error) {
    return error;
  }
}

test("a query is answered from the state of the moment, with its input", async () => {
  const main = workflow("main", async () => {
    let phase = "received";
    status.handle(() => phase);
    double.handle((n) => n * 2);
    await step("charge", noop);
    phase = "charged";
    await step("ship", noop);
  });
  const run = await runWorkflow(main);
  expect(answer(run, "status")).toBe("received");
  expect(answer(run, "double", 21)).toBe(42);
  await run.completes("charge");
  expect(answer(run, "status")).toBe("charged");
});

test("a run that ended goes on answering", async () => {
  const main = workflow("main", async () => {
    status.handle(() => "done");
  });
  const run = await runWorkflow(main);
  expect(run.outcome?.type).toBe("completed");
  expect(answer(run, "status")).toBe("done");
  expect(answer(await replay(main, run.history), "status")).toBe("done");
});

test("an unknown name is refused with the names that are known", async () => {
  const main = workflow("main", async () => {
    status.handle(() => "x");
    double.handle((n) => n);
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  expect(refusal(run, "stats")).toMatchObject({
    code: "QUERY_UNKNOWN",
    message: 'Run order-42 has no handler for query "stats". It answers: "status", "double".',
  });
  const silent = await runWorkflow(workflow("main", async () => sleep("1s")));
  expect(refusal(silent, "stats")).toMatchObject({
    code: "QUERY_UNKNOWN",
    message: expect.stringContaining("It answers: none."),
  });
});

test("a later handler replaces an earlier one", async () => {
  const main = workflow("main", async () => {
    status.handle(() => "first");
    status.handle(() => "second");
  });
  expect(answer(await runWorkflow(main), "status")).toBe("second");
});

const handlers: Record<string, { readonly handle: () => unknown; readonly says: RegExp }> = {
  "returns a promise": { handle: async () => "later", says: /returned a promise/ },
  "returns a promise that rejects": { handle: () => Promise.reject(new Error("later")), says: /returned a promise/ },
  throws: { handle: () => missing(), says: /nothing here/ },
  "answers what cannot be stored": { handle: () => ({ run: noop }), says: /answer of query "status"\.run/ },
  "asks for a step": { handle: () => void step("a", noop), says: /query handler or a condition/ },
  "asks for a timer": { handle: () => void sleep("1s"), says: /query handler or a condition/ },
  "registers another handler": { handle: () => double.handle((n) => n), says: /query handler or a condition/ },
};

function missing(): never {
  throw new TypeError("nothing here");
}

test.each(Object.keys(handlers))("a handler that %s fails the query and leaves the run alone", async (what) => {
  const main = workflow("main", async () => {
    status.handle(() => handlers[what]?.handle() as string);
    return step("a", () => "fine");
  });
  const run = await runWorkflow(main);
  run.changes();
  expect(refusal(run, "status")).toMatchObject({
    code: "QUERY_FAILED",
    message: expect.stringMatching(handlers[what]?.says ?? ""),
  });
  await new Promise((resolve) => setImmediate(resolve));
  expect(run.changes()).toEqual([]);
  await run.completes("a", "fine");
  expect(run.result).toBe("fine");
});

test("a query wakes no condition", async () => {
  const main = workflow("main", async () => {
    let looks = 0;
    status.handle(() => String(looks));
    await condition(() => ++looks > 100);
  });
  const run = await runWorkflow(main);
  const looks = answer(run, "status");
  expect(answer(run, "status")).toBe(looks);
});

test("a handler that draws from chance leaves the run's own sequence as it was", async () => {
  const main = workflow("main", async () => {
    const draw = () => requireRun("test").run.random();
    status.handle(() => String(draw()));
    const before = draw();
    await step("a", noop);
    return [before, draw(), requireRun("test").run.randomUUID()];
  });
  const asked = await runWorkflow(main);
  answer(asked, "status");
  answer(asked, "status");
  await asked.completes("a");
  expect((await replay(main, asked.history)).result).toEqual(asked.result);
});

test("a query in the middle of handling signals sees what was handled so far", async () => {
  const add = defineSignal<number>("add");
  const main = workflow("main", async () => {
    let total = 0;
    add.handle((n) => {
      total += n;
    });
    status.handle(() => `total ${total}`);
    await condition(() => total > 100);
  });
  const run = await runWorkflow(main);
  await run.signals("add", 2);
  expect(answer(run, "status")).toBe("total 2");
  await run.signals("add", 3);
  expect(answer(run, "status")).toBe("total 5");
});

test("names that the system answers itself cannot be defined", () => {
  expect(() => defineQuery("everstep.pending")).toThrow(
    expect.objectContaining({
      code: "ARGUMENT_INVALID",
      message: expect.stringMatching(/begin with "everstep\." are reserved/),
    }),
  );
});
