// The first branch: who wins, what becomes of the others, the same at every replay.

import { expect, test } from "vitest";
import {
  CanceledFailure,
  condition,
  defineSignal,
  nonCancellable,
  race,
  sleep,
  step,
  workflow,
} from "../../sdk/index.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const approve = defineSignal<{ by: string }>("approve");
const reject = defineSignal<string>("reject");

test("the winner is told by name, and what the others waited for is taken back", async () => {
  const main = workflow("main", async () => {
    const first = await race({
      signal: () => approve.receive(),
      time: () => sleep("1h"),
      state: () => condition(() => false),
      work: () => step("a", noop),
      thrown: () => step("b", noop, { onCancel: "abandon" }),
    });
    await step("after", noop);
    return first;
  });
  const run = await runWorkflow(main);
  run.changes();
  await run.signals("approve", { by: "ann" });
  expect(run.changes()).toEqual([
    "withdrawn 1 timer sleep",
    "cancelRequested 2 step a",
    "withdrawn 3 step b",
    "asked 4 step after",
  ]);
  expect(run.engine.waits).toEqual({ signals: [], conditions: 0 });
  await run.fails("a", new CanceledFailure("another was first"));
  await run.completes("after");
  expect(run.result).toEqual({ winner: "signal", value: { by: "ann" } });
  await expectSameFromEveryPrefix(main, run);
});

test("which is first is the order of the history, in one batch and alone", async () => {
  const main = workflow("main", async () => race({ a: () => step("a", noop), b: () => step("b", noop) }));
  const together = await runWorkflow(main);
  await together.tell(together.completed("b", "B"), together.completed("a", "A"));
  expect(together.result).toEqual({ winner: "b", value: "B" });
  await expectSameFromEveryPrefix(main, together);
});

test("of branches that need no wait the first in the object wins, and all have begun", async () => {
  const begun: string[] = [];
  const main = workflow("main", async () =>
    race({
      slow: () => step("a", noop, { onCancel: "abandon" }),
      first: () => begun.push("first"),
      second: async () => begun.push("second"),
    }),
  );
  const run = await runWorkflow(main);
  expect(run.result).toEqual({ winner: "first", value: 1 });
  expect(begun).toEqual(["first", "second"]);
});

test("the first to throw ends it, at once or later, and cancels the others", async () => {
  const main = workflow("main", async () => {
    const later = await race({ bad: () => step("bad", noop), time: () => sleep("1h") }).catch(String);
    const atOnce = await race({
      time: () => sleep("1h"),
      bad: () => {
        throw new RangeError("at once");
      },
    }).catch(String);
    return [later, atOnce];
  });
  const run = await runWorkflow(main);
  await run.fails("bad", new TypeError("no"));
  expect(run.result).toEqual(['StepFailure: step "bad" failed: TypeError: no', "RangeError: at once"]);
  expect(run.changes()).toEqual([
    "asked 1 step bad",
    "asked 2 timer sleep",
    "withdrawn 2 timer sleep",
    "asked 3 timer sleep",
    "withdrawn 3 timer sleep",
  ]);
});

test("a loser's clean-up behind nonCancellable is carried out beside the code that goes on", async () => {
  const main = workflow("main", async () => {
    const first = await race({
      time: () => sleep("1m"),
      work: async () => {
        try {
          await sleep("1h");
        } finally {
          await nonCancellable(() => step("undo", noop));
        }
      },
    });
    await step("after", noop);
    return first;
  });
  const run = await runWorkflow(main);
  await run.fires("sleep");
  expect(run.pending).toEqual(["3 step undo", "4 step after"]);
  await run.completes("undo");
  await run.completes("after");
  expect(run.result).toEqual({ winner: "time", value: undefined });
  await expectSameFromEveryPrefix(main, run);
});

test("a request cancels every branch, and the race rejects; afterwards none begins", async () => {
  let isCalled = false;
  const main = workflow("main", async () => {
    await race({ time: () => sleep("1h"), signal: () => approve.receive() }).catch(noop);
    await race({
      late: async () => {
        isCalled = true;
      },
    });
  });
  const run = await runWorkflow(main);
  await run.cancels("enough");
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  expect(isCalled).toBe(false);
  await expectSameFromEveryPrefix(main, run);
});

test("a loop of races leaves nothing waiting behind it", async () => {
  const rounds = 50;
  const main = workflow("main", async () => {
    for (let round = 0; round < rounds; round++) {
      await race({ tick: () => sleep("1h"), stop: () => reject.receive(), never: () => condition(() => false) });
    }
  });
  const run = await runWorkflow(main);
  for (let round = 0; round < rounds; round++) {
    expect(run.pending).toHaveLength(1);
    expect(run.engine.waits).toEqual({ signals: ["reject"], conditions: 1 });
    await run.fires("sleep");
  }
  expect(run.outcome?.type).toBe("completed");
});

test("a race of nothing, or of something else than functions, is refused", async () => {
  const main = workflow("main", async () => [
    await race({}).catch((error) => error.code),
    await race({ a: sleep(1) as unknown as () => void }).catch((error) => error.code),
  ]);
  expect((await runWorkflow(main)).result).toEqual(["ARGUMENT_INVALID", "ARGUMENT_INVALID"]);
  await expect(race({ a: noop })).rejects.toMatchObject({ code: "OUTSIDE_WORKFLOW" });
});
