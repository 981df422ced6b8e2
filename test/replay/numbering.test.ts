// Commands are numbered in the order of asking, and answered by number and name.

import { expect, test } from "vitest";
import { defineSignal, sleep, step, workflow } from "../../sdk/index.ts";
import { runWorkflow } from "../support/replaying.ts";

const noop = () => {};

test("commands are numbered from 1 in the order of asking, whatever their kind", async () => {
  const go = defineSignal("go");
  const main = workflow("main", async () => {
    await Promise.all([step("a", noop), sleep("1s"), step("b", noop), go.receive({ timeout: "1m" })]);
    await step("c", noop);
  });
  const run = await runWorkflow(main);
  expect(run.changes()).toEqual([
    "asked 1 step a",
    "asked 2 timer sleep",
    "asked 3 step b",
    "asked 4 timer receive go",
  ]);
  await run.tell(run.completed("b"), run.fired("sleep"), run.completed("a"), run.fired("receive go"));
  expect(run.changes()).toEqual(["asked 5 step c"]);
});

test("steps asked for in `then` are numbered in the order in which their results came", async () => {
  const main = workflow("main", async () => {
    await Promise.all(["a", "b"].map((name) => step(name, noop).then(() => step(`after ${name}`, noop))));
  });
  const run = await runWorkflow(main);
  await run.tell(run.completed("b"), run.completed("a"));
  expect(run.pending).toEqual(["3 step after b", "4 step after a"]);
});

test("the same step name twice in parallel is answered by number", async () => {
  const main = workflow("main", async () => Promise.all([step("same", () => 0), step("same", () => 0)]));
  const run = await runWorkflow(main);
  const answer = (command: number, result: string) =>
    ({ type: "StepCompleted", command, name: "same", result, attempt: 1, inputHash: null }) as const;
  await run.tell(answer(2, "22"), answer(1, "11"));
  expect(run.result).toEqual([11, 22]);
});

test("a bad argument takes no number", async () => {
  const main = workflow("main", async () => {
    await expect(async () => step("", noop)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    await expect(async () => sleep(-1)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    await expect(async () => step("a", "no function" as never)).rejects.toMatchObject({ code: "ARGUMENT_INVALID" });
    await step("good", noop);
  });
  const run = await runWorkflow(main);
  expect(run.changes()).toEqual(["asked 1 step good"]);
});

test("what is asked for after the run ended is not heard", async () => {
  const main = workflow("main", async () => {
    void step("late", noop).then(() => step("never", noop));
    return await step("first", () => "done");
  });
  const run = await runWorkflow(main);
  const late = run.completed("late");
  await run.tell(run.completed("first", "done"), late);
  expect(run.changes()).toEqual(["asked 1 step late", "asked 2 step first", "withdrawn 1 step late"]);
  expect(run.result).toBe("done");
});
