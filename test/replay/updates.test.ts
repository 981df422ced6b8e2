// Updates inside a run: judged by its state, handled in log order, compared when they are replayed.

import { expect, test } from "vitest";
import { installGuards } from "../../runtime/worker/guards/install.ts";
import {
  allHandlersFinished,
  condition,
  defineSignal,
  defineUpdate,
  RetryableError,
  sleep,
  step,
  workflow,
} from "../../sdk/index.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

installGuards();

const noop = () => {};
const add = defineUpdate<number, number>("add");
const note = defineSignal<string>("note");

/** What history says of updates, as words. */
function told(run: DrivenRun): string[] {
  return run.history.flatMap((event) => {
    if (event.type === "UpdateAccepted") return [`${event.updateId} accepted`];
    if (event.type !== "UpdateCompleted") return [];
    return [`${event.updateId} ${event.failure === null ? `gave ${event.result}` : `threw ${event.failure.message}`}`];
  });
}

const counter = workflow("counter", async () => {
  let total = 0;
  add.handle(
    async (n) => {
      total += n;
      if (n >= 10) await step(`save ${n}`, noop);
      return total;
    },
    {
      validate: (n) => {
        if (n < 0) throw new RangeError(`${n} is below zero`);
        if (total + n > 100) throw new RangeError(`${total + n} is too much`);
      },
    },
  );
  await condition(() => total >= 50);
  await condition(allHandlersFinished);
  return total;
});

test("handlers run beside the main function and each tells its own sender", async () => {
  const run = await runWorkflow(counter);
  await run.updates("add", 1);
  await run.updates("add", 20);
  await run.updates("add", 2);
  expect(told(run)).toEqual([
    "update-1 accepted",
    "update-1 gave 1",
    "update-2 accepted",
    "update-3 accepted",
    "update-3 gave 23",
  ]);
  await run.completes("save 20");
  expect(told(run).at(-1)).toBe("update-2 gave 23");
});

test("a validator sees the state, and a rejected update leaves no trace in the run", async () => {
  const run = await runWorkflow(counter);
  await run.updates("add", 40);
  const before = [...run.history];
  const judge = (n: number) => run.engine.judgeUpdate({ updateId: "u", name: "add", input: String(n) });
  expect(judge(-1)).toMatchObject({
    code: "UPDATE_REJECTED",
    message: 'Update "add" (u) to run order-42 was rejected: -1 is below zero',
    failure: { type: "RangeError" },
  });
  expect(judge(61)).toMatchObject({ code: "UPDATE_REJECTED", failure: { message: "101 is too much" } });
  expect(judge(60)).toBeNull();
  expect(run.history).toEqual(before);
  expect(run.changes()).toEqual(["asked 1 step save 40"]);
});

test("what a validator does to its input is not what the handler gets, and chance is where it was", async () => {
  const fill = defineUpdate<string[], string[]>("fill");
  const main = workflow("main", async () => {
    fill.handle((list) => list, {
      validate: (list) => {
        list.push(`spoiled ${Math.random()}`);
      },
    });
    await step("a", noop);
    return crypto.randomUUID();
  });
  const run = await runWorkflow(main);
  const untouched = await runWorkflow(main);
  await run.updates("fill", ["a"]);
  expect(told(run).at(-1)).toBe('update-1 gave ["a"]');
  for (const each of [run, untouched]) await each.completes("a");
  expect(run.result).toBe(untouched.result);
});

test("an update that nobody handles is refused with the names that are", async () => {
  const run = await runWorkflow(counter);
  expect(run.engine.judgeUpdate({ updateId: "u", name: "subtract", input: "1" })).toEqual({
    code: "UPDATE_UNKNOWN",
    message:
      'Update "subtract" (u) to run order-42 was not taken: the run has no handler of that name. It takes: "add".',
    failure: null,
  });
});

