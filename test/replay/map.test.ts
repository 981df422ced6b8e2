// Many items: how many at once, when it is decided, what becomes of the rest.

import { expect, test } from "vitest";
import {
  BatchFailure,
  CanceledFailure,
  defineSignal,
  map,
  nonCancellable,
  parallel,
  sleep,
  step,
  workflow,
} from "../../sdk/index.ts";
import type { StepCompleted } from "../../sdk/protocol/event.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { type DrivenRun, replay, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const work = (item: unknown) => step(`item ${item}`, () => item);
const quick = (item: unknown) => step(`item ${item}`, () => item, { onCancel: "abandon" });

/** What a worker tells of a step that stopped because nobody needs it any more. */
const stopped = (run: DrivenRun, item: unknown) =>
  run.fails(`item ${item}`, new CanceledFailure("map() needs no more of its items"));

/** What a failed batch says, as plain data. */
const told = (batch: Promise<unknown>) =>
  batch.catch((error: BatchFailure) => ({
    name: error.name,
    message: error.message,
    failures: error.failures.map(({ index, error: each }) => `${index} ${each}`),
    cause: String(error.cause),
  }));

test("results come in the order of the items, whichever ended first", async () => {
  const main = workflow("main", async () => map(["a", "b", "c"], work));
  const run = await runWorkflow(main);
  expect(run.pending).toEqual(["1 step item a", "2 step item b", "3 step item c"]);
  await run.completes("item c", 3);
  await run.completes("item a", 1);
  await run.completes("item b", 2);
  expect(run.result).toEqual([1, 2, 3]);
  await expectSameFromEveryPrefix(main, run);
});

test("no more than `concurrency` are under way, and each that ends lets the next begin", async () => {
  const main = workflow("main", async () =>
    map(new Set(["a", "b", "c", "d"]), (item, index) => step(`item ${item}`, () => index), { concurrency: 2 }),
  );
  const run = await runWorkflow(main);
  expect(run.pending).toEqual(["1 step item a", "2 step item b"]);
  await run.completes("item b", 1);
  expect(run.pending).toEqual(["1 step item a", "3 step item c"]);
  await run.completes("item c", 2);
  await run.completes("item a", 0);
  await run.completes("item d", 3);
  expect(run.result).toEqual([0, 1, 2, 3]);
  await expectSameFromEveryPrefix(main, run);
});

test("nothing to do is done at once, and items that need no wait need no event", async () => {
  const main = workflow("main", async () => [
    await map([], work),
    await map([], work, { toleratedFailures: 0 }),
    await map([1, 2, 3], (item) => item * 2, { concurrency: 2 }),
  ]);
  expect((await runWorkflow(main)).result).toEqual([[], [], [2, 4, 6]]);
});

test("the first failure cancels the rest, begins no more, and rejects when all have ended", async () => {
  const main = workflow("main", async () => told(map(["a", "b", "c", "d"], work, { concurrency: 3 })));
  const run = await runWorkflow(main);
  await run.fails("item b", new RangeError("no"));
  expect(run.changes().slice(3)).toEqual(["cancelRequested 1 step item a", "cancelRequested 3 step item c"]);
  await stopped(run, "a");
  expect(run.outcome).toBeUndefined();
  await run.fails("item c", new TypeError("on the way out"));
  expect(run.result).toEqual({
    name: "BatchFailure",
    message: 'map(): 2 of 4 items failed, and 0 may; first item 1: StepFailure: step "item b" failed: RangeError: no',
    failures: [
      '1 StepFailure: step "item b" failed: RangeError: no',
      '2 StepFailure: step "item c" failed: TypeError: on the way out',
    ],
    cause: 'StepFailure: step "item b" failed: RangeError: no',
  });
  await expectSameFromEveryPrefix(main, run);
});

test("what an item throws by itself counts as a failure, at once or later", async () => {
  const main = workflow("main", async () =>
    told(
      map([1, 2], () => {
        throw new RangeError("at once");
      }),
    ),
  );
  expect((await runWorkflow(main)).result).toMatchObject({ failures: ["0 RangeError: at once"] });
});

test("uncaught, too many failures fail the run, with the numbers as details", async () => {
  const main = workflow("main", async () => map(["a", "b"], quick));
  const run = await runWorkflow(main);
  await run.fails("item a", new RangeError("no"));
  expect(run.outcome).toMatchObject({
    type: "failed",
    failure: {
      kind: "application",
      type: "BatchFailure",
      retryable: false,
      details: expect.stringContaining('"items":2,"failed":1'),
      cause: { kind: "step" },
    },
  });
});

