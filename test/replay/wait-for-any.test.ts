// The first of several signals, children and webhooks: who wins, what becomes of the others, the same at every replay.

import { expect, test } from "vitest";
import { z } from "zod";
import {
  CanceledFailure,
  cancelScope,
  createWebhook,
  defineQuery,
  defineSignal,
  isCanceled,
  nonCancellable,
  sleep,
  startChild,
  step,
  waitForAny,
  workflow,
} from "../../sdk/index.ts";
import { webhookSignal, webhookStep } from "../../sdk/protocol/webhook.ts";
import { expectSameFromEveryPrefix } from "../support/every-prefix.ts";
import { type DrivenRun, runWorkflow } from "../support/replaying.ts";

const noop = () => {};
const approve = defineSignal<{ by: string }>("approve");
const reject = defineSignal<string>("reject");
const other = defineSignal<number>("other");

const build = workflow("build", async (of: string) => `${of} is built`);
const paint = workflow("paint", async () => 7);

const HOOK = webhookStep("payment");
const delivered = (run: DrivenRun, body: string) =>
  run.signalEvent(webhookSignal(HOOK, "its token"), { method: "POST", headers: {}, query: "", body, deliveryId: null });

test("waitForAny takes the first signal, and leaves the later one to who asks next", async () => {
  const main = workflow("main", async () => {
    const first = await waitForAny({ approved: approve, rejected: reject });
    return [first, await approve.receive()];
  });
  const run = await runWorkflow(main);
  await run.tell(run.signalEvent("reject", "too dear"), run.signalEvent("approve", { by: "ann" }));
  expect(run.result).toEqual([{ winner: "rejected", value: "too dear" }, { by: "ann" }]);
  await expectSameFromEveryPrefix(main, run);
});

test("of signals that wait already it takes the oldest, whatever its name, and only that", async () => {
  const main = workflow("main", async () => {
    await step("a", noop);
    const first = await waitForAny({ approved: approve, rejected: reject });
    const second = await waitForAny({ approved: approve, rejected: reject }, { timeout: 0 });
    const third = await waitForAny({ approved: approve, rejected: reject }, { timeout: 0 });
    return [first, second, third];
  });
  const run = await runWorkflow(main);
  await run.signals("other", 1);
  await run.signals("reject", "no");
  await run.signals("approve", { by: "ann" });
  await run.completes("a");
  expect(run.result).toEqual([
    { winner: "rejected", value: "no" },
    { winner: "approved", value: { by: "ann" } },
    undefined,
  ]);
  expect(run.engine.unreadSignals()).toEqual([{ name: "other", signalId: "signal-1" }]);
  await expectSameFromEveryPrefix(main, run);
});

test("waitForAny gives undefined when time ran out, and takes its timer back when not", async () => {
  const main = workflow("main", async () => {
    const first = await waitForAny({ approve, reject }, { timeout: "1m" });
    const second = await waitForAny({ approve, reject }, { timeout: "1m" });
    await step("after", noop);
    return [first, second, await reject.receive()];
  });
  const run = await runWorkflow(main);
  await run.fires("waitForAny");
  await run.signals("approve", { by: "ann" });
  expect(run.pending).toEqual(["3 step after"]);
  await run.signals("reject", "late");
  await run.completes("after");
  expect(run.result).toEqual([undefined, { winner: "approve", value: { by: "ann" } }, "late"]);
  await expectSameFromEveryPrefix(main, run);
});

test("waitForAny is canceled with its scope, and takes no signal then", async () => {
  const main = workflow("main", async () => {
    await waitForAny({ approve, reject }, { timeout: "1h" }).catch(noop);
    const again = await waitForAny({ approve, reject }).catch(String);
    return [again, await nonCancellable(() => waitForAny({ other, reject }))];
  });
  const run = await runWorkflow(main);
  await run.cancels("enough");
  await run.signals("reject", "kept");
  expect(run.result).toEqual(["CanceledFailure: enough", { winner: "reject", value: "kept" }]);
  await expectSameFromEveryPrefix(main, run);
});

test("it refuses what is none of these, and nothing at all", async () => {
  const main = workflow("main", async () => [
    await waitForAny({}).catch((error) => error.code),
    await waitForAny({ time: sleep(1) as never }).catch((error) => error.message),
    await waitForAny({ none: undefined as never }).catch((error) => error.message),
    await waitForAny({ name: "approve" as never }).catch((error) => error.message),
  ]);
  expect((await runWorkflow(main)).result).toEqual([
    "ARGUMENT_INVALID",
    'waitForAny() takes an object of signals, child runs and webhooks; "time" is none of them.',
    'waitForAny() takes an object of signals, child runs and webhooks; "none" is none of them.',
    'waitForAny() takes an object of signals, child runs and webhooks; "name" is none of them.',
  ]);
});

