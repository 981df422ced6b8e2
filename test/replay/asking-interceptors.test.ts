// What stands around what workflow code asks for: what it is shown, what it can say otherwise, and that nothing else changes by it.

import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import {
  type AskAnswer,
  cancelScope,
  condition,
  continueAsNew,
  defineAttributes,
  defineSignal,
  defineStep,
  externalRun,
  type Interceptor,
  note,
  sleep,
  startChild,
  step,
  transaction,
  upsertAttributes,
  upsertMemo,
  type WorkflowAsk,
  waitForAny,
  withLock,
  workflow,
  workflowInfo,
} from "everstep";
import { type TestEnvironment, type TestEnvironmentOptions, testEnvironment } from "everstep/testing";
import { expect, onTestFinished, test } from "vitest";
import { WorkflowHooks } from "../../runtime/replay/workflow-hooks.ts";
import { lookingOn, nameOf } from "../support/looking-on.ts";
import { replay, runWorkflow } from "../support/replaying.ts";

async function environment(options: TestEnvironmentOptions): Promise<TestEnvironment> {
  const env = await testEnvironment(options);
  onTestFinished(() => env.stop());
  return env;
}

const around = (hooks: Interceptor["workflow"]) => WorkflowHooks.of([hooks]);
const go = defineSignal<{ n: number }>("go");
const charge = defineStep("charge", (amount: number) => amount);
const colors = defineAttributes({ color: "keyword" });
const child = workflow("child", async (input: { n: number }) => ({ ...input, headers: workflowInfo().headers }));

test("everything that code asks for is shown, in the order of asking, with how it was answered", async () => {
  const everything = workflow("everything", async (left: number) => {
    upsertAttributes(colors({ color: "red" }));
    upsertMemo({ a: 1, b: 2 });
    note("warn", "here");
    await step("inline", () => 1, { timeout: "5s", retry: { maxAttempts: 1 } });
    await charge(7);
    await step("doomed", () => Promise.reject(new Error("no")), { retry: { maxAttempts: 1 } }).catch(() => {});
    await sleep("1m");
    await go.receive({ timeout: "1s" });
    await startChild(child, { id: "c", input: { n: 1 } }).result;
    await externalRun("nobody")
      .signal(go, { n: 2 })
      .catch(() => {});
    await externalRun("nobody")
      .cancel("enough")
      .catch(() => {});
    await withLock("key", async () => {});
    const scope = cancelScope();
    void scope.run(() => sleep("1h"));
    scope.cancel("not needed");
    if (left > 0) continueAsNew(left - 1);
    return "done";
  });
  const shown: WorkflowAsk[] = [];
  const answers: [string, AskAnswer][] = [];
  const ask = <Result>(asked: WorkflowAsk, next: () => Result): Result => {
    if (!asked.info.isReplaying) shown.push(asked);
    // Also at replay: a timer that woke a parked run is answered there.
    if ("answered" in asked) asked.answered.then((answer) => answers.push([nameOf(asked), answer]));
    return next();
  };
  const env = await environment({ workflows: [everything, child], interceptors: [{ workflow: { ask } }] });
  const run = await env.client.start(everything, { id: "e", input: 1, headers: { tenant: "acme" } });
  expect(await run.result()).toBe("done");
  const first = shown.slice(0, shown.findIndex(({ kind }) => kind === "continueAsNew") + 1);
  expect(first.map(nameOf)).toEqual([
    ...["attributes color", "memo a, b", "note here", "step inline", "step charge", "step doomed", "timer sleep"],
    ...["timer receive go", "child child", "signal go", "cancel enough", "lock key", "timer sleep"],
    "continueAsNew everything",
  ]);
  expect(first[3]).toMatchObject({ body: "step", input: undefined, timeoutMs: 5_000, retry: { maxAttempts: 1 } });
  expect(first[4]).toMatchObject({ body: "step", input: 7, timeoutMs: null });
  expect(first[6]).toMatchObject({ due: { afterMs: 60_000 } });
  expect(first[8]).toMatchObject({ workflowId: "c", input: { n: 1 }, headers: { tenant: "acme" } });
  expect(first[9]).toMatchObject({ to: { workflowId: "nobody" }, payload: { n: 2 } });
  expect(first[11]).toMatchObject({ permits: 1, capacity: 1 });
  expect(first[13]).toMatchObject({ input: 0, headers: { tenant: "acme" } });
  const told = answers.map(
    ([name, answer]) => `${name}: ${answer.isFailed ? answer.error : JSON.stringify(answer.value)}`,
  );
  expect([...new Set(told)]).toEqual([
    ...["step inline: 1", "step charge: 7", 'step doomed: StepFailure: step "doomed" failed: no'],
    ...["timer sleep: undefined", "timer receive go: undefined"],
    'child child: {"n":1,"headers":{"tenant":"acme"}}',
    'signal go: EverstepError: There is no run nobody: "signal go" reached nobody.',
    'cancel enough: EverstepError: There is no run nobody: "cancel" reached nobody.',
    ...["lock key: 1", "timer sleep: CanceledFailure: not needed", "lock key: 2"],
  ]);
});

