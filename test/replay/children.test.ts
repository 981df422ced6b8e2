// Children through real workers: started once, heard of once, and dealt with when their parent ends, whatever ends.

import { expect, test } from "vitest";
import {
  CanceledFailure,
  ChildFailure,
  continueAsNew,
  defineSignal,
  executeChild,
  isCanceled,
  nonCancellable,
  type ParentClosePolicy,
  sleep,
  startChild,
  step,
  withTimeout,
  workflow,
  workflowInfo,
} from "../../sdk/index.ts";
import { eventually } from "../support/eventually.ts";
import { type House, historyOf, openHouse, typesOf } from "../support/local-worker.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

const go = defineSignal<string | undefined>("go");

const double = workflow("double", async (n: number) => {
  const { parent } = workflowInfo();
  return { n: await step("double", () => n * 2), of: parent?.workflowId };
});

const statusOf = async ({ client }: House, workflowId: string) =>
  (await client.getUntyped(workflowId).describe()).status;

test("a child gives its result, and knows its parent", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => executeChild(double, { input: 21, id: "the child" }));
  await house.startWorker([parent, double]);
  const run = await house.client.start(parent, { id: "the parent" });
  expect(await run.result()).toEqual({ n: 42, of: "the parent" });
  expect(await typesOf(run)).toEqual(["RunStarted", "ChildRequested", "ChildStarted", "ChildEnded", "RunCompleted"]);
  expect(await statusOf(house, "the child")).toBe("completed");
});

test("hundreds of children side by side, on two workers, each once", async () => {
  const house = openHouse();
  const count = 300;
  const parent = workflow("parent", async () => {
    const results = await Promise.all(Array.from({ length: count }, (_, n) => executeChild(double, { input: n })));
    return results.map(({ n }) => n);
  });
  for (let n = 0; n < 2; n++) await house.startWorker([parent, double]);
  const run = await house.client.start(parent);
  expect(await run.result()).toEqual(Array.from({ length: count }, (_, n) => n * 2));
  const { runs } = await house.client.list({ workflow: "double", limit: 200 });
  expect(runs).toHaveLength(200);
  expect((await typesOf(run)).filter((type) => type === "ChildEnded")).toHaveLength(count);
});

test("a parent that waits is parked, and woken by its child's end", async () => {
  const house = openHouse();
  const slow = workflow("slow", async () => (await go.receive()) ?? "went");
  const parent = workflow("parent", async () => {
    const child = startChild(slow, { id: "slow" });
    await child.started;
    return child.result;
  });
  const worker = await house.startWorker([parent, slow], { lingerMs: 0, keepIfDueWithinMs: 0 });
  const run = await house.client.start(parent, { id: "waits" });
  await eventually("both are parked", () => worker.stats.liveRuns === 0 && worker.stats.parked >= 2);
  const { pending, summary } = await run.describe();
  expect(pending?.children).toMatchObject([{ name: "slow", workflowId: "slow", isStarted: true }]);
  expect(summary).toContain('child run slow ("slow")');
  await house.client.getUntyped("slow").signal(go, "gone");
  expect(await run.result()).toBe("gone");
});

test("a child's workflow id is taken: its parent is told which run has it", async () => {
  const house = openHouse();
  const waits = workflow("waits", async () => go.receive());
  const parent = workflow("parent", async (isPatient: boolean) => {
    const child = startChild(waits, { id: "taken" });
    try {
      return [await child.started];
    } catch (error) {
      if (!isPatient) throw error;
      return [(error as { code?: string }).code, await child.result.catch((same) => same === error)];
    }
  });
  await house.startWorker([parent, waits]);
  await house.client.start(waits, { id: "taken" });
  expect(await (await house.client.start(parent, { input: true })).result()).toEqual(["RUN_ALREADY_STARTED", true]);
  const failed = await house.client.start(parent, { input: false });
  await expect(failed.result()).rejects.toMatchObject({ cause: { code: "RUN_ALREADY_STARTED" } });
});