test("a child wins by its result, and what comes for the others afterwards is still there", async () => {
  const main = workflow("main", async () => {
    const [wall, door] = [startChild(build, { input: "the wall" }), startChild(paint)];
    const hook = await createWebhook("payment");
    const first = await waitForAny({ wall, door, paid: hook, approve });
    await step("after", noop);
    return [first, (await hook.receive()).body, await approve.receive(), await wall.result];
  });
  const run = await runWorkflow(main);
  await run.completes(HOOK, "its token");
  await run.starts("build");
  await run.starts("paint");
  expect(run.engine.waits).toMatchObject({ conditions: 1 });
  await run.ends("paint", { result: 7 });
  expect(run.engine.waits).toEqual({ signals: [], conditions: 0 });
  await run.tell(run.signalEvent("approve", { by: "ann" }), delivered(run, "paid"));
  await run.ends("build", { result: "the wall is built" });
  await run.completes("after");
  expect(run.result).toEqual([{ winner: "door", value: 7 }, "paid", { by: "ann" }, "the wall is built"]);
  await expectSameFromEveryPrefix(main, run);
});

test("a child that lost goes on, and wins when it is waited for again", async () => {
  const main = workflow("main", async () => {
    const wall = startChild(build, { input: "the wall" });
    const first = await waitForAny({ wall, approve, reject });
    const second = await waitForAny({ wall, approve, reject });
    return [first, second];
  });
  const run = await runWorkflow(main);
  await run.starts("build");
  run.changes();
  await run.signals("reject", "no");
  expect(run.changes()).toEqual([]);
  await run.ends("build", { result: "done" });
  expect(run.result).toEqual([
    { winner: "reject", value: "no" },
    { winner: "wall", value: "done" },
  ]);
  await expectSameFromEveryPrefix(main, run);
});

test("of what is there already the oldest in the history wins, be it a signal, an ended child or a delivery", async () => {
  const main = workflow("main", async () => {
    const [wall, door] = [startChild(build, { input: "the wall" }), startChild(paint)];
    const hook = await createWebhook("payment");
    await step("work", noop);
    const now = { timeout: 0 } as const;
    const order: (string | undefined)[] = [];
    order.push((await waitForAny({ wall, approve, door, reject, hook }, now))?.winner);
    order.push((await waitForAny({ wall, approve, door, reject, hook }, now))?.winner);
    order.push((await waitForAny({ wall, approve, reject, hook }, now))?.winner);
    order.push((await waitForAny({ wall, approve, reject, hook }, now))?.winner);
    order.push((await waitForAny({ approve, reject, hook }, now))?.winner);
    order.push((await waitForAny({ approve, reject, hook }, now))?.winner);
    return order;
  });
  const run = await runWorkflow(main, { early: [{ name: "approve", payload: { by: "ann" } }] });
  await run.completes(HOOK, "its token");
  await run.starts("build");
  await run.starts("paint");
  await run.ends("paint", { result: 7 });
  await run.tell(delivered(run, "paid"), run.signalEvent("other", 1));
  await run.ends("build", { result: "done" });
  await run.signals("reject", "late");
  await run.completes("work");
  // The wall, which has ended, is older than what came last, and stays so until it is left out.
  expect(run.result).toEqual(["approve", "door", "hook", "wall", "reject", undefined]);
  await expectSameFromEveryPrefix(main, run);
});

test("a child that did not complete wins too: the call rejects with its failure, whenever it is made", async () => {
  const main = workflow("main", async () => {
    const wall = startChild(build, { input: "the wall", id: "wall-1" });
    const failures: string[][] = [];
    for (let round = 0; round < 2; round++) {
      await waitForAny({ approve, wall }).catch((error) => failures.push([error.name, error.workflowId]));
    }
    return [...failures, await waitForAny({ approve })];
  });
  const run = await runWorkflow(main);
  await run.starts("build");
  await run.ends("build", { error: new RangeError("it fell") });
  await run.signals("approve", { by: "ann" });
  expect(run.result).toEqual([
    ["ChildFailure", "wall-1"],
    ["ChildFailure", "wall-1"],
    { winner: "approve", value: { by: "ann" } },
  ]);
  await expectSameFromEveryPrefix(main, run);
});