test("of several interceptors the first is the outermost, and its own hook is within the one for all", async () => {
  const notes: string[] = [];
  const noting = (name: string, timeout: "1s" | "2s"): Interceptor => ({
    workflow: {
      ask(asked, next) {
        if (!asked.info.isReplaying && asked.kind === "step") notes.push(`${name}: ask, ${asked.timeoutMs}`);
        return next();
      },
      askStep(asked, next) {
        if (!asked.info.isReplaying) notes.push(`${name}: askStep, ${asked.timeoutMs}`);
        return next({ timeout });
      },
    },
  });
  const plain = workflow("plain", async () => transaction("t", () => 1, { timeout: "9s" }).catch(() => 0));
  const env = await environment({ workflows: [plain], interceptors: [noting("a", "1s"), noting("b", "2s")] });
  await (await env.client.start(plain)).result();
  expect(notes).toEqual(["a: ask, 9000", "a: askStep, 9000", "b: ask, 1000", "b: askStep, 1000"]);
});

test("a step has the options that interceptors give it, and keeps the others", async () => {
  const limits: Interceptor = {
    workflow: { askStep: (asked, next) => next(asked.timeoutMs === null ? { timeout: "1s" } : undefined) },
  };
  const forever = () => new Promise(() => {});
  const slow = workflow("slow", async () =>
    Promise.all([
      step("no limit", forever, { retry: { maxAttempts: 1 } }).catch(({ cause }) => String(cause)),
      step("own limit", forever, { retry: { maxAttempts: 1 }, timeout: "3s" }).catch(({ cause }) => String(cause)),
    ]),
  );
  const env = await environment({ workflows: [slow], interceptors: [limits] });
  const run = await env.client.start(slow);
  await env.advance("5s", { pastSteps: true });
  expect(await run.result()).toEqual([expect.stringContaining("1000 ms"), expect.stringContaining("3000 ms")]);
});

test("children and the run that follows carry the headers that interceptors give them", async () => {
  const marks: Interceptor = {
    workflow: {
      askChild: (asked, next) => next({ headers: { ...asked.headers, parent: asked.info.workflow } }),
      askContinueAsNew: ({ headers }, next) =>
        next({ headers: { ...headers, hops: `${Number(headers.hops ?? 0) + 1}` } }),
    },
  };
  const hopping = workflow("hopping", async (left: number) => {
    if (left > 0) continueAsNew(left - 1);
    const { headers } = await startChild(child, { input: { n: 1 } }).result;
    return { own: workflowInfo().headers, child: headers };
  });
  const env = await environment({ workflows: [hopping, child], interceptors: [marks] });
  const run = await env.client.start(hopping, { input: 2, headers: { tenant: "acme" } });
  const own = { tenant: "acme", hops: "2" };
  expect(await run.result()).toEqual({ own, child: { ...own, parent: "hopping" } });

  const dropping: Interceptor = { workflow: { askChild: (_, next) => next({ headers: {} }) } };
  const bare = await environment({ workflows: [hopping, child], interceptors: [dropping] });
  const other = await bare.client.start(hopping, { input: 0, headers: { tenant: "acme" } });
  expect(await other.result()).toMatchObject({ child: {} });
});

test.each([
  ["headers that are none", { askChild: (_: unknown, next: (c: object) => unknown) => next({ headers: { a: 1 } }) }],
  ["what is async", { ask: async (_: unknown, next: () => unknown) => next() }],
  ["what forgets to return", { ask: (_: unknown, next: () => unknown) => void next() }],
  ["what does not go on", { askChild: () => "instead" }],
  ["what goes on twice", { ask: (_: unknown, next: () => unknown) => [next(), next()][0] }],
  [
    "what is called twice by the one around it",
    {
      ask: (_: unknown, next: () => unknown) => [next(), next()][0],
      askChild: (_: unknown, next: () => unknown) => next(),
    },
  ],
  ["what throws", { ask: () => Promise.reject(new RangeError("from aside")) }],
  [
    "what throws at once",
    {
      askChild: (): never => {
        throw new RangeError("from aside");
      },
    },
  ],
])("%s fails where the code asked, as if the code had", async (_how, hooks) => {
  const caught = workflow("caught", async () => {
    try {
      startChild(child, { input: { n: 1 } });
      return "asked";
    } catch (error) {
      return `caught ${(error as { code?: string }).code ?? (error as Error).message}`;
    }
  });
  const run = await runWorkflow(caught, { hooks: around(hooks as never) });
  expect(run.result).toBe(_how === "what throws at once" ? "caught from aside" : "caught ARGUMENT_INVALID");
});