test("onReuse decides about closed runs of the child's workflow id", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => {
    const first = await executeChild(double, { input: 1, id: "again" });
    const second = await executeChild(double, { input: 2, id: "again" });
    const refused = await executeChild(double, { input: 3, id: "again", onReuse: "allowIfFailed" }).catch(
      (error) => error.code,
    );
    return [first.n, second.n, refused];
  });
  await house.startWorker([parent, double]);
  expect(await (await house.client.start(parent)).result()).toEqual([2, 4, "RUN_ALREADY_STARTED"]);
});

test("how a child ends badly is told with its cause", async () => {
  const house = openHouse();
  const fails = workflow("fails", async () => {
    throw new RangeError("out of stock");
  });
  const hangs = workflow("hangs", async () => go.receive());
  const parent = workflow("parent", async (which: "fails" | "hangs" | "late") => {
    const child =
      which === "fails" ? startChild(fails) : startChild(hangs, which === "late" ? { timeout: 30 } : { id: "hangs" });
    try {
      return [String(await child.result)];
    } catch (error) {
      if (!(error instanceof ChildFailure)) throw error;
      const { name, message } = error.cause as Error;
      return [error.workflow, name, message];
    }
  });
  await house.startWorker([parent, fails, hangs]);
  const results = async (input: "fails" | "hangs" | "late") => (await house.client.start(parent, { input })).result();
  expect(await results("fails")).toEqual(["fails", "RangeError", "out of stock"]);
  expect(await results("late")).toEqual(["hangs", "TimeoutFailure", "the run was open longer than 30 ms"]);
  const terminated = results("hangs");
  await eventually("the child is open", async () => (await statusOf(house, "hangs")) === "running");
  await house.client.getUntyped("hangs").terminate("enough");
  expect(await terminated).toEqual(["hangs", "TerminatedFailure", "enough"]);
});

test("a failure that nobody catches fails the parent; one that nobody awaits does not", async () => {
  const house = openHouse();
  const fails = workflow("fails", async () => {
    throw new Error("no");
  });
  const careful = workflow("careful", async () => executeChild(fails));
  const careless = workflow("careless", async () => {
    const child = startChild(fails, { id: "ignored" });
    await child.started;
    await eventuallyClosed();
    return "fine";
  });
  const eventuallyClosed = () => go.receive();
  await house.startWorker([careful, careless, fails]);
  await expect((await house.client.start(careful)).result()).rejects.toMatchObject({
    status: "failed",
    cause: { name: "ChildFailure", cause: { message: "no" } },
  });
  const run = await house.client.start(careless);
  await eventually("the parent has heard of it", async () => (await typesOf(run)).includes("ChildEnded"));
  await run.signal(go);
  expect(await run.result()).toBe("fine");
});

test("a child that continues as new ends when the last of its runs does", async () => {
  const house = openHouse();
  const chain = workflow("chain", async (left: number): Promise<unknown> => {
    const { parent } = workflowInfo();
    return left > 0 ? continueAsNew(left - 1) : (parent?.workflowId ?? "an orphan");
  });
  const parent = workflow("parent", async () => executeChild(chain, { input: 3 }));
  await house.startWorker([parent, chain]);
  const run = await house.client.start(parent, { id: "p" });
  expect(await run.result()).toBe("p");
  expect((await typesOf(run)).filter((type) => type === "ChildEnded")).toHaveLength(1);
});

const hangs = workflow("hangs", async () => go.receive());
const ENDS = {
  returns: (house: House) => house.client.getUntyped("parent").signal(go),
  terminated: (house: House) => house.client.getUntyped("parent").terminate(),
  canceled: (house: House) => house.client.getUntyped("parent").cancel(),
  timedOut: async () => {},
  continues: (house: House) => house.client.getUntyped("parent").signal(go, "on"),
} as const;