test("a validator may only look, and must decide at once", async () => {
  const ask = defineUpdate<void, number>("ask");
  const later = defineUpdate<void, number>("later");
  const main = workflow("main", async () => {
    ask.handle(noop, { validate: () => void step("no", noop) });
    later.handle(noop, { validate: (async () => {}) as () => void });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  const judge = (name: string) => run.engine.judgeUpdate({ updateId: "u", name, input: "1" });
  expect(judge("ask")).toMatchObject({ code: "UPDATE_REJECTED", message: expect.stringContaining("may only look") });
  expect(judge("later")).toMatchObject({
    code: "UPDATE_REJECTED",
    message: expect.stringContaining("returned a promise"),
  });
  expect(run.pending).toEqual(["1 step a"]);
});

test.each(["synchronously", "in its promise"])(
  "an error that a handler throws %s fails the update only",
  async (how) => {
    const main = workflow("main", async () => {
      add.handle((n) => {
        const error = new RetryableError(`bad ${n}`);
        if (how === "synchronously") throw error;
        return Promise.reject(error);
      });
      await step("a", noop);
      return "fine";
    });
    const run = await runWorkflow(main);
    await run.updates("add", 1);
    expect(told(run)).toEqual(["update-1 accepted", "update-1 threw bad 1"]);
    await run.completes("a");
    expect(run.result).toBe("fine");
  },
);

test("a result that cannot be stored fails the update only", async () => {
  const main = workflow("main", async () => {
    defineUpdate<unknown>("odd").handle(() => () => {});
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.updates("odd");
  expect(told(run).at(-1)).toMatch(/^update-1 threw result of update "odd" cannot be stored/);
});

test("an update may end in the same moment as the run, and is told first", async () => {
  const finish = defineUpdate<string>("finish");
  const main = workflow("main", async () => {
    let isDone = false;
    finish.handle(() => {
      isDone = true;
      return "bye";
    });
    await condition(() => isDone);
    return "done";
  });
  const run = await runWorkflow(main);
  await run.updates("finish");
  expect(told(run).at(-1)).toBe('update-1 gave "bye"');
  expect(run.result).toBe("done");
  expect(run.engine.judgeUpdate({ updateId: "u", name: "finish", input: null })).toMatchObject({ code: "RUN_CLOSED" });
});

test("a run that waits only for updates waits for something", async () => {
  const main = workflow("main", async () => {
    let go: (n: number) => void = noop;
    add.handle((n) => {
      go(n);
      return n;
    });
    return new Promise<number>((resolve) => {
      go = resolve;
    });
  });
  const run = await runWorkflow(main);
  expect(run.engine.broken).toBeUndefined();
  await run.updates("add", 7);
  expect(run.result).toBe(7);
});

const busy = workflow("busy", async () => {
  const trace: string[] = [];
  add.handle(async (n) => {
    trace.push(`add ${n}`);
    await sleep(n);
    trace.push(`added ${await step(`save ${n}`, noop)}`);
    return trace.length;
  });
  note.handle((text) => void trace.push(text));
  trace.push(String(await step("a", noop)));
  await condition(() => trace.length >= 8);
  return trace;
});

/** A run that has seen a bit of everything. */
async function busyRun(): Promise<DrivenRun> {
  const run = await runWorkflow(busy);
  await run.updates("add", 1);
  await run.tell(run.signalEvent("note", "hey"), run.acceptEvent("add", 2), run.completed("a", "A"));
  await run.fires("sleep");
  await run.signals("note", "you");
  await run.completes("save 1", "one");
  await run.fires("sleep");
  await run.completes("save 2", "two");
  await run.signals("note", "end");
  return run;
}

test("every prefix of a history with updates leads to where the run was, however it is delivered", async () => {
  const whole = await busyRun();
  expect(whole.result).toHaveLength(8);
  for (let length = 1; length <= whole.history.length; length++) {
    const again = await replay(busy, whole.history.slice(0, length));
    expect(again.engine.broken).toBeUndefined();
    // What ended before the prefix does not say so is told again; what the rest says of it is the same.
    for (const event of whole.history.slice(length)) await again.redeliver([event]);
    expect(again.engine.broken).toBeUndefined();
    expect(again.result).toEqual(whole.result);
    expect(again.engine.takeEndedUpdates()).toEqual([]);
  }
});

test("an end that was not committed is told again by whoever replays the run", async () => {
  const run = await runWorkflow(counter);
  await run.updates("add", 1);
  const again = await replay(
    counter,
    run.history.filter(({ type }) => type !== "UpdateCompleted"),
  );
  expect(again.engine.takeEndedUpdates()).toEqual([{ updateId: "update-1", name: "add", result: "1", failure: null }]);
});

const returns = (result: number) =>
  workflow("counter", async () => {
    add.handle(() => result);
    await step("a", noop);
  });

test.each([
  ["another result", returns(2), "the code's handler returned another result"],
  [
    "a failure instead",
    workflow("counter", async () => {
      add.handle(() => {
        throw new Error("no");
      });
      await step("a", noop);
    }),
    "the code's handler threw",
  ],
  [
    "no end yet",
    workflow("counter", async () => {
      add.handle(async (n) => step("more", () => n));
      await step("a", noop);
    }),
    "the code's handler has not ended by then",
  ],
  ["no handler any more", workflow("counter", async () => step("a", noop)), "the code has no handler for it by then"],
])("%s is a divergence", async (_what, changed, message) => {
  const run = await runWorkflow(returns(1));
  await run.updates("add", 1);
  const again = await replay(changed, run.history);
  expect(again.engine.broken).toMatchObject({ code: "DIVERGENCE", message: expect.stringContaining(message) });
});

test("handlers under way are known, those to be abandoned apart", async () => {
  const main = workflow("main", async () => {
    add.handle(async (n) => step(`save ${n}`, () => n));
    note.handle(async (text) => step(`keep ${text}`, noop), { onUnfinished: "abandon" });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.updates("add", 1, "u");
  await run.signals("note", "x");
  const { handlersUnderWay } = run.engine;
  expect(handlersUnderWay.all().map(({ kind, name }) => `${kind} ${name}`)).toEqual(["update add", "signal note"]);
  expect(handlersUnderWay.missed()).toEqual([{ kind: "update", name: "add", id: "u" }]);
  await run.completes("save 1", 1);
  await run.completes("keep x");
  expect(handlersUnderWay.areNone).toBe(true);
});

test("a handler that something outside the history wakes breaks the run off", async () => {
  let wake = noop;
  const main = workflow("main", async () => {
    add.handle(async (n) => {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
      return n;
    });
    await step("a", noop);
  });
  const run = await runWorkflow(main);
  await run.updates("add", 1);
  wake();
  await new Promise((resolve) => setImmediate(resolve));
  expect(run.engine.broken).toMatchObject({ code: "FOREIGN_WAIT", message: expect.stringContaining('update "add"') });
});