test("what is refused names the hooks that stand there, not those that nobody has", async () => {
  const messageWith = async (hooks: object) => {
    const failing = workflow("failing", () => step("one", () => 1));
    return (await runWorkflow(failing, { hooks: around(hooks) })).failure;
  };
  const forgets = (_: unknown, next: () => unknown) => void next();
  expect(await messageWith({ ask: forgets })).toContain("workflow.ask() returned something else");
  expect(await messageWith({ askStep: forgets })).toContain("workflow.askStep() returned something else");
  const both = { ask: forgets, askStep: forgets, askChild: forgets };
  expect(await messageWith(both)).toContain("workflow.ask() or workflow.askStep() returned something else");
});

test("what goes on too late asks for nothing: the place of a command is the place of its call", async () => {
  const late: { next?: () => unknown; error?: unknown } = {};
  const hooks = around({
    ask(_, next) {
      late.next ??= next;
      return next();
    },
  });
  const twoSteps = workflow("twoSteps", async () => {
    await step("one", () => 1);
    try {
      late.next?.();
    } catch (error) {
      late.error = error;
    }
    return step("two", () => 2);
  });
  const run = await runWorkflow(twoSteps, { hooks });
  await run.completes("one", 1);
  await run.completes("two", 2);
  expect(run.result).toBe(2);
  expect(late.error).toMatchObject({ code: "ARGUMENT_INVALID", message: expect.stringContaining("or too late") });
});

test("a child has the limits of time that an interceptor gives it, of its own and for its chain", async () => {
  const seen: WorkflowAsk[] = [];
  const limits: Interceptor = {
    workflow: {
      ask(asked, next) {
        if (asked.kind === "child") seen.push(asked);
        return next();
      },
      askChild: (_, next) => next({ timeout: "5m", chainTimeout: "1h" }),
    },
  };
  const bounded = workflow("bounded", async () => {
    const { deadlineAt, chainDeadlineAt, startedAt } = workflowInfo();
    return [deadlineAt, chainDeadlineAt].map((at) => Math.round(((at?.getTime() ?? 0) - startedAt.getTime()) / 60_000));
  });
  const main = workflow("main", () => startChild(bounded, { chainTimeout: "2h" }).result);
  const env = await environment({ workflows: [main, bounded], interceptors: [limits] });
  expect(await (await env.client.start(main)).result()).toEqual([5, 60]);
  expect(seen[0]).toMatchObject({ timeoutMs: null, chainTimeoutMs: 7_200_000 });
});

test("where a hook refuses the limit of a wait, the wait is over: signals and locks are for who asks next", async () => {
  const refusing: Interceptor = {
    workflow: {
      ask(asked, next) {
        if (asked.kind === "timer" && asked.name !== "sleep") throw new RangeError(`no ${asked.name}`);
        return next();
      },
    },
  };
  const refused = (wait: Promise<unknown>) => wait.catch((error) => error.message);
  const waits = workflow("waits", async () => {
    // Signals that come now are no early ones, which would be there for the first wait.
    await step("begun", () => {});
    const errors = [
      await refused(go.receive({ timeout: "1h" })),
      await refused(waitForAny({ go }, { timeout: "1h" })),
      await refused(withLock("key", () => {}, { timeout: "1h" })),
      await refused(condition(() => false, { timeout: "1h" })),
    ];
    const { n } = await go.receive();
    await sleep("1h");
    return [...errors, n];
  });
  const env = await environment({ workflows: [waits], interceptors: [refusing] });
  const run = await env.client.start(waits);
  await env.advance("1m");
  await run.signal(go, { n: 1 });
  await env.advance("1m");
  expect(await env.client.locks()).toEqual([]);
  await env.advance("1h");
  expect((await run.describe()).status).toBe("completed");
  expect(await run.result()).toEqual(["no receive go", "no waitForAny", "no lock key", "no condition", 1]);
});