test.each(Object.keys(ENDS) as (keyof typeof ENDS)[])(
  "a parent that is gone (%s) leaves each child what was agreed",
  async (end) => {
    const house = openHouse();
    const policies: ParentClosePolicy[] = ["terminate", "cancel", "abandon"];
    const parent = workflow("parent", async (isSecond?: boolean) => {
      if (isSecond === true) return;
      const children = policies.map((policy) =>
        startChild(hangs, { id: policy, parentClosePolicy: policy, onCancel: "abandon" }),
      );
      await Promise.all(children.map(({ started }) => started));
      await step("ready", () => {});
      if ((await go.receive()) === "on") continueAsNew(true);
    });
    await house.startWorker([parent, hangs]);
    const run = await house.client.start(parent, { id: "parent", ...(end === "timedOut" ? { timeout: "1s" } : {}) });
    await eventually("the children are started", async () => (await typesOf(run)).includes("StepCompleted"));
    await ENDS[end](house);
    await run.result().catch(() => {});
    await eventually("the first is terminated", async () => (await statusOf(house, "terminate")) === "terminated");
    await eventually("the second is canceled", async () => (await statusOf(house, "cancel")) === "canceled");
    expect(await statusOf(house, "abandon")).toBe("running");
    await house.client.getUntyped("abandon").signal(go);
    await eventually("the third ends by itself", async () => (await statusOf(house, "abandon")) === "completed");
  },
);

test("grandchildren go with their grandparent", async () => {
  const house = openHouse();
  const middle = workflow("middle", async () => executeChild(hangs, { id: "grandchild" }));
  const top = workflow("top", async () => executeChild(middle, { id: "middle" }));
  await house.startWorker([top, middle, hangs]);
  const run = await house.client.start(top);
  await eventually("the grandchild is open", async () => (await statusOf(house, "grandchild")) === "running");
  await run.terminate();
  await eventually("it is terminated", async () => (await statusOf(house, "grandchild")) === "terminated");
});

test("what is abandoned in the last turn is started all the same", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => {
    startChild(double, { input: 4, id: "left behind", parentClosePolicy: "abandon" });
    startChild(double, { input: 4, id: "never", parentClosePolicy: "terminate" });
  });
  await house.startWorker([parent, double]);
  await (await house.client.start(parent)).result();
  expect(await house.client.get(double, "left behind").result().catch(String)).toMatchObject({ n: 8 });
  await expect(house.client.getUntyped("never").describe()).rejects.toMatchObject({ code: "RUN_NOT_FOUND" });
});

const stubborn = workflow("stubborn", async () => {
  try {
    await sleep("1h");
  } finally {
    await nonCancellable(async () => {
      await go.receive();
    });
  }
});

test("canceled, a parent waits by default until its child has ended", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => executeChild(stubborn, { id: "child" }));
  await house.startWorker([parent, stubborn]);
  const run = await house.client.start(parent);
  await eventually("the child sleeps", async () => (await typesOf(house.client.getUntyped("child"))).length === 2);
  await run.cancel("enough");
  const child = house.client.getUntyped("child");
  await eventually("the child is told", async () => (await typesOf(child)).includes("CancelRequested"));
  expect((await run.describe()).status).toBe("running");
  await child.signal(go);
  await expect(run.result()).rejects.toMatchObject({ status: "canceled", cause: { name: "ChildFailure" } });
  expect(await statusOf(house, "child")).toBe("canceled");
});

test.each(["request", "try"] as const)(
  "canceled, with onCancel %s, it goes on before the child has",
  async (onCancel) => {
    const house = openHouse();
    const parent = workflow("parent", async () => {
      const child = startChild(stubborn, { id: "child", onCancel, parentClosePolicy: "abandon" });
      try {
        await child.result;
      } catch (error) {
        return isCanceled(error);
      }
      return "not canceled";
    });
    await house.startWorker([parent, stubborn]);
    const run = await house.client.start(parent);
    await eventually("the child sleeps", async () => (await typesOf(house.client.getUntyped("child"))).length === 2);
    await run.cancel("enough");
    expect(await run.result()).toBe(true);
    const child = house.client.getUntyped("child");
    await eventually("the child is told", async () => (await typesOf(child)).includes("CancelRequested"));
    await child.signal(go);
    await expect(child.result()).rejects.toMatchObject({ status: "canceled" });
  },
);