test("a child that its scope gave up counts from then on: after the signals that were there", async () => {
  const main = workflow("main", async () => {
    const scope = cancelScope();
    const [wall, door] = await scope.run(async () => [
      startChild(build, { input: "the wall", onCancel: "abandon" }),
      startChild(paint, { onCancel: "try" }),
    ]);
    await other.receive();
    scope.cancel("enough");
    const first = await waitForAny({ door, approve, wall });
    await step("work", noop);
    const second = await waitForAny({ reject, door }).catch(isCanceled);
    const third = await waitForAny({ reject, wall }, { timeout: 0 }).catch(isCanceled);
    return [first, second, third, await waitForAny({ reject })];
  });
  const run = await runWorkflow(main);
  await run.starts("build");
  await run.starts("paint");
  await run.signals("approve", { by: "ann" });
  await run.signals("other", 1);
  await run.signals("reject", "no");
  await run.completes("work");
  expect(run.result).toEqual([
    { winner: "approve", value: { by: "ann" } },
    true,
    true,
    { winner: "reject", value: "no" },
  ]);
  await expectSameFromEveryPrefix(main, run);
});

test("time runs out while children and webhooks go on, and its timer is taken back when one of them wins", async () => {
  const main = workflow("main", async () => {
    const [wall, hook] = [startChild(build, { input: "the wall" }), await createWebhook("payment")];
    const none = await waitForAny({ wall, hook }, { timeout: "1m" });
    const some = await waitForAny({ wall, hook }, { timeout: "1m" });
    await step("after", noop);
    return [none, some?.winner];
  });
  const run = await runWorkflow(main);
  await run.completes(HOOK, "its token");
  await run.starts("build");
  await run.fires("waitForAny");
  await run.ends("build", { result: "done" });
  expect(run.pending).toEqual(["5 step after"]);
  await run.completes("after");
  expect(run.result).toEqual([undefined, "wall"]);
  await expectSameFromEveryPrefix(main, run);
});

test("canceled, it rejects at once; the end of a child that was told to stop is awaited by its result", async () => {
  const main = workflow("main", async () => {
    const wall = startChild(build, { input: "the wall" });
    const first = await waitForAny({ wall, approve }).catch((error) => error.message);
    await nonCancellable(() => step("after", noop));
    return [first, await wall.result.catch((error) => error.name)];
  });
  const run = await runWorkflow(main);
  await run.starts("build");
  await run.cancels("enough");
  expect(run.pending).toEqual(["1 child build", "2 mail cancel", "3 step after"]);
  await run.delivers("cancel");
  await run.completes("after");
  await run.ends("build", { error: new CanceledFailure("enough") });
  expect(run.result).toEqual(["enough", "ChildFailure"]);
  await expectSameFromEveryPrefix(main, run);
});

test("what does not fit its schema is left out, kept or coming, and what fits is as its schema makes it", async () => {
  const counted = defineSignal("counted", { schema: z.object({ count: z.coerce.number() }) });
  const main = workflow("main", async () => {
    const hook = await createWebhook("payment", { schema: z.object({ paid: z.number() }) });
    await step("work", noop);
    return [
      await waitForAny({ counted, hook }),
      await waitForAny({ counted, hook }),
      await waitForAny({ counted, hook }),
    ];
  });
  const run = await runWorkflow(main, { isLive: true });
  await run.completes(HOOK, "its token");
  await run.tell(
    delivered(run, "no JSON"),
    run.signalEvent("counted", { count: "many" }),
    delivered(run, '{"paid":1}'),
  );
  await run.completes("work");
  await run.signals("counted", { count: "several" });
  await run.signals("counted", { count: "12" });
  await run.tell(delivered(run, '{"paid":"2"}'));
  await run.tell(delivered(run, '{"paid":2}'));
  expect(run.result).toEqual([
    { winner: "hook", value: { paid: 1 } },
    { winner: "counted", value: { count: 12 } },
    { winner: "hook", value: { paid: 2 } },
  ]);
  expect(run.log.lines.filter(({ message }) => message === "a signal was left out")).toHaveLength(4);
  await expectSameFromEveryPrefix(main, run);
});

test("a loop over a child that goes on leaves nothing waiting behind it", async () => {
  const rounds = 50;
  const main = workflow("main", async () => {
    const wall = startChild(build, { input: "the wall" });
    for (let round = 0; ; round++) if ((await waitForAny({ wall, other })).winner === "wall") return round;
  });
  const run = await runWorkflow(main);
  await run.starts("build");
  for (let round = 0; round < rounds; round++) {
    expect(run.engine.waits).toEqual({ signals: ["other"], conditions: 1 });
    await run.signals("other", round);
  }
  await run.ends("build", { result: "done" });
  expect(run.result).toBe(rounds);
});

test("it is refused in a query", async () => {
  const look = defineQuery<string>("look");
  const main = workflow("main", async () => {
    const wall = startChild(build, { input: "the wall" });
    look.handle(() => {
      waitForAny({ wall, approve }).catch((error) => told.push(error.code));
      return "looked";
    });
    await approve.receive();
  });
  const told: string[] = [];
  const run = await runWorkflow(main);
  run.engine.query("look", null);
  await new Promise((resolve) => setImmediate(resolve));
  expect(told).toEqual(["COMMAND_IN_READ_ONLY"]);
});