test("what a hook asks for itself passes by all hooks", async () => {
  const asked: string[] = [];
  const hooks = around({
    ask(each, next) {
      asked.push(each.kind);
      note(`asks for a ${each.kind}`);
      return next();
    },
  });
  const run = await runWorkflow(
    workflow("noted", () => step("one", () => {})),
    { hooks },
  );
  expect(asked).toEqual(["step"]);
  expect(run.history.flatMap((event) => (event.type === "RunNoted" ? [event.text] : []))).toEqual(["asks for a step"]);
});

// Each reaction takes its turn among those of the same event: one await more or less anywhere would show itself here.
const racing = workflow("racing", async () => {
  const order: string[] = [];
  const shared = step("shared", () => 1);
  const late = async (name: string, ticks: number) => {
    await shared;
    for (let tick = 0; tick < ticks; tick++) await null;
    order.push(name);
    await step(name, () => name);
    order.push(`${name} done`);
  };
  const timer = sleep(5).then(() => order.push("timer"));
  await Promise.all([late("three", 3), late("none", 0), late("two", 2), late("one", 1), timer]);
  const first = await Promise.race([step("a", () => "a").then((a) => a), step("b", () => "b")]);
  // What is canceled together: some of it is asked for through hooks, some is not.
  const scope = cancelScope();
  const branch = (name: string, wait: () => Promise<unknown>) => scope.run(wait).catch(() => order.push(name));
  const branches = [
    branch("canceled condition", () => condition(() => false)),
    branch("canceled timer", () => sleep("1h")),
    branch("canceled signal", () => go.receive()),
    branch("canceled step", () => step("abandoned", () => {}, { onCancel: "abandon" })),
    branch("canceled in turn", () => condition(() => false)),
  ];
  await step("last", () => {});
  scope.cancel("enough");
  await Promise.all(branches);
  return [...order, first];
});

test("code of one event runs in the same order with and without", async () => {
  const drive = async (hooks?: WorkflowHooks) => {
    const run = await runWorkflow(racing, { hooks });
    await run.completes("shared", 1);
    const asked = run.changes();
    for (const name of ["two", "none", "three", "one"]) await run.completes(name, name);
    await run.fires("sleep");
    await run.tell(run.completed("a", "a"), run.completed("b", "b"));
    await run.completes("last");
    return { run, asked, result: run.result };
  };
  const plain = await drive();
  expect(plain.asked.filter((line) => line.includes("step"))).toEqual([
    ...["asked 1 step shared", "asked 3 step none", "asked 4 step one", "asked 5 step two", "asked 6 step three"],
  ]);
  for (const count of [1, 2, 5]) {
    const looking = lookingOn();
    const hooks = WorkflowHooks.of(Array.from({ length: count }, () => looking.interceptor.workflow));
    const intercepted = await drive(hooks);
    expect(looking.answered.length).toBe(11 * count);
    expect(intercepted.asked).toEqual(plain.asked);
    expect(intercepted.result).toEqual(plain.result);
    expect(intercepted.run.history).toEqual(plain.run.history);
    for (let length = 1; length <= plain.run.history.length; length++) {
      const again = await replay(racing, plain.run.history.slice(0, length), { hooks });
      await again.redeliver(plain.run.history.slice(length));
      expect(again.engine.broken?.message).toBeUndefined();
    }
  }
});

test("what fails with nobody awaiting it fails the run, also when somebody looks on", async () => {
  const script = fileURLToPath(new URL("../support/unawaited-process.ts", import.meta.url));
  const flags = ["--conditions=everstep-source", "--import", "tsx", script];
  const outputs = await Promise.all(
    [flags, [...flags, "looking-on"]].map((each) => promisify(execFile)(process.execPath, each)),
  );
  const [plain, looking] = outputs.map(({ stdout }) => JSON.parse(stdout));
  expect(plain.failed).toContain("nobody looks");
  expect(looking).toEqual(plain);
});

test("a divergence names the place in the author's code, not the interceptor's", async () => {
  const recorded = await runWorkflow(workflow("order", () => step("reserve", () => {})));
  await recorded.completes("reserve");
  const { interceptor } = lookingOn();
  const changed = workflow("order", () => step("hold", () => {}));
  const hooks = WorkflowHooks.of([interceptor.workflow, interceptor.workflow, interceptor.workflow]);
  const run = await replay(changed, recorded.history, { hooks, recordsCallSites: true });
  expect(run.engine.broken).toMatchObject({
    code: "DIVERGENCE",
    details: { site: expect.stringContaining("asking-interceptors.test.ts") },
  });
});