test("enough successes end it: the rest is canceled, and each item tells what it came to", async () => {
  const main = workflow("main", async () => map(["a", "b", "c", "d"], quick, { minSuccessful: 2, concurrency: 3 }));
  const run = await runWorkflow(main);
  await run.fails("item a", new RangeError("no"));
  await run.completes("item c", 3);
  await run.completes("item d", 4);
  expect(run.result).toMatchObject([
    { status: "failed", error: { name: "StepFailure" } },
    { status: "canceled" },
    { status: "completed", value: 3 },
    { status: "completed", value: 4 },
  ]);
  await expectSameFromEveryPrefix(main, run);
});

test("an item that completes although it was told to stop has completed", async () => {
  const main = workflow("main", async () => map(["a", "b", "c"], work, { minSuccessful: 1 }));
  const run = await runWorkflow(main);
  await run.completes("item b", 2);
  expect(run.outcome).toBeUndefined();
  await run.completes("item a", 1);
  await stopped(run, "c");
  expect(run.result).toEqual([
    { status: "completed", value: 1 },
    { status: "completed", value: 2 },
    { status: "canceled" },
  ]);
});

test("an end that is decided stays: failures of those that stop do not undo enough successes", async () => {
  const main = workflow("main", async () => map(["a", "b"], work, { minSuccessful: 1, toleratedFailures: 0 }));
  const run = await runWorkflow(main);
  await run.completes("item b", 2);
  await run.fails("item a", new RangeError("on the way out"));
  expect(run.result).toMatchObject([{ status: "failed" }, { status: "completed", value: 2 }]);
});

const policies = [
  { options: { toleratedFailures: 1 }, failing: 1, rejects: false },
  { options: { toleratedFailures: 1 }, failing: 2, rejects: true },
  { options: { toleratedFailureRate: 0.5 }, failing: 2, rejects: false },
  { options: { toleratedFailureRate: 0.5 }, failing: 3, rejects: true },
  { options: { toleratedFailureRate: 0 }, failing: 1, rejects: true },
  { options: { toleratedFailureRate: 1 }, failing: 4, rejects: false },
  { options: { toleratedFailures: 2, toleratedFailureRate: 0.25 }, failing: 2, rejects: true },
  { options: { minSuccessful: 4 }, failing: 1, rejects: true },
  { options: { minSuccessful: 2 }, failing: 2, rejects: false },
  { options: { minSuccessful: 2 }, failing: 3, rejects: true },
  { options: { minSuccessful: 1, toleratedFailures: 1 }, failing: 2, rejects: true },
];

test.each(policies)("of four items, with $options and $failing failing, it rejects: $rejects", async (policy) => {
  const { options, failing, rejects } = policy;
  const main = workflow("main", async () =>
    map(
      [0, 1, 2, 3],
      (index) => (index < failing ? Promise.reject(new RangeError(`no ${index}`)) : sleep("1m")),
      options as { toleratedFailures: number },
    ).then(
      () => false,
      (error) => error instanceof BatchFailure,
    ),
  );
  const run = await runWorkflow(main);
  while (run.outcome === undefined) await run.fires("sleep");
  expect(run.result).toBe(rejects);
});

test("more successes than there are items can never be: it rejects, and begins none", async () => {
  const main = workflow("main", async () => told(map(["a"], work, { minSuccessful: 3 })));
  const run = await runWorkflow(main);
  expect(run.result).toMatchObject({ message: "map(): 3 items must succeed, and there are only 1" });
  expect(run.changes()).toEqual([]);
});

test("a request cancels all that is under way, begins no more, and is no failure of the items", async () => {
  const main = workflow("main", async () => map(["a", "b", "c"], work, { concurrency: 2, toleratedFailures: 3 }));
  const run = await runWorkflow(main);
  await run.completes("item a", 1);
  await run.cancels("enough");
  await run.fails("item b", new CanceledFailure("enough"));
  expect(run.outcome).toBeUndefined();
  await run.fails("item c", new CanceledFailure("enough"));
  expect(run.failure).toBe("canceled: CanceledFailure: enough");
  await expectSameFromEveryPrefix(main, run);
});

