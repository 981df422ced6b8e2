// Events are delivered one at a time, and the code is quiet between two of them: what settles first never depends on
// how many events arrived together.

import { expect, test } from "vitest";
import { defineSignal, log, sleep, step, workflow } from "../../sdk/index.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};

test("everything an event leads to happens before the next event", async () => {
  const seen: string[] = [];
  const main = workflow("main", async () => {
    const slow = async (name: string) => {
      await step(name, noop);
      for (let tick = 0; tick < 10; tick++) {
        seen.push(`${name}${tick}`);
        await Promise.resolve();
      }
    };
    await Promise.all([slow("a"), slow("b")]);
  });
  const run = await runWorkflow(main);
  await run.tell(run.completed("b"), run.completed("a"));
  expect(seen).toEqual([..."0123456789"].map((n) => `b${n}`).concat([..."0123456789"].map((n) => `a${n}`)));
});

test("a shared variable is seen as it was when each event came", async () => {
  const main = workflow("main", async () => {
    let count = 0;
    const add = (name: string) => step(name, noop).then(() => ({ name, before: count++ }));
    return Promise.all([add("a"), add("b"), add("c")]);
  });
  const run = await runWorkflow(main);
  await run.tell(run.completed("c"), run.completed("a"), run.completed("b"));
  expect(run.result).toEqual([
    { name: "a", before: 1 },
    { name: "b", before: 2 },
    { name: "c", before: 0 },
  ]);
});

interface Race {
  readonly name: string;
  readonly combine: (branches: Promise<unknown>[]) => Promise<unknown>;
  readonly result: unknown;
}

const races: Race[] = [
  {
    name: "race",
    combine: (branches) => Promise.race(branches).catch(String),
    result: 'StepFailure: step "b" failed: no',
  },
  { name: "any", combine: (branches) => Promise.any(branches), result: "c" },
  {
    name: "allSettled",
    combine: async (branches) => (await Promise.allSettled(branches)).map(({ status }) => status),
    result: ["fulfilled", "rejected", "fulfilled"],
  },
  {
    name: "all",
    combine: (branches) => Promise.all(branches).catch(String),
    result: 'StepFailure: step "b" failed: no',
  },
];

test.each(races)("Promise.$name comes out the same, alone, in one batch and at replay", async ({ combine, result }) => {
  const main = workflow("main", async () => combine(["a", "b", "c"].map((name) => step(name, noop))));
  const oneByOne = await runWorkflow(main);
  const events = [oneByOne.failed("b", new Error("no")), oneByOne.completed("c", "c"), oneByOne.completed("a", "a")];
  for (const event of events) await oneByOne.tell(event);
  const inOneBatch = await replay(main, oneByOne.history);
  expect(oneByOne.result).toEqual(result);
  expect(inOneBatch.result).toEqual(result);
});

test("a microtask longer way round does not overtake an event that came first", async () => {
  const main = workflow("main", async () => {
    const long = step("long", noop).then(async () => {
      for (let tick = 0; tick < 50; tick++) await null;
      return "long way round";
    });
    return Promise.race([long, step("short", noop).then(() => "short way")]);
  });
  const run = await runWorkflow(main);
  await run.tell(run.completed("long"), run.completed("short"));
  expect(run.result).toBe("long way round");
});

test("a callback of a settled step may ask for more before the next event is seen", async () => {
  const go = defineSignal<string>("go");
  const main = workflow("main", async () => {
    const order: string[] = [];
    go.handle(async (name) => {
      order.push(`signal ${name}`);
      await step(`handle ${name}`, noop);
      order.push(`handled ${name}`);
    });
    await step("a", noop);
    order.push("a");
    await sleep("1s");
    return order;
  });
  const run = await runWorkflow(main);
  await run.tell(run.signalEvent("go", "x"), run.completed("a"), run.signalEvent("go", "y"));
  await run.tell(run.completed("handle y"), run.completed("handle x"));
  await run.fires("sleep");
  expect(run.result).toEqual(["signal x", "a", "signal y", "handled y", "handled x"]);
});

test("every prefix of a history leads to where the run was, and on to the same end", async () => {
  let trace: string[] = [];
  const go = defineSignal<number>("go");
  const main = workflow("main", async () => {
    trace = [];
    const note = (what: string) => trace.push(what);
    const first = await Promise.race([step("a", noop).then(() => "a"), sleep("1m").then(() => "time")]);
    note(first);
    const [n, b] = await Promise.all([go.receive(), step("b", noop).catch((error) => String(error))]);
    note(`${n} ${b}`);
    await step("c", noop);
    note("c");
    return trace.length;
  });
  const run = await runWorkflow(main);
  await run.completes("a");
  await run.fails("b", new TypeError("bad"));
  await run.signals("go", 7);
  await run.completes("c");
  const whole = trace;
  expect(whole).toEqual(["a", '7 StepFailure: step "b" failed: TypeError: bad', "c"]);
  for (let length = 1; length <= run.history.length; length++) {
    const again: DrivenRun = await replay(main, run.history.slice(0, length));
    expect(whole.slice(0, trace.length)).toEqual(trace);
    await again.redeliver(run.history.slice(length));
    expect(trace).toEqual(whole);
    expect(again.outcome).toEqual(run.outcome);
  }
});

test("log lines of the replayed part are not written again", async () => {
  const main = workflow("main", async () => {
    log.info("before");
    await step("a", noop);
    log.info("after");
    await step("b", noop);
  });
  const run = await runWorkflow(main);
  expect(run.log.at("info")).toEqual([]);
  run.engine.goLive();
  await run.completes("a");
  expect(run.log.at("info")).toEqual(["after"]);
});