test("a scope that is left waits for the end of the child in it, unless the child is not waited for", async () => {
  for (const [onCancel, answer] of [
    ["wait", "ends"],
    ["try", "at once"],
  ] as const) {
    const code = workflow("parent", async () => {
      await withTimeout("1m", () => executeChild(double, { input: 1, onCancel })).catch(() => {});
      await step("after", () => {});
      return "went on";
    });
    const run = await runWorkflow(code);
    await run.starts("double");
    await run.fires("timeout");
    if (answer === "at once") {
      expect(run.pending).toContain("4 step after");
      continue;
    }
    expect(run.pending.some((line) => line.includes("step after"))).toBe(false);
    await run.ends("double", { error: new CanceledFailure("enough") });
    await run.completes("after");
    expect(run.result).toBe("went on");
  }
});

test("a child that was not requested yet when the parent is canceled is never started", async () => {
  const run = await runWorkflow(
    workflow("parent", async () => {
      await step("first", () => {});
      await executeChild(double, { input: 1 });
    }),
  );
  await run.tell(run.completed("first"), { type: "CancelRequested", mail: 1, reason: "enough" });
  expect(run.failure).toContain("canceled: CanceledFailure");
  expect(run.history.map(({ type }) => type)).not.toContain("ChildRequested");
});

test("a child can be signaled and canceled by its parent", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => {
    const child = startChild(hangs);
    await child.signal(go, "said");
    const said = await child.result;
    const other = startChild(hangs);
    await other.cancel("no more");
    const error = await other.result.catch((thrown) => thrown);
    return [said, isCanceled(error), error.cause.message];
  });
  await house.startWorker([parent, hangs]);
  expect(await (await house.client.start(parent)).result()).toEqual(["said", true, "no more"]);
});

test("every prefix of a parent's history leads to the same end", async () => {
  const house = openHouse();
  const parent = workflow("parent", async () => {
    const [a, b] = [startChild(double, { input: 1 }), startChild(double, { input: 2, id: "b" })];
    const first = await Promise.race([a.result, b.result, sleep("1h")]);
    return [first, await a.result, await b.result, await executeChild(double, { input: 3, id: "b" })];
  });
  await house.startWorker([parent, double]);
  const run = await house.client.start(parent);
  await run.result();
  const events = await historyOf(run);
  for (let length = 1; length <= events.length; length++) {
    const again = await replay(parent, events.slice(0, length));
    await again.redeliver(events.slice(length));
    expect(again.engine.broken?.message).toBeUndefined();
    expect(again.outcome?.type).toBe("completed");
  }
});

test("another child than the history's is a divergence, by workflow, input and id", async () => {
  const asked = async (code: () => Promise<unknown>) => {
    const run = await runWorkflow(workflow("parent", async () => executeChild(double, { input: 1 })));
    await run.starts("double");
    return (await replay(workflow("parent", code), run.history)).engine.broken;
  };
  expect(await asked(() => executeChild(double, { input: 1 }))).toBeUndefined();
  expect(await asked(() => executeChild(double, { input: 2 }))).toMatchObject({ code: "DIVERGENCE" });
  expect(await asked(() => executeChild(double, { input: 1, id: "x" }))).toMatchObject({ code: "DIVERGENCE" });
  expect(await asked(() => executeChild(hangs))).toMatchObject({ code: "DIVERGENCE" });
  expect(await asked(() => step("double", () => 1))).toMatchObject({ code: "DIVERGENCE" });
});

test("children of children know the run above all, also where those in between continued as new", async () => {
  const house = openHouse();
  const knows = () => [workflowInfo().parent?.workflowId, workflowInfo().root?.workflowId];
  const leaf = workflow("leaf", async () => knows());
  const middle = workflow("middle", async (left: number): Promise<unknown[]> => {
    if (left > 0) return continueAsNew(left - 1);
    return [knows(), await executeChild(leaf, { id: "leaf" })];
  });
  const top = workflow("top", async () => [knows(), ...(await executeChild(middle, { input: 1, id: "middle" }))]);
  await house.startWorker([top, middle, leaf]);
  const run = await house.client.start(top, { id: "top" });
  expect(await run.result()).toEqual([
    [undefined, undefined],
    ["top", "top"],
    ["middle", "top"],
  ]);
});