test("a request that comes when every item has its result takes none away", async () => {
  const main = workflow("main", async () => map(["a", "b"], work));
  const run = await runWorkflow(main);
  await run.completes("item a", 1);
  await run.cancels("enough");
  await run.completes("item b", 2);
  expect(run.result).toEqual([1, 2]);
});

test("in a canceled run no item begins, except behind nonCancellable", async () => {
  const main = workflow("main", async () => {
    await sleep("1h").catch(noop);
    const refused = await map(["a"], work).catch(String);
    return [refused, await nonCancellable(() => map(["b"], work))];
  });
  const run = await runWorkflow(main);
  await run.cancels("enough");
  expect(run.pending).toEqual(["2 step item b"]);
  await run.completes("item b", 2);
  expect(run.result).toEqual(["CanceledFailure: enough", [2]]);
});

test("it settles when steps that no item waits for any longer have ended as well", async () => {
  const main = workflow("main", async () => {
    await told(map([1], () => Promise.all([step("bad", noop), step("slow", noop)])));
    return step("after", noop);
  });
  const run = await runWorkflow(main);
  await run.fails("bad", new RangeError("no"));
  expect(run.pending).toEqual(["2 step slow"]);
  await run.completes("slow");
  expect(run.pending).toEqual(["3 step after"]);
  await run.completes("after", "done");
  await expectSameFromEveryPrefix(main, run);
});

test("parallel gives the results of its branches in their order, and cancels the others when one fails", async () => {
  const go = defineSignal<string>("go");
  const main = workflow("main", async () => [
    await parallel([() => step("a", noop), () => go.receive(), () => 7]),
    await parallel([() => step("b", noop), () => sleep("1h"), () => go.receive()]).catch((error) => error.message),
    await parallel([() => step("c", noop), () => sleep("1h")], { toleratedFailures: 1 }),
  ]);
  const run = await runWorkflow(main);
  await run.signals("go", "x");
  await run.completes("a", 1);
  await run.fails("b", new RangeError("no"));
  await run.fails("c", new RangeError("no"));
  await run.fires("sleep");
  expect(run.result).toMatchObject([
    [1, "x", 7],
    'parallel(): 1 of 3 items failed, and 0 may; first item 0: StepFailure: step "b" failed: RangeError: no',
    [{ status: "failed" }, { status: "completed" }],
  ]);
  await expectSameFromEveryPrefix(main, run);
});

const invalid: Record<string, object> = {
  concurrency: { concurrency: 0 },
  minSuccessful: { minSuccessful: 0 },
  toleratedFailures: { toleratedFailures: -1 },
  toleratedFailureRate: { toleratedFailureRate: 1.5 },
};

test.each(Object.keys(invalid))("an unusable %s is refused by name", async (option) => {
  const main = workflow("main", async () =>
    map([1], work, invalid[option]).catch((error) => [error.code, error.details.argument]),
  );
  expect((await runWorkflow(main)).result).toEqual(["ARGUMENT_INVALID", option]);
});

test("10,000 items, a hundred at once, are begun once each and replayed from their history", async () => {
  const count = 10_000;
  const main = workflow("main", async () => {
    const results = await map(Array(count).keys(), (item) => step("work", () => item), { concurrency: 100 });
    return results.reduce((sum, each) => sum + (each as number), 0);
  });
  const run = await runWorkflow(main);
  const events = Array.from({ length: count }, (_, index): StepCompleted => {
    const ended = { command: index + 1, name: "work", attempt: 1, inputHash: null };
    return { type: "StepCompleted", ...ended, result: `${index}` };
  });
  await run.tell(...events);
  expect(run.result).toBe((count * (count - 1)) / 2);
  expect((await replay(main, run.history)).outcome).toEqual(run.outcome);
});

test("10,000 items at once are canceled by the first failure, and none is left", async () => {
  const main = workflow("main", async () => {
    const failed = await told(map(Array(10_000).keys(), (item) => (item === 5_000 ? step("bad", noop) : sleep("1h"))));
    await step("after", noop);
    return failed;
  });
  const run = await runWorkflow(main);
  await run.fails("bad", new RangeError("no"));
  expect(run.pending).toEqual(["10001 step after"]);
  await run.completes("after");
  expect(run.result).toMatchObject({ failures: ['5000 StepFailure: step "bad" failed: RangeError: no'] });
});
